//! The seam to the queue: deliveries come under a lease and are settled. Knows nothing of what is in them.

pub mod embedded;
pub mod errands;
pub mod rest;

use std::future::Future;
use std::time::Duration;

/// Seconds in the longest delay of a retry: 24 hours
/// (<https://developers.cloudflare.com/queues/platform/limits/>).
const DELAY_S_MAX: u64 = 24 * 60 * 60;

/// A queue the host pulls from. Every adapter passes the contract suite in `tests/queue.rs`.
pub trait Queue: Send + Sync + 'static {
    /// Takes up to `max` deliveries under lease. Called whenever there are free permits, for no more than those.
    /// Long waits are the adapter's: this resolves as soon as something is there, or with an empty list when it
    /// is time to ask again.
    ///
    /// Cancel-safe: what a cancelled pull had taken is delivered again when its leases expire.
    fn pull(&self, max: usize) -> impl Future<Output = Result<Pulled, QueueError>> + Send;

    /// Tells the queue what became of deliveries. Called once per batch, after it was committed. What is not
    /// settled, for an error or a lease that expired, is delivered again.
    ///
    /// Cancel-safe: settled or not, a repeat is a duplicate and known as one.
    fn settle(&self, settled: Vec<Settle>) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// What a pull gave.
#[derive(Debug)]
pub struct Pulled {
    /// Now under lease; empty when nothing is ready.
    pub deliveries: Vec<Delivery>,
    /// How many the queue holds, by its own account: approximate, and `None` when it does not say.
    pub backlog: Option<u64>,
    /// When to pull again.
    pub again: PollHint,
}

/// When to pull again; [`crate::poll::next`] makes a wait of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollHint {
    /// At once: there is more, or the queue itself waits for more.
    Now,
    /// After a wait: the queue answers at once, whether or not it has something.
    Idle,
}

/// One message under lease.
#[derive(Debug)]
pub struct Delivery {
    /// The right to settle it.
    pub lease: Lease,
    /// Which time it is delivered, as the queue counts: most from 1.
    pub attempts: u32,
    /// When it was queued, in milliseconds since the Unix epoch; 0 when the queue does not say.
    pub queued_at_ms: u64,
    /// What the message says.
    pub body: DeliveryBody,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryBody {
    /// Text: what the edge sends.
    Text(String),
    /// Something that cannot be read as text: to be parked, not dropped.
    Undecodable {
        /// Why.
        reason: String,
        /// The body as the queue gave it.
        raw: String,
    },
}

/// The right to settle one delivery. What you do not hold you cannot settle: it is made by an adapter, cannot
/// be cloned, and is used up.
#[derive(Debug)]
#[must_use = "a delivery that is not settled is delivered again"]
pub struct Lease(Held);

/// What stands for a lease at the queue that gave it.
#[derive(Debug)]
enum Held {
    Text(String),
    Embedded(tidegate_queue::Lease),
}

/// A delivery's end.
#[derive(Debug)]
#[must_use = "the queue does not know until it is told"]
pub struct Settle {
    lease: Lease,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Ack,
    Retry(Duration),
}

impl Lease {
    /// The lease that this text stands for at the queue that gave it. For a queue outside this crate.
    pub const fn new(text: String) -> Self {
        Self(Held::Text(text))
    }

    /// Done with: the queue forgets it.
    pub const fn ack(self) -> Settle {
        Settle { lease: self, end: End::Ack }
    }

    /// To be delivered again, not before `delay` (whole seconds, rounded up, a day at most). No delay leaves it
    /// to the queue's own setting, which is at once unless the operator set one.
    pub const fn retry(self, delay: Duration) -> Settle {
        Settle { lease: self, end: End::Retry(delay) }
    }
}

impl Settle {
    /// The text of its lease, and whether it is done with. For a queue outside this crate.
    ///
    /// # Panics
    /// When the embedded queue gave the lease: a delivery is settled at the queue that made it.
    #[must_use]
    pub fn into_parts(self) -> (String, bool) {
        let Held::Text(text) = self.lease.0 else {
            panic!("a delivery is settled at the queue that made it")
        };
        (text, self.end == End::Ack)
    }
}

impl End {
    /// When it is to be delivered again; not at all when it is done with.
    const fn delay(self) -> Option<Duration> {
        match self {
            Self::Ack => None,
            Self::Retry(delay) => Some(delay),
        }
    }

    /// Seconds of delay as queues take them: from 1 to [`DELAY_S_MAX`], or none.
    fn delay_s(self) -> Option<u64> {
        match self {
            Self::Ack => None,
            Self::Retry(delay) => {
                let whole_s = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
                (whole_s > 0).then(|| whole_s.min(DELAY_S_MAX))
            }
        }
    }
}

/// Why the queue did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// It may next time. Deliveries that were not settled come again.
    #[error("{cause:#}")]
    Transient {
        /// Not before this time has passed, when the queue said so.
        after: Option<Duration>,
        /// What happened.
        cause: anyhow::Error,
    },
    /// It will not until somebody changes something.
    #[error("{cause:#}")]
    Permanent {
        /// What happened, and what to check.
        cause: anyhow::Error,
    },
}
