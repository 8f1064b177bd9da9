//! The embedded queue in this process, without HTTP between. Knows nothing of how it keeps its messages.

use super::{Delivery, DeliveryBody, End, Held, Lease, PollHint, Pulled, Queue, QueueError, Settle};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;
use tidegate_queue::limit::GROUP_MESSAGES_MAX;
use tidegate_queue::{ContentType, Message, QueueError as Fault, QueueId, Queues, Retry};
use tokio::time::timeout;

/// How long a pull waits for a message before it comes back with none.
const WAIT: Duration = Duration::from_secs(20);

/// How long a paused queue is left alone: somebody will resume it.
const PAUSED_AFTER: Duration = Duration::from_secs(10);

/// One queue of the embedded queues.
#[derive(Clone)]
pub struct EmbeddedQueue {
    queues: Queues,
    queue: QueueId,
    visibility_timeout_ms: u64,
}

impl EmbeddedQueue {
    /// The queue of this id, with leases of this many milliseconds.
    #[must_use]
    pub const fn new(queues: Queues, queue: QueueId, visibility_timeout_ms: u64) -> Self {
        Self { queues, queue, visibility_timeout_ms }
    }

    async fn pull_now(&self, max: usize) -> Result<Pulled, QueueError> {
        let pulled = self.queues.pull(&self.queue, max, self.visibility_timeout_ms).await;
        let pulled = pulled.map_err(|fault| refuse(fault, "pull from the embedded queue"))?;
        Ok(Pulled {
            again: if pulled.messages.is_empty() { PollHint::Idle } else { PollHint::Now },
            backlog: Some(pulled.metrics.backlog_count),
            deliveries: pulled.messages.into_iter().map(delivery).collect(),
        })
    }
}

impl Queue for EmbeddedQueue {
    async fn pull(&self, max: usize) -> Result<Pulled, QueueError> {
        let max = max.min(GROUP_MESSAGES_MAX);
        if max == 0 {
            return Ok(Pulled { deliveries: vec![], backlog: None, again: PollHint::Idle });
        }
        // Under load there is something nearly always, so waiting is not asked for first.
        let pulled = self.pull_now(max).await?;
        if !pulled.deliveries.is_empty() {
            return Ok(pulled);
        }
        match timeout(WAIT, self.queues.wait_until_ready(&self.queue)).await {
            // Another puller may be faster; then this one comes back with none and the wait that goes with it.
            Ok(Ok(())) => self.pull_now(max).await,
            Ok(Err(fault)) => Err(refuse(fault, "wait for the embedded queue")),
            Err(_) => Ok(Pulled { again: PollHint::Now, ..pulled }),
        }
    }

    async fn settle(&self, settled: Vec<Settle>) -> Result<(), QueueError> {
        let mut acks = vec![];
        let mut retries = vec![];
        for Settle { lease, end } in settled {
            let Held::Embedded(lease) = lease.0 else {
                panic!("a delivery is settled at the queue that made it");
            };
            match end {
                End::Ack => acks.push(lease),
                End::Retry(_) => retries.push(Retry {
                    lease,
                    delay_s: end.delay_s().and_then(|delay_s| u32::try_from(delay_s).ok()),
                }),
            }
        }
        if acks.is_empty() && retries.is_empty() {
            return Ok(());
        }
        let report = self.queues.ack(&self.queue, acks, retries).await;
        let report = report.map_err(|fault| refuse(fault, "settle with the embedded queue"))?;
        if let Some((_, first)) = report.warnings.first() {
            tracing::warn!(count = report.warnings.len(), %first, "the queue did not take some leases");
        }
        Ok(())
    }
}

fn delivery(message: Message) -> Delivery {
    Delivery {
        lease: Lease(Held::Embedded(message.lease)),
        attempts: message.attempts,
        queued_at_ms: message.timestamp_ms,
        body: body(message.content_type, message.body.into()),
    }
}

fn body(content_type: ContentType, bytes: Vec<u8>) -> DeliveryBody {
    let undecodable = |reason: &str, bytes: &[u8]| DeliveryBody::Undecodable {
        reason: reason.to_owned(),
        raw: STANDARD.encode(bytes),
    };
    match content_type {
        ContentType::V8 => undecodable("a body of content type `v8` cannot be read outside a Worker", &bytes),
        ContentType::Text | ContentType::Json | ContentType::Bytes => match String::from_utf8(bytes) {
            Ok(text) => DeliveryBody::Text(text),
            Err(error) => undecodable("the body is not UTF-8 text", error.as_bytes()),
        },
    }
}

fn refuse(fault: Fault, doing: &'static str) -> QueueError {
    let after = match fault {
        Fault::Paused => Some(PAUSED_AFTER),
        _ => None,
    };
    let is_passing = matches!(fault, Fault::Paused | Fault::Storage(_) | Fault::StorageLimit);
    let cause = anyhow::Error::new(fault).context(doing);
    if is_passing { QueueError::Transient { after, cause } } else { QueueError::Permanent { cause } }
}
