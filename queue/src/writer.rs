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

/// Whether the disk has what was committed before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The answer waits for the disk.
    Synced,
    /// The disk has it with the next commit that waits, or when the system gets to it.
    Unsynced,
}

impl Durability {
    /// The mode of SQLite's log in which a commit does so (<https://sqlite.org/pragma.html#pragma_synchronous>).
    const fn pragma(self) -> &'static str {
        match self {
            Self::Synced => "PRAGMA synchronous = FULL",
            Self::Unsynced => "PRAGMA synchronous = NORMAL",
        }
    }
}

/// Something for the writer to do.
pub(crate) trait Command: Send {
    /// Whether its answer waits for the disk.
    fn durability(&self) -> Durability;
    /// Messages it carries, roughly.
    fn weight(&self) -> usize;
    /// Does it, within the transaction. Called once. The error is one that spoils the transaction.
    fn run(&mut self, txn: &mut Txn<'_>) -> Result<(), QueueError>;
    /// Answers the caller, once the transaction has ended: well, or with a fault.
    fn answer(self: Box<Self>, fault: Option<&QueueError>);
}

/// A command made of a closure, and where its result goes.
pub(crate) struct Call<F, T> {
    pub(crate) durability: Durability,
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
    fn durability(&self) -> Durability {
        self.durability
    }

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
    /// Of the transaction before.
    pub(crate) durability: Durability,
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
        self.sync_for(group)?;
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

    /// Has the next commit wait for the disk if one of these does.
    fn sync_for(&mut self, group: &[Box<dyn Command>]) -> Result<(), QueueError> {
        let waits = group.iter().any(|command| command.durability() == Durability::Synced);
        let durability = if waits { Durability::Synced } else { Durability::Unsynced };
        if durability != self.durability {
            self.database.connection.execute_batch(durability.pragma())?;
            self.durability = durability;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn writer(dir: &std::path::Path) -> Writer {
        let database = schema::open(dir).expect("opens");
        let catalog = Catalog::load(&database.connection).expect("reads");
        let (behavior, commits) = (Arc::default(), Arc::default());
        let (clock, durability): (Clock, _) = (Arc::new(|| 0), Durability::Synced);
        Writer { database, catalog, behavior, clock, commits, swept_ms: 0, durability, stale: false }
    }

    fn nothing(durability: Durability) -> Box<dyn Command> {
        let work = Some(|_: &mut Txn<'_>| Ok(()));
        Box::new(Call { durability, weight: 1, work, result: None, reply: oneshot::channel().0 })
    }

    #[test]
    fn a_commit_waits_for_the_disk_when_one_of_its_commands_does() {
        use Durability::{Synced, Unsynced};
        let dir = tempfile::tempdir().expect("a directory");
        let mut writer = writer(dir.path());
        let (normal, full) = (1, 2);
        for (group, mode) in [
            (&[Synced][..], full),
            (&[Unsynced], normal),
            (&[Unsynced, Unsynced], normal),
            (&[Unsynced, Synced, Unsynced], full),
            (&[Unsynced], normal),
            (&[Synced], full),
        ] {
            let mut group: Vec<_> = group.iter().map(|durability| nothing(*durability)).collect();
            writer.commit(&mut group).expect("commits");
            let found: i64 = writer
                .database
                .connection
                .pragma_query_value(None, "synchronous", |row| row.get(0))
                .expect("a mode");
            assert_eq!(found, mode);
        }
    }
}
