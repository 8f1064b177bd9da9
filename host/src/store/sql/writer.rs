//! The one thread that writes. It takes all batches that wait and makes one transaction of them, so that
//! many callers share one flush of the disk, and writes them in the order they came in. Knows nothing of what a batch
//! is made of.

use super::database::{Connection, TakenOver};
use super::write;
use crate::partition::Partitions;
use crate::plugin::Version;
use crate::store::group::Change;
use crate::store::{Batch, RETRY, StoreError, Submitted};
use anyhow::Context as _;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot};

/// What shares one transaction at most, so that the first does not wait too long: so many batches, of so many events. What came
/// of an effect is a batch of its own, and small.
const BATCHES_PER_TRANSACTION_MAX: usize = 256;
const EVENTS_PER_TRANSACTION_MAX: usize = 1_600;

/// The longest wait before a write that failed is tried again: hosts that share a database take what another has when it has
/// not come back a little later.
const WAIT_MAX: Duration = Duration::from_secs(2);

pub(super) struct Writer {
    batches: mpsc::Sender<Waiting>,
    /// Batches that were handed over and must be written. Locked while one is: tickets are in the order of batches.
    tickets: Mutex<u64>,
    /// The ticket up to which all is durable.
    durable: Arc<AtomicU64>,
}

struct Waiting {
    batch: Batch,
    answer: Answer,
}

/// What was written goes back to who made it, to be freed there: this thread's time is everybody's.
enum Answer {
    /// The caller can do without it: it hears of the first failure.
    May(oneshot::Sender<Result<Batch, StoreError>>),
    /// It is tried until it is written.
    Must { ticket: u64, tell: oneshot::Sender<Batch> },
    /// There is nothing to write; when all before is written, partitions are claimed or released.
    Hold { change: Change, tell: oneshot::Sender<Result<Partitions, StoreError>> },
}

impl Answer {
    /// Tells a caller who can do without it that it was not done; the others are given back. The caller may have gone: then
    /// nobody is told.
    fn refuse(self, error: &anyhow::Error) -> Option<Self> {
        let error = StoreError(anyhow::anyhow!("{error:#}"));
        match self {
            Self::May(tell) => drop(tell.send(Err(error))),
            Self::Hold { tell, .. } => drop(tell.send(Err(error))),
            must @ Self::Must { .. } => return Some(must),
        }
        None
    }
}

impl Writer {
    /// Starts the thread; it ends when the last handle is gone and all that was handed over is written.
    pub(super) fn start(db: Box<dyn Connection>, batches_waiting_max: usize) -> anyhow::Result<Self> {
        let (writer, thread) = Self::halves(db, batches_waiting_max);
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || thread.run())
            .context("start the store's writer")?;
        Ok(writer)
    }

    /// Without a thread: what was handed over is written when the other half is told to.
    pub(super) fn in_steps(db: Box<dyn Connection>, batches_waiting_max: usize) -> (Self, Disk) {
        let (writer, thread) = Self::halves(db, batches_waiting_max);
        (writer, Disk(thread))
    }

    fn halves(db: Box<dyn Connection>, batches_waiting_max: usize) -> (Self, Thread) {
        let (batches, receiver) = mpsc::channel::<Waiting>(batches_waiting_max);
        let durable = Arc::new(AtomicU64::new(0));
        let thread = Thread {
            db,
            versions: HashMap::new(),
            receiver,
            waiting: VecDeque::new(),
            durable: Arc::clone(&durable),
        };
        (Self { batches, tickets: Mutex::new(0), durable }, thread)
    }

    pub(super) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        self.batches.send(Waiting { batch, answer: Answer::May(tell) }).await.map_err(|_| stopped())?;
        told.await.map_err(|_| stopped())?.map(drop)
    }

    pub(super) async fn submit(&self, batch: Batch) -> Result<Submitted, StoreError> {
        let mut tickets = self.tickets.lock().await;
        let ticket = *tickets + 1;
        let (tell, submitted) = Submitted::new(ticket);
        let answer = Answer::Must { ticket, tell };
        self.batches.send(Waiting { batch, answer }).await.map_err(|_| stopped())?;
        *tickets = ticket;
        Ok(submitted)
    }

    pub(super) async fn hold(&self, change: Change) -> Result<Partitions, StoreError> {
        let (tell, told) = oneshot::channel();
        let waiting = Waiting { batch: Batch::default(), answer: Answer::Hold { change, tell } };
        self.batches.send(waiting).await.map_err(|_| stopped())?;
        told.await.map_err(|_| stopped())?
    }

    /// Resolves when nothing will be written any more. Cancel-safe.
    pub(super) async fn ended(&self) {
        self.batches.closed().await;
    }

    /// Writes nothing, so that the database sees that this host is there. Blocks. Says whether the writer is there.
    pub(super) fn touch(&self) -> bool {
        let (tell, told) = oneshot::channel();
        let nothing = Waiting { batch: Batch::default(), answer: Answer::May(tell) };
        self.batches.blocking_send(nothing).is_ok() && told.blocking_recv().is_ok()
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }
}

fn stopped() -> StoreError {
    StoreError(anyhow::anyhow!("the store's writer has stopped"))
}

/// Writes for a store that starts no thread, when its owner says so: between two writes the host can be made to die, and what
/// was handed over and not written is gone with this.
pub struct Disk(Thread);

impl Disk {
    /// Waits until something was handed over that is not written; says no when nobody is left who could, or another host has
    /// taken the database over.
    ///
    /// Cancel-safe.
    pub async fn wait(&mut self) -> bool {
        let Thread { waiting, receiver, .. } = &mut self.0;
        if waiting.is_empty() {
            waiting.extend(receiver.recv().await);
        }
        !waiting.is_empty()
    }

    /// Writes what was handed over, and says how many batches that was.
    ///
    /// # Errors
    /// When a batch that must be written cannot be: it and those behind it that must be still wait.
    pub fn write(&mut self) -> anyhow::Result<usize> {
        self.0.write()
    }
}

struct Thread {
    db: Box<dyn Connection>,
    versions: HashMap<Version, i64>,
    receiver: mpsc::Receiver<Waiting>,
    /// Taken and not written, in order.
    waiting: VecDeque<Waiting>,
    durable: Arc<AtomicU64>,
}

impl Thread {
    fn run(mut self) {
        let mut wait = RETRY.0;
        while self.fill() {
            match self.write_together().or_else(|_| self.write_one_by_one()) {
                Ok(()) => wait = RETRY.0,
                Err(error) if error.is::<TakenOver>() => {
                    tracing::error!(waiting = self.waiting.len(), "stopped: {error:#}");
                    return;
                }
                Err(error) => {
                    let waiting = self.waiting.len();
                    tracing::error!(waiting, "failed to record, will try again in {wait:?}: {error:#}");
                    // Nothing tells when the disk has room again; this thread does nothing else.
                    std::thread::park_timeout(wait);
                    wait = (wait * 2).min(WAIT_MAX);
                    self.turn_away(&error);
                    if self.receiver.is_closed() && self.receiver.is_empty() {
                        tracing::error!(waiting, "stopped with a store that cannot be written");
                        return;
                    }
                }
            }
        }
    }

    /// Writes what has come, once.
    fn write(&mut self) -> anyhow::Result<usize> {
        self.fill_up();
        let batches = self.waiting.len();
        let written = self.write_together().or_else(|_| self.write_one_by_one());
        match &written {
            Err(error) if error.is::<TakenOver>() => self.stop(),
            Err(error) => self.turn_away(error),
            Ok(()) => {}
        }
        written.map(|()| batches)
    }

    /// Whoever waits for something to be written hears that it will not be.
    fn stop(&mut self) {
        self.receiver.close();
        while self.receiver.try_recv().is_ok() {}
        self.waiting.clear();
    }

    /// Takes what has come; waits for the first when there is none. Says whether there is any.
    fn fill(&mut self) -> bool {
        if self.waiting.is_empty() {
            let Some(first) = self.receiver.blocking_recv() else { return false };
            self.waiting.push_back(first);
        }
        self.fill_up();
        true
    }

    /// Takes what has come.
    fn fill_up(&mut self) {
        let mut events: usize = self.waiting.iter().map(|waiting| waiting.batch.events.len()).sum();
        while self.waiting.len() < BATCHES_PER_TRANSACTION_MAX && events < EVENTS_PER_TRANSACTION_MAX {
            let Ok(next) = self.receiver.try_recv() else { break };
            events += next.batch.events.len();
            self.waiting.push_back(next);
        }
    }

    fn write_together(&mut self) -> anyhow::Result<()> {
        let batches: Vec<_> = self.waiting.iter().map(|waiting| &waiting.batch).collect();
        write(&mut *self.db, &mut self.versions, &batches)?;
        for written in std::mem::take(&mut self.waiting) {
            self.tell(written);
        }
        Ok(())
    }

    /// One batch that cannot be written takes no other with it, unless it must come first.
    fn write_one_by_one(&mut self) -> anyhow::Result<()> {
        while let Some(next) = self.waiting.pop_front() {
            let written = write(&mut *self.db, &mut self.versions, &[&next.batch]);
            let Err(error) = written else {
                self.tell(next);
                continue;
            };
            if let Some(answer) = next.answer.refuse(&error) {
                self.waiting.push_front(Waiting { batch: next.batch, answer });
                return Err(error);
            }
            if error.is::<TakenOver>() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Those that can do without it need not wait for what cannot be written.
    fn turn_away(&mut self, error: &anyhow::Error) {
        self.fill_up();
        for Waiting { batch, answer } in std::mem::take(&mut self.waiting) {
            if let Some(answer) = answer.refuse(error) {
                self.waiting.push_back(Waiting { batch, answer });
            }
        }
    }

    fn tell(&mut self, written: Waiting) {
        // The caller may have gone; then nobody acknowledges, and the deliveries come again.
        match written.answer {
            Answer::May(tell) => {
                let _ = tell.send(Ok(written.batch));
            }
            Answer::Must { ticket, tell } => {
                self.durable.store(ticket, Ordering::Release);
                let _ = tell.send(written.batch);
            }
            Answer::Hold { change, tell } => {
                let _ = tell.send(self.db.hold(change).map_err(StoreError));
            }
        }
    }
}

/// Writes these batches in one transaction.
fn write(
    db: &mut dyn Connection,
    versions: &mut HashMap<Version, i64>,
    batches: &[&Batch],
) -> anyhow::Result<()> {
    let written = db.write(&mut |db| write::all(db, versions, batches));
    if written.is_err() {
        // What was rolled back may have made the versions that are remembered here.
        versions.clear();
    }
    written
}
