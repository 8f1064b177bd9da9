//! A durable queue on one SQLite file. It speaks Cloudflare's pull contract, so that clients written for
//! Cloudflare Queues work against it unchanged, and workerd's queue-binding protocol, so that a built Worker
//! does. It knows nothing of what the messages mean.

mod behavior;
mod binding;
mod catalog;
pub mod conform;
mod engine;
mod fault;
mod id;
mod lease;
pub mod limit;
mod message;
mod record;
mod rest;
mod schema;
mod server;
mod write;
mod writer;

pub use behavior::{
    Behavior, DeadLetterIdentity, FirstAttempt, JsonBody, LateAck, Oversize, PullWithoutConsumer, RetryCount,
};
pub use engine::{Clock, Queues, system_clock};
pub use fault::QueueError;
pub use id::{ConsumerId, IdError, MessageId, QueueId};
pub use lease::{Lease, Seal};
pub use message::{
    AckReport, ContentType, LeaseWarning, Message, Metrics, NewMessage, Peeked, Producer, Pulled, Reference,
    Retry,
};
pub use record::{Consumer, ConsumerKind, ConsumerSettings, ConsumerSpec, QueueRecord, QueueSettings};
pub use schema::OpenError;
pub use server::{ServeError, ServeOptions, Server};
