//! The queue as the rest of this process sees it: a handle that turns calls into commands for the writer. Knows
//! nothing of SQL.

use crate::behavior::Behavior;
use crate::catalog::Catalog;
use crate::fault::QueueError;
use crate::id::{ConsumerId, QueueId};
use crate::lease::{Lease, Seal};
use crate::limit;
use crate::message::{AckReport, Metrics, NewMessage, Peeked, Pulled, Reference, Retry};
use crate::record::{Consumer, ConsumerSpec, QueueRecord, QueueSettings};
use crate::schema::{self, OpenError};
use crate::write::{PullSpec, Txn};
use crate::writer::{Call, Command, Durability, Writer};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// Where the time comes from: milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// All queues of one directory. Cheap to clone; the last handle to go ends the writer and waits for it.
///
/// Every answer comes after the commit: what was confirmed survives the death of this process, and a power cut, too. But for
/// leases and how they end: messages that were pulled or acknowledged in the last moments before a power cut come again, as
/// they may from any queue that delivers at least once. Calls that wait at the same time share one commit. A call given up
/// half way (a dropped future) may have been done or not.
#[derive(Clone)]
pub struct Queues {
    inner: Arc<Inner>,
}

struct Inner {
    commands: Option<mpsc::Sender<Box<dyn Command>>>,
    writer: Option<JoinHandle<()>>,
    seal: Seal,
    behavior: Arc<Behavior>,
    clock: Clock,
    commits: Arc<AtomicU64>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the queue's writer panicked");
        }
    }
}

impl Queues {
    /// Opens the queues in a directory, which is made if it is missing, and starts the writer.
    ///
    /// # Errors
    /// [`OpenError`]: among others when another process has the directory open.
    pub fn open(directory: &Path, behavior: Behavior, clock: Clock) -> Result<Self, OpenError> {
        let database = schema::open(directory)?;
        let seal = Seal::new(&database.sealing);
        let catalog = Catalog::load(&database.connection)?;
        let behavior = Arc::new(behavior);
        let commits = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            database,
            catalog,
            behavior: Arc::clone(&behavior),
            clock: Arc::clone(&clock),
            commits: Arc::clone(&commits),
            swept_ms: 0,
            durability: Durability::Synced,
            stale: false,
        };
        let (sender, receiver) = mpsc::channel(limit::COMMANDS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
        let inner = Inner { commands: Some(sender), writer: Some(thread), seal, behavior, clock, commits };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The switches it was opened with.
    #[must_use]
    pub fn behavior(&self) -> &Behavior {
        &self.inner.behavior
    }

    /// What turns leases into text and back.
    #[must_use]
    pub fn seal(&self) -> &Seal {
        &self.inner.seal
    }

    /// Transactions so far that wrote something: far fewer than calls when many wait at once.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.inner.commits.load(Ordering::Relaxed)
    }

    /// Queues 1 to [`limit::GROUP_MESSAGES_MAX`] messages, all or none, and says how much the queue now holds.
    /// Not cancel-safe: a dropped call may have queued them.
    ///
    /// # Errors
    /// When the queue is unknown, a message or a delay is too large, the queue is full, or storage failed.
    pub async fn send(&self, queue: &QueueId, messages: Vec<NewMessage>) -> Result<Metrics, QueueError> {
        let queue = *queue;
        self.call(messages.len(), move |txn| txn.send(queue, &messages)).await
    }

    /// Leases up to `messages_max` messages (at most [`limit::GROUP_MESSAGES_MAX`]) for `visibility_ms`. Empty
    /// when none is ready. Not cancel-safe: a dropped call may have leased them.
    ///
    /// # Errors
    /// When the queue is unknown or paused, or storage failed.
    pub async fn pull(
        &self,
        queue: &QueueId,
        messages_max: usize,
        visibility_ms: u64,
    ) -> Result<Pulled, QueueError> {
        let spec = PullSpec {
            messages_max: Some(messages_max),
            visibility_ms: Some(visibility_ms),
            needs_consumer: false,
        };
        self.pull_with(queue, spec).await
    }

    /// As [`Queues::pull`], with what is `None` taken from the queue's consumer.
    pub(crate) async fn pull_with(&self, queue: &QueueId, spec: PullSpec) -> Result<Pulled, QueueError> {
        let queue = *queue;
        let weight = spec.messages_max.unwrap_or(1);
        self.call_for(Durability::Unsynced, weight, move |txn| txn.pull(queue, spec)).await
    }

    /// Queues messages in the queue of this name. One command, however the name changes hands.
    pub(crate) async fn send_to(
        &self,
        name: String,
        messages: Vec<NewMessage>,
    ) -> Result<Metrics, QueueError> {
        self.call(messages.len(), move |txn| {
            let id = txn.catalog.id_of(&name).ok_or(QueueError::NotFound)?;
            txn.send(id, &messages)
        })
        .await
    }

    /// Ends leases: what is acknowledged is gone, what is retried comes again. A lease that no longer holds
    /// makes a warning and changes nothing (but see [`crate::LateAck`]). Not cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, a delay is too long, or storage failed.
    pub async fn ack(
        &self,
        queue: &QueueId,
        acks: Vec<Lease>,
        retries: Vec<Retry>,
    ) -> Result<AckReport, QueueError> {
        let queue = *queue;
        let weight = acks.len() + retries.len();
        self.call_for(Durability::Unsynced, weight, move |txn| txn.settle(queue, acks, &retries)).await
    }

    /// Waits until a message may be pulled: sent, due after its delay, or free after its lease. Another puller
    /// may be faster, so an empty pull after it is no error. While the queue is paused it waits. Cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown or is deleted meanwhile, or storage failed.
    pub async fn wait_until_ready(&self, queue: &QueueId) -> Result<(), QueueError> {
        let queue = *queue;
        let mut ready = self
            .read(1, move |txn| {
                let entry = txn.catalog.get(queue)?;
                entry.publish(entry.ready_at(txn.db)?);
                Ok(entry.ready.subscribe())
            })
            .await?;
        loop {
            let at = *ready.borrow_and_update();
            let now_ms = (self.inner.clock)().cast_signed();
            let wait = match at {
                Some(at) if at <= now_ms => return Ok(()),
                Some(at) => Duration::from_millis((at - now_ms).cast_unsigned()),
                None => Duration::MAX,
            };
            tokio::select! {
                changed = ready.changed() => changed.map_err(|_| QueueError::NotFound)?,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Ends every lease and every wait after a retry, and says how many. For the queue's only consumer, when it
    /// starts: what it held when it died need not wait for the leases to run out. Not cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, or storage failed.
    pub async fn release(&self, queue: &QueueId) -> Result<usize, QueueError> {
        let queue = *queue;
        self.call(1, move |txn| txn.release(queue)).await
    }

    /// How much a queue holds. Cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, or storage failed.
    pub async fn metrics(&self, queue: &QueueId) -> Result<Metrics, QueueError> {
        let queue = *queue;
        self.read(1, move |txn| txn.metrics(queue)).await
    }

    /// Looks at messages without taking them, those due next first. Cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, or storage failed.
    pub async fn peek(&self, queue: &QueueId, messages_max: usize) -> Result<Vec<Peeked>, QueueError> {
        let queue = *queue;
        self.read(messages_max, move |txn| txn.peek(queue, messages_max)).await
    }

    /// Removes single messages, whoever holds them; gives back those that were not there. Not cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, or storage failed.
    pub async fn purge_messages(
        &self,
        queue: &QueueId,
        references: Vec<Reference>,
    ) -> Result<Vec<Reference>, QueueError> {
        let queue = *queue;
        self.call(references.len(), move |txn| txn.purge_messages(queue, &references)).await
    }

    /// Removes all messages of a queue, leased and delayed ones included. Not cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, or storage failed.
    pub async fn purge(&self, queue: &QueueId) -> Result<QueueRecord, QueueError> {
        let queue = *queue;
        self.call(1, move |txn| txn.purge_queue(queue)).await
    }

    /// All queues, by name. Cancel-safe.
    ///
    /// # Errors
    /// When storage failed.
    pub async fn list(&self) -> Result<Vec<QueueRecord>, QueueError> {
        self.read(1, |txn| Ok(txn.catalog.records())).await
    }

    /// One queue. Cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, or storage failed.
    pub async fn queue(&self, queue: &QueueId) -> Result<QueueRecord, QueueError> {
        let queue = *queue;
        self.read(1, move |txn| Ok(txn.catalog.get(queue)?.record.clone())).await
    }

    /// The id of the queue with this name, if there is one. Cancel-safe.
    ///
    /// # Errors
    /// When storage failed.
    pub async fn find(&self, name: &str) -> Result<Option<QueueId>, QueueError> {
        let name = name.to_owned();
        self.read(1, move |txn| Ok(txn.catalog.id_of(&name))).await
    }

    /// Makes a queue. Not cancel-safe.
    ///
    /// # Errors
    /// When the name is taken or unfit, a setting is out of range, or storage failed.
    pub async fn create(&self, name: &str, settings: QueueSettings) -> Result<QueueRecord, QueueError> {
        let name = name.to_owned();
        self.call(1, move |txn| {
            let id = txn.create_queue(&name, settings)?;
            Ok(txn.catalog.get(id)?.record.clone())
        })
        .await
    }

    /// The queue of this name: if it is missing it is made, with a pull consumer that retries as often as
    /// Cloudflare allows. Its id stays the same across restarts. Not cancel-safe, but may be called again.
    ///
    /// # Errors
    /// When the name is unfit, or storage failed.
    pub async fn ensure_queue(&self, name: &str) -> Result<QueueId, QueueError> {
        let name = name.to_owned();
        self.call(1, move |txn| {
            let id = txn.ensure_queue(&name)?;
            if txn.catalog.get(id)?.record.consumer.is_none() {
                txn.create_consumer(id, ConsumerSpec::http_pull())?;
            }
            Ok(id)
        })
        .await
    }

    /// Changes a queue's settings, and its name if one is given. Not cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, the name is taken or unfit, a setting is out of range, or storage failed.
    pub async fn update(
        &self,
        queue: &QueueId,
        name: Option<String>,
        settings: QueueSettings,
    ) -> Result<QueueRecord, QueueError> {
        let queue = *queue;
        self.call(1, move |txn| txn.update_queue(queue, name, settings)).await
    }

    /// Deletes a queue with all its messages. Not cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown, or storage failed.
    pub async fn delete(&self, queue: &QueueId) -> Result<(), QueueError> {
        let queue = *queue;
        self.call(1, move |txn| txn.delete_queue(queue)).await
    }

    /// Gives a queue its consumer. Its dead letter queue is made if it is missing. Not cancel-safe.
    ///
    /// # Errors
    /// When the queue is unknown or has a consumer, a setting is out of range, or storage failed.
    pub async fn create_consumer(&self, queue: &QueueId, spec: ConsumerSpec) -> Result<Consumer, QueueError> {
        let queue = *queue;
        self.call(1, move |txn| txn.create_consumer(queue, spec)).await
    }

    /// Changes a consumer. Not cancel-safe.
    ///
    /// # Errors
    /// When the queue or the consumer is unknown, a setting is out of range, or storage failed.
    pub async fn update_consumer(
        &self,
        queue: &QueueId,
        consumer: ConsumerId,
        spec: ConsumerSpec,
    ) -> Result<Consumer, QueueError> {
        let queue = *queue;
        self.call(1, move |txn| txn.update_consumer(queue, consumer, spec)).await
    }

    /// Takes a queue's consumer away. Not cancel-safe.
    ///
    /// # Errors
    /// When the queue or the consumer is unknown, or storage failed.
    pub async fn delete_consumer(&self, queue: &QueueId, consumer: ConsumerId) -> Result<(), QueueError> {
        let queue = *queue;
        self.call(1, move |txn| txn.delete_consumer(queue, consumer)).await
    }

    /// This changes nothing.
    async fn read<T, F>(&self, weight: usize, work: F) -> Result<T, QueueError>
    where
        F: FnOnce(&mut Txn<'_>) -> Result<T, QueueError> + Send + 'static,
        T: Send + 'static,
    {
        self.call_for(Durability::Unsynced, weight, work).await
    }

    /// What this does survives a power cut once it is answered.
    async fn call<T, F>(&self, weight: usize, work: F) -> Result<T, QueueError>
    where
        F: FnOnce(&mut Txn<'_>) -> Result<T, QueueError> + Send + 'static,
        T: Send + 'static,
    {
        self.call_for(Durability::Synced, weight, work).await
    }

    async fn call_for<T, F>(&self, durability: Durability, weight: usize, work: F) -> Result<T, QueueError>
    where
        F: FnOnce(&mut Txn<'_>) -> Result<T, QueueError> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Call { durability, weight: weight.max(1), work: Some(work), result: None, reply };
        let commands = self.inner.commands.as_ref().ok_or(QueueError::Closed)?;
        commands.send(Box::new(call)).await.map_err(|_| QueueError::Closed)?;
        answer.await.map_err(|_| QueueError::Closed)?
    }
}
