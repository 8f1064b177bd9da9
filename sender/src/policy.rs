//! The Events API's rules: what counts as delivered, when an event is tried again, when delivery is switched off.
//! Pure; knows nothing of HTTP and of clocks.

use std::time::Duration;

/// How the sender behaves. [`Rules::EVENTS_API`] is what its page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The longest an answer may take, to its last byte.
    pub answer_max: Duration,
    /// How often an event is tried again after its first attempt failed.
    pub retries: u32,
    /// The pause before the first retry; each further one is twice as long. The Events API says "backing off
    /// exponentially" and not from where.
    pub backoff: Duration,
    /// Failed events in a row after which delivery is switched off.
    pub cut_off_after: u32,
    /// How delivery is switched on again.
    pub re_enable: ReEnable,
}

/// How delivery is switched on again once it is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReEnable {
    /// Not at all: the run ends with it.
    Never,
    /// So long after it was switched off, as if a person had noticed then.
    After(Duration),
    /// By [`Hand::enable`](crate::player::Hand::enable); until then the run goes on, and its events are gone.
    ByHand,
}

impl Rules {
    /// <https://asset-management-for-jira.readme.io/reference/using-the-events-api>: 2xx within three seconds, three
    /// retries, off after three consecutive events. The first pause is not published; this is one second.
    pub const EVENTS_API: Self = Self {
        answer_max: Duration::from_secs(3),
        retries: 3,
        backoff: Duration::from_secs(1),
        cut_off_after: 3,
        re_enable: ReEnable::Never,
    };

    /// How long to wait after so many failed attempts at an event; `None` when the event has failed.
    #[must_use]
    pub fn pause_after(&self, attempts: u32) -> Option<Duration> {
        let doublings = attempts.checked_sub(1)?;
        (attempts <= self.retries).then(|| self.backoff.saturating_mul(2_u32.saturating_pow(doublings)))
    }
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A whole answer within the limit.
    Status {
        /// Its status.
        status: u16,
        /// The receipt in its body, where there is one.
        receipt: Option<Box<str>>,
    },
    /// No whole answer within the limit.
    TimedOut,
    /// The connection failed, and how.
    Broken(String),
}

impl Answer {
    /// Whether the sender takes the event for delivered: any 2xx, and nothing else. A redirect is a failure.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Status { status: 200..300, .. })
    }

    /// Its status, or what there was instead: what a tally is kept by.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Status { status, .. } => status.to_string(),
            Self::TimedOut => "timed out".to_owned(),
            Self::Broken(_) => "no connection".to_owned(),
        }
    }
}

/// How an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// One of its attempts was answered with a 2xx.
    Delivered,
    /// All of its attempts failed.
    Failed,
}

/// Whether delivery is on. Events count in the order in which they end: which other order the Events API may mean
/// by "consecutive" when several are on their way is not known.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    failed_in_a_row: u32,
    cut_off_after: u32,
    is_on: bool,
}

impl Switch {
    /// On, with nothing failed yet.
    #[must_use]
    pub const fn new(cut_off_after: u32) -> Self {
        Self { failed_in_a_row: 0, cut_off_after, is_on: true }
    }

    /// Whether events are delivered. Those that come while they are not are gone.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.is_on
    }

    /// An event ended. Gives whether that has just switched delivery off.
    pub fn ended(&mut self, how: Ended) -> bool {
        self.failed_in_a_row = match how {
            Ended::Delivered => 0,
            Ended::Failed => self.failed_in_a_row.saturating_add(1),
        };
        let cuts = self.is_on && self.failed_in_a_row >= self.cut_off_after;
        self.is_on &= !cuts;
        cuts
    }

    /// A person switches delivery on. Failures of before no longer count.
    pub const fn enable(&mut self) {
        self.is_on = true;
        self.failed_in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_tried_again_three_times_and_each_pause_is_twice_the_last() {
        let rules = Rules::EVENTS_API;
        let s = |seconds| Some(Duration::from_secs(seconds));
        for (attempts, pause) in [(1, s(1)), (2, s(2)), (3, s(4)), (4, None), (5, None), (0, None)] {
            assert_eq!(rules.pause_after(attempts), pause, "after {attempts}");
        }
        let rules = Rules { backoff: Duration::from_millis(250), retries: 2, ..Rules::EVENTS_API };
        let ms = |ms| Some(Duration::from_millis(ms));
        for (attempts, pause) in [(1, ms(250)), (2, ms(500)), (3, None)] {
            assert_eq!(rules.pause_after(attempts), pause, "after {attempts}");
        }
        let rules = Rules { backoff: Duration::MAX, retries: u32::MAX, ..Rules::EVENTS_API };
        assert_eq!(rules.pause_after(u32::MAX), Some(Duration::MAX), "no pause overflows");
    }

    #[test]
    fn only_a_2xx_is_a_success() {
        let status = |status| Answer::Status { status, receipt: None };
        for success in [200, 201, 202, 204, 299] {
            assert!(status(success).is_success(), "{success}");
        }
        for failure in [100, 199, 300, 301, 302, 304, 307, 308, 400, 404, 410, 429, 500, 503] {
            assert!(!status(failure).is_success(), "{failure}");
        }
        assert!(!Answer::TimedOut.is_success());
        assert!(!Answer::Broken(String::new()).is_success());
    }

    #[test]
    fn three_failed_events_in_a_row_switch_delivery_off_and_only_a_person_switches_it_on() {
        // f: an event failed; F: one failed and switched delivery off; d: one was delivered; e: a person switches on.
        for course in [
            "ffF",
            "ffdffF",
            "dfdfdffF",
            "ffFddd",
            "ffFfff",
            "ffFeffF",
            "ffFeffdffF",
            "ffeffF",
            "ffFdddffFfff",
        ] {
            let mut switch = Switch::new(3);
            let mut is_on = true;
            for (at, step) in course.chars().enumerate() {
                let cuts = match step {
                    'e' => {
                        switch.enable();
                        false
                    }
                    'd' => switch.ended(Ended::Delivered),
                    _ => switch.ended(Ended::Failed),
                };
                // Off is off: a failure that would switch it off once more does nothing.
                assert_eq!(cuts, step == 'F' && is_on, "{course} at {at}");
                is_on = step == 'e' || (is_on && step != 'F');
                assert_eq!(switch.is_on(), is_on, "{course} at {at}");
            }
        }
    }
}
