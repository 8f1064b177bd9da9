//! Copies what was committed from the log (WAL) into the file, beside the connection that writes. SQLite would have that
//! connection do it after a commit, and all that is decided meanwhile would wait until the disk has it: some tens of
//! milliseconds, a few times a second under load.

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

/// Pages in the log from which on they are copied: 32 MB.
const PAGES: c_int = 4_000;
/// Pages in the log from which on the connection that writes waits for the copy: the log grows no further, unless somebody reads
/// a state of long ago.
const PAGES_MAX: c_int = 4 * PAGES;

/// Has what this connection commits to the file at this path copied.
///
/// # Errors
/// When SQLite does not take the hook.
pub(super) fn beside(writer: &mut Connection, path: &Path) -> rusqlite::Result<()> {
    let mut copier = Copier { path: path.to_owned(), thread: None, is_copying: false };
    writer.wal_hook(Some(move |log: &mut Wal, pages| {
        if pages >= PAGES {
            copier.copy(log, pages);
        }
        // An error would pass for one of the commit, which is done.
        Ok(())
    }))
}

/// Copies that are asked for at the same time.
const COPIES_MAX: usize = 1;

struct Copier {
    path: PathBuf,
    /// Started when there is something to copy for the first time.
    thread: Option<Thread>,
    is_copying: bool,
}

impl Copier {
    /// Has the thread copy nearly all of it. When it has, what was committed meanwhile is copied here, and the next commit begins
    /// the log anew.
    fn copy(&mut self, log: &mut Wal, pages: c_int) {
        let thread = self.thread.get_or_insert_with(|| Thread::start(self.path.clone()));
        if !self.is_copying && thread.ask() {
            self.is_copying = true;
            return;
        }
        let done = if pages < PAGES_MAX {
            thread.done.try_recv()
        } else {
            thread.done.recv().map_err(|_| TryRecvError::Disconnected)
        };
        // Without a thread all of it is copied here.
        if done == Err(TryRecvError::Empty) {
            return;
        }
        self.is_copying = false;
        if let Err(error) = log.checkpoint() {
            tracing::warn!("failed to copy the store's log, will try again: {error}");
        }
    }
}

/// Copies when it is asked to, on a connection of its own.
struct Thread {
    ask: Option<SyncSender<()>>,
    done: Receiver<()>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    fn start(path: PathBuf) -> Self {
        let ((ask, asked), (tell, done)) = (sync_channel(COPIES_MAX), sync_channel(COPIES_MAX));
        let copy_when_asked = move || {
            let Ok(db) = Connection::open(&path) else { return };
            while asked.recv().is_ok() {
                if let Err(error) = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
                    tracing::warn!("failed to copy the store's log, will try again: {error}");
                }
                if tell.send(()).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("store-copier".to_owned());
        Self { ask: Some(ask), done, handle: thread.spawn(copy_when_asked).ok() }
    }

    /// Says whether it will copy.
    fn ask(&self) -> bool {
        self.ask.as_ref().is_some_and(|ask| ask.send(()).is_ok())
    }
}

impl Drop for Thread {
    /// Waits for it: whoever has closed the store may take its files away.
    fn drop(&mut self) {
        drop(self.ask.take());
        if let Some(handle) = self.handle.take()
            && handle.join().is_err()
        {
            tracing::error!("what copies the store's log panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::seal::StoreKeys;
    use crate::store::sqlite::schema;

    const PAGE_BYTES: u64 = 8_192;

    /// Three times as much as the log may have, in transactions of a hundred pages.
    #[test]
    fn the_log_is_copied_and_begins_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store.sqlite");
        let mut db = schema::connect(&path, &StoreKeys::default()).expect("connects");
        db.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE filled (bytes BLOB)").expect("a table");
        beside(&mut db, &path).expect("a hook");
        let (transactions, rows) = (3 * PAGES_MAX / 100, 100);
        for _ in 0..transactions {
            let transaction = db.transaction().expect("begins");
            for _ in 0..rows {
                transaction.execute("INSERT INTO filled VALUES (zeroblob(8000))", []).expect("inserts");
            }
            transaction.commit().expect("commits");
        }
        let log = std::fs::metadata(dir.path().join("store.sqlite-wal")).expect("a log").len();
        let pages_max = u64::try_from(PAGES_MAX + 200).expect("a few thousand");
        assert!(log < pages_max * (PAGE_BYTES + 24), "{log} bytes");
        let file = std::fs::metadata(&path).expect("a file").len();
        assert!(file > 2 * pages_max * PAGE_BYTES, "{file} bytes");
        drop(db);
        let db = schema::connect(&path, &StoreKeys::default()).expect("connects");
        let filled: i32 = db.query_row("SELECT count(*) FROM filled", [], |row| row.get(0)).expect("counts");
        assert_eq!(filled, transactions * rows);
    }
}
