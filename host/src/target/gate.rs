//! Lets requests through to one target: so many at a time, so fast, and none while it is left alone. Pure.

use super::breaker::{Breaker, Pause};
use super::bucket::Bucket;
use super::{Health, TargetLimits};

/// The gate before one target.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: TargetLimits,
    in_flight: usize,
    bucket: Bucket,
    breaker: Breaker,
}

/// How a request went through. What it gave is told with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pass {
    /// As most do.
    Usual,
    /// As the one that finds out whether the target works again.
    Probe,
}

/// What a gate lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many, at once.
    For(usize),
    /// None before this time, in milliseconds since the Unix epoch.
    At(u64),
    /// None before one of those under way has ended.
    Full,
}

impl Gate {
    /// A gate that was not used yet; the target may be left alone since before.
    #[must_use]
    pub fn new(limits: TargetLimits, paused: Option<Pause>, now_ms: u64) -> Self {
        Self {
            limits,
            in_flight: 0,
            bucket: Bucket::new(limits.requests_per_second, now_ms),
            breaker: paused.map_or(Breaker::Closed { failures: 0 }, Breaker::Open),
        }
    }

    /// Requests under way.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How long the target is left alone, if it is. While one finds out, it still is.
    #[must_use]
    pub const fn pause(&self) -> Option<Pause> {
        match self.breaker {
            Breaker::Closed { .. } => None,
            Breaker::Open(pause) | Breaker::HalfOpen(pause) => Some(pause),
        }
    }

    /// Whether forgetting the gate changes nothing.
    #[must_use]
    pub fn is_idle(&mut self, now_ms: u64) -> bool {
        let is_full =
            self.bucket.tokens(now_ms) >= Bucket::new(self.limits.requests_per_second, now_ms).tokens(now_ms);
        self.in_flight == 0 && self.breaker == Breaker::Closed { failures: 0 } && is_full
    }

    /// How long a further request takes to be let through by the rate, in milliseconds; `None` where there is no rate.
    #[must_use]
    pub fn pace_ms(&self) -> Option<u64> {
        let per_second = u64::from(self.limits.requests_per_second);
        (per_second > 0).then(|| 1_000_u64.div_ceil(per_second))
    }

    /// How many requests may begin now.
    #[must_use]
    pub fn room(&mut self, now_ms: u64) -> Room {
        let breaker_room = match self.breaker {
            Breaker::Closed { .. } => usize::MAX,
            Breaker::Open(_) if self.breaker.is_probing_at(now_ms) => 1,
            Breaker::Open(pause) => return Room::At(pause.until_ms),
            Breaker::HalfOpen(_) => return Room::Full,
        };
        let free = self.limits.in_flight_max.max(1).saturating_sub(self.in_flight);
        if free == 0 {
            return Room::Full;
        }
        match self.bucket.tokens(now_ms) {
            0 => Room::At(self.bucket.next_at_ms()),
            tokens => Room::For(tokens.min(free).min(breaker_room)),
        }
    }

    /// One begins, for which there was room.
    pub fn begin(&mut self, now_ms: u64) -> Pass {
        self.in_flight += 1;
        self.bucket.take();
        if self.breaker.is_probing_at(now_ms) {
            self.breaker = self.breaker.probing();
            return Pass::Probe;
        }
        Pass::Usual
    }

    /// One has ended. Says whether the target is left alone from now on, or no longer: `None` when it is as before.
    pub fn end(&mut self, pass: Pass, health: Health, now_ms: u64) -> Option<Option<Pause>> {
        let before = self.pause();
        self.in_flight = self.in_flight.saturating_sub(1);
        self.breaker = match pass {
            Pass::Usual => self.breaker.after_usual(health, now_ms, &self.limits),
            Pass::Probe => self.breaker.after_probe(health, now_ms, &self.limits),
        };
        let after = self.pause();
        (before != after).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TargetLimits = TargetLimits {
        in_flight_max: 2,
        requests_per_second: 0,
        failures_max: 2,
        pause_ms: 100,
        pause_ms_max: 1_000,
    };

    #[test]
    fn so_many_are_under_way_at_a_time() {
        let mut gate = Gate::new(LIMITS, None, 0);
        assert_eq!(gate.room(0), Room::For(2));
        assert_eq!(gate.begin(0), Pass::Usual);
        assert_eq!(gate.room(0), Room::For(1));
        assert_eq!(gate.begin(0), Pass::Usual);
        assert_eq!((gate.room(0), gate.in_flight()), (Room::Full, 2));
        assert_eq!(gate.end(Pass::Usual, Health::Answers, 5), None);
        assert_eq!(gate.room(5), Room::For(1));
    }

    #[test]
    fn so_many_begin_within_a_second() {
        let mut gate = Gate::new(TargetLimits { requests_per_second: 4, ..LIMITS }, None, 0);
        assert_eq!(gate.room(0), Room::For(1));
        assert_eq!(gate.begin(0), Pass::Usual);
        assert_eq!(gate.room(0), Room::At(250));
        assert_eq!((gate.room(250), gate.pace_ms()), (Room::For(1), Some(250)));
        assert_eq!(Gate::new(LIMITS, None, 0).pace_ms(), None);
    }

    #[test]
    fn a_failing_target_is_left_alone_then_asked_once_then_trusted_again() {
        let mut gate = Gate::new(LIMITS, None, 0);
        assert_eq!((gate.begin(0), gate.begin(0)), (Pass::Usual, Pass::Usual));
        assert_eq!(gate.end(Pass::Usual, Health::Fails, 10), None);
        let pause = Pause { until_ms: 110, length_ms: 100 };
        assert_eq!(gate.end(Pass::Usual, Health::Fails, 10), Some(Some(pause)));
        assert_eq!(gate.room(109), Room::At(110));
        assert_eq!(gate.room(110), Room::For(1));
        assert_eq!(gate.begin(110), Pass::Probe);
        assert_eq!(gate.room(500), Room::Full, "one finds out, and nobody else asks");
        let longer = Pause { until_ms: 700, length_ms: 200 };
        assert_eq!(gate.end(Pass::Probe, Health::Fails, 500), Some(Some(longer)));
        assert_eq!(gate.begin(700), Pass::Probe);
        assert_eq!(gate.end(Pass::Probe, Health::Answers, 710), Some(None));
        assert_eq!(gate.room(710), Room::For(2));
    }

    #[test]
    fn a_pause_outlives_the_gate() {
        let pause = Pause { until_ms: 500, length_ms: 400 };
        let mut gate = Gate::new(LIMITS, Some(pause), 100);
        assert_eq!((gate.room(100), gate.pause()), (Room::At(500), Some(pause)));
        assert!(!gate.is_idle(100) && Gate::new(LIMITS, None, 0).is_idle(0));
    }
}
