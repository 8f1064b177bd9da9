//! What Cloudflare leaves undocumented, as switches. Each default is the choice that makes a client which
//! works here work there, or the one its own docs state most plainly.

use serde::{Deserialize, Serialize};

/// The switches. `Behavior::default()` is what `tidegate` ships with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behavior {
    /// How a JSON body reads in a pull. Default [`JsonBody::Base64`]: the docs' text says so, though both
    /// shapes have been seen in production.
    pub json_body: JsonBody,
    /// What an acknowledgement or retry under an expired lease does. Default [`LateAck::UntilRedelivered`].
    pub late_ack: LateAck,
    /// What `attempts` says at the first delivery. Default [`FirstAttempt::One`], as documented for push
    /// consumers.
    pub first_attempt: FirstAttempt,
    /// What `max_retries` counts. Default [`RetryCount::Retries`]: the price list's example fails on the fourth
    /// delivery with three retries, and workerd's own queue counts so too.
    pub retry_count: RetryCount,
    /// Whether a dead-lettered message keeps its id and timestamp. Default [`DeadLetterIdentity::Kept`], as in
    /// workerd's own queue. Retention starts anew either way.
    pub dead_letter_identity: DeadLetterIdentity,
    /// HTTP status of a message or batch over its size. Default [`Oversize::BadRequest`]: clients should look at
    /// the error's code.
    pub oversize: Oversize,
    /// What a pull from a queue without an `http_pull` consumer gets. Default [`PullWithoutConsumer::Refused`]
    /// with 405, as users report.
    pub pull_without_consumer: PullWithoutConsumer,
    /// Most acknowledgements and retries in one request. Default 100, the size every known client keeps to.
    pub ack_entries_max: usize,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            json_body: JsonBody::Base64,
            late_ack: LateAck::UntilRedelivered,
            first_attempt: FirstAttempt::One,
            retry_count: RetryCount::Retries,
            dead_letter_identity: DeadLetterIdentity::Kept,
            oversize: Oversize::BadRequest,
            pull_without_consumer: PullWithoutConsumer::Refused,
            ack_entries_max: 100,
        }
    }
}

/// How a JSON body reads in a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonBody {
    /// Base64 of the JSON text.
    Base64,
    /// The JSON text itself.
    Plain,
}

/// What a lease is good for after its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateAck {
    /// Always good: the message is gone even if another consumer holds it ("Queues will still accept that
    /// acknowledgment").
    Accepted,
    /// Good until the message is delivered again: nobody else is disturbed, and fewer messages come twice.
    UntilRedelivered,
    /// Good for nothing ("no longer valid once this timeout has been reached").
    Refused,
}

/// What `attempts` says at the first delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstAttempt {
    /// It starts at 0.
    Zero,
    /// It starts at 1.
    One,
}

/// What `max_retries` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryCount {
    /// Deliveries after the first: 3 makes four deliveries.
    Retries,
    /// All deliveries: 3 makes three; 0 still makes one.
    Deliveries,
}

/// Whether a dead-lettered message is the same message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterIdentity {
    /// It keeps its id and timestamp.
    Kept,
    /// It gets new ones.
    New,
}

/// HTTP status of a message or batch over its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oversize {
    /// 400.
    BadRequest,
    /// 413.
    PayloadTooLarge,
}

/// What a pull from a queue without an `http_pull` consumer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullWithoutConsumer {
    /// An error with status 405.
    Refused,
    /// Messages, as if there were one with all defaults.
    Allowed,
}

impl Behavior {
    /// Deliveries a message gets under this `max_retries`.
    pub(crate) fn deliveries_max(&self, retries_max: u32) -> u32 {
        match self.retry_count {
            RetryCount::Retries => retries_max.saturating_add(1),
            RetryCount::Deliveries => retries_max.max(1),
        }
    }

    /// What `attempts` says for this delivery, the first being 1.
    pub(crate) fn attempts_shown(&self, deliveries: u32) -> u32 {
        match self.first_attempt {
            FirstAttempt::Zero => deliveries.saturating_sub(1),
            FirstAttempt::One => deliveries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_and_deliveries_differ_by_the_first_one() {
        let retries = Behavior::default();
        let deliveries = Behavior { retry_count: RetryCount::Deliveries, ..Behavior::default() };
        assert_eq!([0, 3].map(|n| retries.deliveries_max(n)), [1, 4]);
        assert_eq!([0, 3].map(|n| deliveries.deliveries_max(n)), [1, 3]);
    }
}
