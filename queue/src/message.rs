//! Messages on their way in and out, as bytes. Knows nothing of JSON, HTTP or the database.

use crate::id::MessageId;
use crate::lease::Lease;
use bytes::Bytes;

/// How a body is to be read; the queue itself never looks inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// UTF-8 text.
    Text,
    /// JSON.
    Json,
    /// Any bytes.
    Bytes,
    /// A value serialised by V8: only a Worker can read it.
    V8,
}

impl ContentType {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Bytes => "bytes",
            Self::V8 => "v8",
        }
    }

    /// The type of this name on the wire, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Text, Self::Json, Self::Bytes, Self::V8].into_iter().find(|kind| kind.name() == name)
    }
}

/// By which door a message came in: shown to consumers as `CF-sourceMessageSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// A Worker's binding, or this process.
    Worker,
    /// The REST API.
    Api,
}

impl Producer {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Api => "api",
        }
    }
}

/// A message to be queued.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The body, kept as it is; at most [`crate::limit::BODY_BYTES_MAX`] bytes.
    pub body: Bytes,
    /// How the body is to be read.
    pub content_type: ContentType,
    /// Seconds until it may be pulled; `None` takes the queue's `delivery_delay`.
    pub delay_s: Option<u32>,
    /// By which door it came.
    pub producer: Producer,
}

impl NewMessage {
    /// A text message with the queue's own delay.
    #[must_use]
    pub fn text(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), content_type: ContentType::Text, delay_s: None, producer: Producer::Worker }
    }
}

/// A message under lease.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id, for logs.
    pub id: MessageId,
    /// What an acknowledgement or a retry must show.
    pub lease: Lease,
    /// When it was published, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// How many times it was delivered, this time included, counted as
    /// [`crate::Behavior::first_attempt`] says.
    pub attempts: u32,
    /// How the body is to be read.
    pub content_type: ContentType,
    /// By which door it came.
    pub producer: Producer,
    /// The body.
    pub body: Bytes,
}

/// A message looked at without a lease.
#[derive(Clone, Debug)]
pub struct Peeked {
    /// Its id, for logs.
    pub id: MessageId,
    /// Names the message in a purge; good as long as the message is in this queue.
    pub reference: Reference,
    /// When it was published, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// How many times it was delivered so far.
    pub attempts: u32,
    /// How the body is to be read.
    pub content_type: ContentType,
    /// By which door it came.
    pub producer: Producer,
    /// The body.
    pub body: Bytes,
}

/// Names one message in one queue, whoever holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    pub(crate) key: i64,
}

/// How much waits in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Messages in the queue, those under lease or delay included.
    pub backlog_count: u64,
    /// Bytes of their bodies.
    pub backlog_bytes: u64,
    /// When the oldest was published, in milliseconds since 1970; 0 when the queue is empty.
    pub oldest_message_timestamp_ms: u64,
}

/// What a pull gave.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The messages now under lease; empty when none is ready.
    pub messages: Vec<Message>,
    /// What the queue holds, these messages included.
    pub metrics: Metrics,
}

/// A message to be delivered again.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The lease it is held under.
    pub lease: Lease,
    /// Seconds until it may be pulled; `None` takes the consumer's `retry_delay`.
    pub delay_s: Option<u32>,
}

/// What became of acknowledgements and retries.
#[derive(Clone, Debug, Default)]
pub struct AckReport {
    /// Acknowledgements taken.
    pub acks: usize,
    /// Retries taken.
    pub retries: usize,
    /// Leases that no longer held, each with the reason: these changed nothing, unless
    /// [`crate::LateAck::Accepted`] says that they count.
    pub warnings: Vec<(Lease, LeaseWarning)>,
}

/// Why a lease was of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseWarning {
    /// Its time had passed.
    #[error("lease has expired")]
    Expired,
    /// The message is gone, or was delivered again under another lease.
    #[error("lease is no longer held: the message is gone or was delivered again")]
    NotHeld,
}
