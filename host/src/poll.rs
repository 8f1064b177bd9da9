//! How long to wait between two pulls. Pure: knows nothing of queues or clocks.

use crate::queue::PollHint;

/// The bounds of the wait between two pulls. Cloudflare answers a pull at once and bills it, empty or not
/// (<https://developers.cloudflare.com/queues/platform/pricing/>), so an idle queue is asked ever less often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollPolicy {
    /// The wait while there is work, in milliseconds.
    pub busy_ms: u64,
    /// The longest wait, in milliseconds: how late the first event after a quiet time may be pulled.
    pub idle_ms: u64,
    /// How many times longer the wait is after each empty pull.
    pub factor: u32,
}

impl Default for PollPolicy {
    /// 250 ms to 30 s, twice as long after each empty pull: eight empty pulls from busy to idle, and some
    /// 86,000 billed ones a month while idle.
    fn default() -> Self {
        Self { busy_ms: 250, idle_ms: 30_000, factor: 2 }
    }
}

impl PollPolicy {
    /// That of each of so many hosts which pull from the same queue: while it is idle, all together ask as often as one would.
    #[must_use]
    pub fn shared_by(self, pullers: usize) -> Self {
        let pullers = u64::try_from(pullers).unwrap_or(u64::MAX).max(1);
        Self { idle_ms: self.idle_ms.saturating_mul(pullers), ..self }
    }
}

/// The wait before the next pull, in milliseconds, given the wait before the last one and what that gave.
#[must_use]
pub fn next(policy: &PollPolicy, last_ms: u64, pulled: usize, hint: PollHint) -> u64 {
    match (hint, pulled) {
        (PollHint::Now, _) => 0,
        (PollHint::Idle, 1..) => policy.busy_ms.min(policy.idle_ms),
        (PollHint::Idle, 0) if last_ms < policy.busy_ms => policy.busy_ms.min(policy.idle_ms),
        (PollHint::Idle, 0) => last_ms.saturating_mul(u64::from(policy.factor.max(1))).min(policy.idle_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::PollHint::{Idle, Now};
    use super::*;

    #[test]
    fn several_hosts_together_ask_an_idle_queue_as_often_as_one() {
        let policy = PollPolicy::default();
        assert_eq!(policy.shared_by(1), policy);
        assert_eq!(policy.shared_by(4), PollPolicy { idle_ms: 120_000, ..policy });
    }

    #[test]
    fn an_idle_queue_is_asked_less_and_less_and_a_busy_one_at_once() {
        let policy = PollPolicy::default();
        for (last_ms, pulled, hint, expected_ms) in [
            (0, 100, Now, 0),
            (30_000, 0, Now, 0),
            (0, 3, Idle, 250),
            (30_000, 1, Idle, 250),
            (0, 0, Idle, 250),
            (250, 0, Idle, 500),
            (500, 0, Idle, 1_000),
            (16_000, 0, Idle, 30_000),
            (30_000, 0, Idle, 30_000),
            (u64::MAX, 0, Idle, 30_000),
        ] {
            let found = next(&policy, last_ms, pulled, hint);
            assert_eq!(found, expected_ms, "after {last_ms} ms, {pulled} pulled, {hint:?}");
        }
    }

    #[test]
    fn the_wait_doubles_from_busy_to_idle() {
        let policy = PollPolicy::default();
        let waits: Vec<u64> =
            std::iter::successors(Some(policy.busy_ms), |last| Some(next(&policy, *last, 0, Idle)))
                .take_while(|wait| *wait < policy.idle_ms)
                .collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000]);
    }

    #[test]
    fn a_policy_that_never_grows_still_waits() {
        let policy = PollPolicy { busy_ms: 100, idle_ms: 50, factor: 0 };
        assert_eq!(next(&policy, 50, 0, Idle), 50);
        assert_eq!(next(&policy, 0, 1, Idle), 50);
    }
}
