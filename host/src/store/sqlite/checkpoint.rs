//! Copies what was committed from the log (WAL) into the file, beside the connection that writes. SQLite would have that
//! connection do it after a commit, and all that is decided meanwhile would wait until the disk has it: some tens of
//! milliseconds, a few times a second under load.

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

/// Pages in the log from which on they are copied: 32 MB.
pub(super) const PAGES: c_int = 4_000;
/// Pages in the log from which on the connection that writes waits for the copy: the log grows no further, unless somebody reads
/// a state of long ago.
const PAGES_MAX: c_int = 4 * PAGES;

/// Has what this connection commits to the file at this path copied.
///
/// # Errors
/// When SQLite does not take the hook.
pub(super) fn beside(writer: &mut Connection, path: &Path) -> rusqlite::Result<()> {
    let mut copier = Copier { path: path.to_owned(), copying: None };
    writer.wal_hook(Some(move |log: &mut Wal, pages| {
        if pages >= PAGES {
            copier.copy(log, pages);
        }
        // An error would pass for one of the commit, which is done.
        Ok(())
    }))
}

struct Copier {
    path: PathBuf,
    /// The thread that copies.
    copying: Option<JoinHandle<()>>,
}

impl Copier {
    /// Has a thread copy nearly all of it. When it has, what was committed meanwhile is copied here, and the next commit begins
    /// the log anew. Without a thread all of it is copied here.
    fn copy(&mut self, log: &mut Wal, pages: c_int) {
        match &self.copying {
            Some(copying) if pages < PAGES_MAX && !copying.is_finished() => return,
            Some(_) => self.wait(),
            None => {
                let path = self.path.clone();
                let thread = Builder::new().name("store-copier".to_owned());
                self.copying = thread.spawn(move || tell(copy(&path))).ok();
                if self.copying.is_some() {
                    return;
                }
            }
        }
        tell(log.checkpoint());
    }

    fn wait(&mut self) {
        if let Some(copying) = self.copying.take()
            && copying.join().is_err()
        {
            tracing::error!("what copies the store's log panicked");
        }
    }
}

impl Drop for Copier {
    /// Whoever has closed the store may take its files away.
    fn drop(&mut self) {
        self.wait();
    }
}

/// Copies what is in the log, on a connection of its own.
fn copy(path: &Path) -> rusqlite::Result<()> {
    Connection::open(path)?.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// That it could not be copied. The log has it all, and is copied after a later commit.
fn tell(copied: rusqlite::Result<()>) {
    if let Err(error) = copied {
        tracing::warn!("failed to copy the store's log, will try again: {error}");
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
