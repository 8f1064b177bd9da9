//! The one thread that writes: it takes all commands that wait, runs them in one transaction, commits once, and
//! only then answers. Knows nothing of what a command does.

use crate::behavior::Behavior;
use crate::catalog::Catalog;
use crate::engine::Clock;
use crate::fault::QueueError;
use crate::limit;
use crate::schema::Database;
use crate::write::Txn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Something for the writer to do.
pub(crate) trait Command: Send {
    /// Messages it carries, roughly.
    fn weight(&self) -> usize;
    /// Does it, within the transaction. Called once. The error is one that spoils the transaction.
    fn run(&mut self, txn: &mut Txn<'_>) -> Result<(), QueueError>;
    /// Answers the caller, once the transaction has ended: well, or with a fault.
    fn answer(self: Box<Self>, fault: Option<&QueueError>);
}

/// A command made of a closure, and where its result goes.
pub(crate) struct Call<F, T> {
    pub(crate) weight: usize,
    pub(crate) work: Option<F>,
    pub(crate) result: Option<Result<T, QueueError>>,
    pub(crate) reply: oneshot::Sender<Result<T, QueueError>>,
}

impl<F, T> Command for Call<F, T>
where
    F: FnOnce(&mut Txn<'_>) -> Result<T, QueueError> + Send,
    T: Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, txn: &mut Txn<'_>) -> Result<(), QueueError> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        match work(txn) {
            Err(fault @ QueueError::Storage(_)) => Err(fault),
            result => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn answer(self: Box<Self>, fault: Option<&QueueError>) {
        let result = match (fault, self.result) {
            (None, Some(result)) => result,
            (Some(fault), _) => Err(fault.clone()),
            (None, None) => Err(QueueError::Closed),
        };
        // A caller that went away has no use for the answer; what it asked for is done all the same.
        drop(self.reply.send(result));
    }
}

/// What the writer owns.
pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) catalog: Catalog,
    pub(crate) behavior: Arc<Behavior>,
    pub(crate) clock: Clock,
    /// Transactions that wrote something.
    pub(crate) commits: Arc<AtomicU64>,
    pub(crate) swept_ms: u64,
    /// Whether the catalog may differ from the file: a transaction failed.
    pub(crate) stale: bool,
}

impl Writer {
    /// Runs until every handle is gone.
    pub(crate) fn run(mut self, mut commands: mpsc::Receiver<Box<dyn Command>>) {
        while let Some(first) = commands.blocking_recv() {
            let mut weight = first.weight();
            let mut group = vec![first];
            while weight < limit::COMMIT_MESSAGES_MAX {
                let Ok(next) = commands.try_recv() else { break };
                weight += next.weight();
                group.push(next);
            }
            let fault = self.commit(&mut group).err();
            if let Some(fault) = &fault {
                self.recover(fault);
            }
            for command in group {
                command.answer(fault.as_ref());
            }
        }
    }

    fn commit(&mut self, group: &mut [Box<dyn Command>]) -> Result<(), QueueError> {
        if self.stale {
            self.reload()?;
        }
        let now_ms = (self.clock)();
        let connection = &self.database.connection;
        let changes_before = connection.total_changes();
        connection.prepare_cached("BEGIN")?.execute(())?;
        let mut txn = Txn {
            db: connection,
            catalog: &mut self.catalog,
            behavior: &self.behavior,
            id_prefix: self.database.id_prefix,
            now_ms: now_ms.cast_signed(),
            touched: Vec::new(),
        };
        let interval_ms = u64::try_from(limit::SWEEP_INTERVAL.as_millis()).unwrap_or(u64::MAX);
        if now_ms.saturating_sub(self.swept_ms) >= interval_ms {
            txn.sweep()?;
            self.swept_ms = now_ms;
        }
        for command in group.iter_mut() {
            command.run(&mut txn)?;
        }
        let ready = txn.settle_touched()?;
        connection.prepare_cached("COMMIT")?.execute(())?;
        if connection.total_changes() != changes_before {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        for (id, at) in ready {
            if let Ok(entry) = self.catalog.get_mut(id) {
                entry.touched = false;
                entry.publish(at);
            }
        }
        Ok(())
    }

    /// Takes everything back to what the file says.
    fn recover(&mut self, fault: &QueueError) {
        tracing::error!("failed to commit to the queue: {fault}");
        let connection = &self.database.connection;
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::error!("failed to roll the queue back: {error}");
        }
        self.stale = true;
        if let Err(error) = self.reload() {
            tracing::error!("failed to read the queues again: {error}");
        }
    }

    fn reload(&mut self) -> Result<(), QueueError> {
        let fresh = Catalog::load(&self.database.connection)?;
        let before = std::mem::replace(&mut self.catalog, fresh);
        self.catalog.adopt_waiters(before);
        self.stale = false;
        Ok(())
    }
}
