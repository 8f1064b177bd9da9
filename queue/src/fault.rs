//! What can go wrong when the queue is asked for something. Knows nothing of HTTP.

use crate::limit;

/// Why the queue did not do as asked. Nothing was changed, unless it is [`QueueError::Storage`], where a
/// restart shows what was kept; a caller then asks again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// No queue has this id.
    #[error("queue not found")]
    NotFound,
    /// No consumer of this queue has this id.
    #[error("consumer not found")]
    ConsumerNotFound,
    /// Another queue has this name.
    #[error("queue name `{0}` is already taken")]
    NameTaken(String),
    /// The name may not be used for a queue.
    #[error("`{0}` cannot name a queue: use 1 to {max} of a-z, A-Z, 0-9, _ and -", max = limit::QUEUE_NAME_BYTES_MAX)]
    NameInvalid(String),
    /// The queue has its one consumer already.
    #[error("queue already has a consumer")]
    ConsumerExists,
    /// A setting of a queue is out of its range.
    #[error("invalid queue settings: {0}")]
    QueueSettings(String),
    /// A setting of a consumer is out of its range.
    #[error("invalid consumer settings: {0}")]
    ConsumerSettings(String),
    /// The queue is paused: `delivery_paused` is set.
    #[error("queue_delivery_paused")]
    Paused,
    /// The queue has no `http_pull` consumer, and the behaviour asks for one.
    #[error("queue has no http_pull consumer: add one first")]
    NotPullable,
    /// A body is longer than [`limit::BODY_BYTES_MAX`].
    #[error("message of {0} bytes is too large: the limit is {max}", max = limit::BODY_BYTES_MAX)]
    MessageTooLarge(usize),
    /// A delay is longer than [`limit::DELAY_S_MAX`].
    #[error("delay of {0} s is too long: the limit is {max} s", max = limit::DELAY_S_MAX)]
    DelayTooLong(u32),
    /// More messages, or none, than one call may carry.
    #[error("{0} messages: one call carries 1 to {max}", max = limit::GROUP_MESSAGES_MAX)]
    GroupSize(usize),
    /// The queue holds as many bytes as it may.
    #[error("the queue's storage limit is reached")]
    StorageLimit,
    /// No more queues fit in this directory.
    #[error("no more than {max} queues", max = limit::QUEUES_MAX)]
    TooManyQueues,
    /// The database failed: a full disk, a broken file. What the call did was rolled back.
    #[error("queue storage failed: {0}")]
    Storage(String),
    /// The queue is shut down.
    #[error("the queue is closed")]
    Closed,
}

impl From<rusqlite::Error> for QueueError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}
