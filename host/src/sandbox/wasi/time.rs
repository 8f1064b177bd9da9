//! The clocks a plugin sees: they stand still but for what it sleeps, and a sleep ends at once. Knows nothing of wasm.

/// Nanoseconds in a millisecond.
const NS_PER_MS: u64 = 1_000_000;
/// Nanoseconds in a second.
const NS_PER_S: u64 = 1_000_000_000;

/// Both clocks.
#[derive(Debug)]
pub(super) struct Time {
    /// When the event was received, in milliseconds since the Unix epoch: what the wall clock says at first.
    received_at_ms: u64,
    /// What was slept, in nanoseconds: what the monotonic clock says.
    slept_ns: u64,
}

/// When something is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Whenever it is asked.
    Always,
    /// Once the monotonic clock says this, in nanoseconds.
    At(u64),
}

impl Time {
    pub(super) const fn new(received_at_ms: u64) -> Self {
        Self { received_at_ms, slept_ns: 0 }
    }

    /// The monotonic clock, in nanoseconds.
    pub(super) const fn monotonic_ns(&self) -> u64 {
        self.slept_ns
    }

    /// The wall clock: seconds since the Unix epoch, and nanoseconds.
    pub(super) fn wall(&self) -> (u64, u32) {
        let ns = (self.received_at_ms % 1_000) * NS_PER_MS + self.slept_ns % NS_PER_S;
        let seconds = self.received_at_ms / 1_000 + self.slept_ns / NS_PER_S + ns / NS_PER_S;
        (seconds, u32::try_from(ns % NS_PER_S).expect("under a second"))
    }

    /// When a sleep of this length that begins now ends.
    pub(super) const fn after(&self, ns: u64) -> Ready {
        Ready::At(self.slept_ns.saturating_add(ns))
    }

    pub(super) const fn is_ready(&self, ready: Ready) -> bool {
        match ready {
            Ready::Always => true,
            Ready::At(ns) => ns <= self.slept_ns,
        }
    }

    /// Moves on to when the first of these is ready.
    pub(super) fn wait_for(&mut self, all: &[Ready]) {
        let soonest = all.iter().map(|ready| match ready {
            Ready::Always => 0,
            Ready::At(ns) => *ns,
        });
        self.slept_ns = self.slept_ns.max(soonest.min().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_moves_both_clocks_on_by_its_length() {
        let mut time = Time::new(1_668_143_107_999);
        assert_eq!((time.monotonic_ns(), time.wall()), (0, (1_668_143_107, 999_000_000)));
        time.wait_for(&[time.after(1_500_000)]);
        assert_eq!((time.monotonic_ns(), time.wall()), (1_500_000, (1_668_143_108, 500_000)));
        time.wait_for(&[time.after(3_600 * NS_PER_S)]);
        assert_eq!(time.wall(), (1_668_146_708, 500_000));
    }

    #[test]
    fn whoever_waits_for_several_waits_for_the_first() {
        let mut time = Time::new(0);
        time.wait_for(&[Ready::At(5), Ready::At(3)]);
        assert_eq!(time.monotonic_ns(), 3);
        assert!(time.is_ready(Ready::At(3)) && !time.is_ready(Ready::At(5)));
        time.wait_for(&[Ready::At(9), Ready::Always]);
        assert_eq!(time.monotonic_ns(), 3, "one was ready already");
        time.wait_for(&[Ready::At(1)]);
        assert_eq!(time.monotonic_ns(), 3, "it never goes back");
    }

    #[test]
    fn the_end_of_time_does_not_wrap() {
        let mut time = Time::new(u64::MAX);
        time.wait_for(&[time.after(u64::MAX)]);
        time.wait_for(&[time.after(u64::MAX)]);
        assert_eq!(time.monotonic_ns(), u64::MAX);
        assert!(time.wall().1 < 1_000_000_000);
    }
}
