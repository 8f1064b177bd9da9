//! When to try again. Pure: knows nothing of what is tried, of clocks, or where chance comes from.

pub mod after;

use std::time::Duration;

/// How often and how soon something that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts_max: u32,
    /// The wait after the first attempt, in milliseconds, before jitter.
    pub first_ms: u64,
    /// How many times longer each further wait is.
    pub factor: u32,
    /// The longest wait, in milliseconds. A target that asks for a longer one gets it.
    pub cap_ms: u64,
}

/// What comes after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again after this many milliseconds.
    After(u64),
    /// The attempts are used up.
    GiveUp,
}

impl Default for RetryPolicy {
    /// Ten attempts over 10 to 20 hours: waits of up to 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 5.7 h, 6 h, 6 h.
    fn default() -> Self {
        Self { attempts_max: 10, first_ms: 5_000, factor: 4, cap_ms: 6 * 60 * 60 * 1_000 }
    }
}

/// What comes after attempt number `attempt`, counted from 1, has failed.
///
/// Equal jitter: half of the wait is kept and `jitter`, from 0 to 1, says how much of the other half is added.
/// With full jitter a wait can be nothing at all, and a few unlucky draws would use the attempts up while the
/// target is still down; with none, everything that failed together comes back together. A target's own
/// `Retry-After` replaces the kept half when it is longer, so it is never undercut and never met in step.
#[must_use]
pub fn next(policy: &RetryPolicy, attempt: u32, retry_after_ms: Option<u64>, jitter: f64) -> Next {
    if attempt >= policy.attempts_max {
        return Next::GiveUp;
    }
    let growth = u64::from(policy.factor).saturating_pow(attempt.saturating_sub(1));
    let half_ms = policy.first_ms.saturating_mul(growth).min(policy.cap_ms) / 2;
    let kept_ms = half_ms.max(retry_after_ms.unwrap_or(0));
    Next::After(kept_ms.saturating_add(share(half_ms, jitter)))
}

/// This part of a number of milliseconds. A jitter outside 0 to 1 counts as the nearer end, none as 0.
fn share(ms: u64, jitter: f64) -> u64 {
    let jitter = if jitter.is_nan() { 0.0 } else { jitter.clamp(0.0, 1.0) };
    // A wait is days at most; above 50 years the float in `mul_f64` would round up past the type's end.
    let ms = ms.min(1 << 40);
    u64::try_from(Duration::from_millis(ms).mul_f64(jitter).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Next::{After, GiveUp};
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy { attempts_max: 5, first_ms: 1_000, factor: 3, cap_ms: 10_000 };

    #[test]
    fn a_wait_grows_to_its_cap_with_half_of_it_left_to_chance() {
        for (attempt, retry_after_ms, jitter, expected) in [
            (1, None, 0.0, After(500)),
            (1, None, 0.5, After(750)),
            (1, None, 1.0, After(1_000)),
            (2, None, 1.0, After(3_000)),
            (3, None, 1.0, After(9_000)),
            (4, None, 0.0, After(5_000)),
            (4, None, 1.0, After(10_000)),
            (5, None, 0.0, GiveUp),
            (6, None, 0.0, GiveUp),
            (u32::MAX, Some(1), 0.0, GiveUp),
            // The first attempt is number 1; a caller that counts from 0 waits no longer for it.
            (0, None, 0.0, After(500)),
            // What the target asks for is never undercut, and may exceed the cap.
            (1, Some(0), 0.0, After(500)),
            (1, Some(499), 0.0, After(500)),
            (1, Some(30_000), 0.0, After(30_000)),
            (1, Some(30_000), 1.0, After(30_500)),
            (1, Some(u64::MAX), 1.0, After(u64::MAX)),
            // Not a number from 0 to 1.
            (1, None, f64::NAN, After(500)),
            (1, None, -3.0, After(500)),
            (1, None, f64::INFINITY, After(1_000)),
        ] {
            let found = next(&POLICY, attempt, retry_after_ms, jitter);
            assert_eq!(found, expected, "attempt {attempt}, {retry_after_ms:?}, jitter {jitter}");
        }
    }

    #[test]
    fn no_policy_overflows() {
        for first_ms in [0, 1, u64::MAX] {
            for factor in [0, 1, u32::MAX] {
                for cap_ms in [0, u64::MAX] {
                    let policy = RetryPolicy { attempts_max: u32::MAX, first_ms, factor, cap_ms };
                    for attempt in [0, 1, 64, u32::MAX - 1] {
                        assert_ne!(next(&policy, attempt, None, 1.0), GiveUp);
                    }
                }
            }
        }
    }

    #[test]
    fn the_default_gives_a_target_ten_to_twenty_hours_to_come_back() {
        let policy = RetryPolicy::default();
        let total_s = |jitter| {
            let waits = (1..).map_while(|attempt| match next(&policy, attempt, None, jitter) {
                After(ms) => Some(ms),
                GiveUp => None,
            });
            waits.sum::<u64>() / 1_000
        };
        assert_eq!((total_s(0.0), total_s(1.0)), (35_252, 70_505));
    }
}
