//! A circuit breaker: what fails again and again is left alone for a while, then asked once. Pure: time is passed in.

use super::{Health, TargetLimits};

/// How long a target is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Until then, in milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// How long it was when it began, in milliseconds: the next one is twice as long.
    pub length_ms: u64,
}

/// Whether a target is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaker {
    /// It is; so many of its last answers were failures.
    Closed { failures: u32 },
    /// It is not.
    Open(Pause),
    /// One effect, a real one, finds out.
    HalfOpen(Pause),
}

impl Breaker {
    /// Whether it is time for the one that finds out.
    pub(super) const fn is_probing_at(self, now_ms: u64) -> bool {
        matches!(self, Self::Open(pause) if now_ms >= pause.until_ms)
    }

    /// After the one that finds out has begun.
    pub(super) const fn probing(self) -> Self {
        match self {
            Self::Open(pause) => Self::HalfOpen(pause),
            other => other,
        }
    }

    /// After an attempt that began while it was closed. What began before it opened says nothing new.
    pub(super) fn after_usual(self, health: Health, now_ms: u64, limits: &TargetLimits) -> Self {
        match (self, health) {
            (Self::Closed { .. }, Health::Answers) => Self::Closed { failures: 0 },
            (Self::Closed { failures }, Health::Fails)
                if failures.saturating_add(1) >= limits.failures_max =>
            {
                Self::Open(pause(limits.pause_ms, now_ms, limits))
            }
            (Self::Closed { failures }, Health::Fails) => {
                Self::Closed { failures: failures.saturating_add(1) }
            }
            (other, _) => other,
        }
    }

    /// After the one that found out.
    pub(super) fn after_probe(self, health: Health, now_ms: u64, limits: &TargetLimits) -> Self {
        let Self::HalfOpen(last) = self else { return self };
        match health {
            Health::Answers => Self::Closed { failures: 0 },
            Health::Fails => Self::Open(pause(last.length_ms.saturating_mul(2), now_ms, limits)),
            // It found nothing out: another one may, at once.
            Health::Unknown => Self::Open(Pause { until_ms: now_ms, ..last }),
        }
    }
}

fn pause(length_ms: u64, now_ms: u64, limits: &TargetLimits) -> Pause {
    // No length at all would never grow.
    let length_ms = length_ms.clamp(1, limits.pause_ms_max.max(1));
    Pause { until_ms: now_ms.saturating_add(length_ms), length_ms }
}

#[cfg(test)]
mod tests {
    use super::Health::{Answers, Fails, Unknown};
    use super::*;

    const LIMITS: TargetLimits = TargetLimits {
        in_flight_max: 4,
        requests_per_second: 0,
        failures_max: 3,
        pause_ms: 100,
        pause_ms_max: 350,
    };
    const PAUSE: Pause = Pause { until_ms: 1_100, length_ms: 100 };

    const fn closed(failures: u32) -> Breaker {
        Breaker::Closed { failures }
    }

    const fn open(until_ms: u64, length_ms: u64) -> Breaker {
        Breaker::Open(Pause { until_ms, length_ms })
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_not_before() {
        for (before, health, after) in [
            (closed(0), Answers, closed(0)),
            (closed(0), Fails, closed(1)),
            (closed(1), Fails, closed(2)),
            (closed(2), Fails, open(1_100, 100)),
            (closed(2), Answers, closed(0)),
            (closed(2), Unknown, closed(2)),
            // What was under way when it opened.
            (open(1_050, 100), Answers, open(1_050, 100)),
            (open(1_050, 100), Fails, open(1_050, 100)),
            (Breaker::HalfOpen(PAUSE), Answers, Breaker::HalfOpen(PAUSE)),
            (Breaker::HalfOpen(PAUSE), Fails, Breaker::HalfOpen(PAUSE)),
        ] {
            assert_eq!(before.after_usual(health, 1_000, &LIMITS), after, "{before:?}, {health:?}");
        }
    }

    #[test]
    fn one_finds_out_when_the_time_is_over() {
        for (breaker, now_ms, is_probing) in [
            (closed(0), 0, false),
            (open(1_100, 100), 1_099, false),
            (open(1_100, 100), 1_100, true),
            (Breaker::HalfOpen(PAUSE), 2_000, false),
        ] {
            assert_eq!(breaker.is_probing_at(now_ms), is_probing, "{breaker:?} at {now_ms}");
        }
        assert_eq!(Breaker::Open(PAUSE).probing(), Breaker::HalfOpen(PAUSE));
        assert_eq!(closed(1).probing(), closed(1));
    }

    #[test]
    fn what_it_found_closes_it_or_doubles_the_pause_up_to_its_cap() {
        let half = |length_ms| Breaker::HalfOpen(Pause { until_ms: 900, length_ms });
        for (before, health, after) in [
            (half(100), Answers, closed(0)),
            (half(100), Fails, open(1_200, 200)),
            (half(200), Fails, open(1_350, 350)),
            (half(350), Fails, open(1_350, 350)),
            (half(100), Unknown, open(1_000, 100)),
            (closed(0), Fails, closed(0)),
        ] {
            assert_eq!(before.after_probe(health, 1_000, &LIMITS), after, "{before:?}, {health:?}");
        }
    }

    #[test]
    fn no_limits_make_it_stick() {
        let limits = TargetLimits { failures_max: 0, pause_ms: 0, pause_ms_max: 0, ..LIMITS };
        let opened = closed(0).after_usual(Fails, u64::MAX - 1, &limits);
        assert!(opened.is_probing_at(u64::MAX), "{opened:?}");
    }
}
