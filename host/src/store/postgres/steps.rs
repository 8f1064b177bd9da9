//! The same database for simulated runs, which are one thread with a clock of their own: whoever asks waits until it is
//! answered, and that clock stands still.

use super::{Postgres, Server, open};
use crate::partition::Partitions;
use crate::store::group::Change;
use crate::store::seal::StoreKeys;
use crate::store::sql::Others;
use crate::store::sql::database::{Connection, Work};
use std::sync::Arc;

/// For a host that works alone: what writes, and what reads.
pub(in crate::store) fn open_in_steps(url: &str) -> anyhow::Result<[Box<dyn Connection>; 2]> {
    let opened = aside(|| open(url, None, &StoreKeys::default(), Others::Refuse))?;
    let [writes, reads, _] = opened.connections;
    Ok([Box::new(Aside(writes)), Box::new(Aside(reads))])
}

/// For who looks on: what only reads, whoever works on the database.
pub(in crate::store) fn observe(url: &str) -> anyhow::Result<Box<dyn Connection>> {
    let server = Arc::new(Server::new(url, None)?);
    Ok(Box::new(Aside(Box::new(Postgres::reader(&server, &StoreKeys::default())))))
}

/// A connection on which all is done aside.
struct Aside(Box<dyn Connection>);

impl Connection for Aside {
    fn read(&mut self, read: &mut Work<'_>) -> anyhow::Result<()> {
        aside(|| self.0.read(read))
    }

    fn write(&mut self, write: &mut Work<'_>) -> anyhow::Result<()> {
        aside(|| self.0.write(write))
    }

    fn hold(&mut self, change: Change) -> anyhow::Result<Partitions> {
        aside(|| self.0.hold(change))
    }
}

/// Does this on a thread of its own while the caller waits: the client has a runtime, and refuses to work within another.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
