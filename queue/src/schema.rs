//! The database file: how it is opened, what is in it. Knows nothing of what messages go through.
//!
//! Two tables carry the load. `message` holds what never changes, in order of arrival within its queue: the key
//! is the queue's number and a counter, so inserts append and a range of keys is a range of pages.
//! `schedule` holds one small row per message - when it may next be pulled, and how often it was delivered - in
//! exactly the order pulls want them. A lease moves that row; the body is not touched. A row whose message is
//! gone is an orphan: whoever meets it removes it.

use crate::fault::QueueError;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

const VERSION: i64 = 1;

/// Bits of a message key below the queue's number.
pub(crate) const SEQ_BITS: u32 = 40;

const TABLES: &str = "
CREATE TABLE secret (sealing BLOB NOT NULL, id_prefix BLOB NOT NULL) STRICT;
INSERT INTO secret VALUES (randomblob(32), randomblob(8));
CREATE TABLE queue (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  created_ms INTEGER NOT NULL,
  modified_ms INTEGER NOT NULL,
  settings TEXT NOT NULL,
  consumer_id BLOB,
  consumer_created_ms INTEGER,
  consumer TEXT,
  purged_ms INTEGER
) STRICT;
CREATE TABLE tally (
  queue INTEGER PRIMARY KEY,
  seq_next INTEGER NOT NULL,
  backlog_count INTEGER NOT NULL,
  backlog_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE message (
  key INTEGER PRIMARY KEY,
  stored_ms INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  origin_key INTEGER,
  origin_ms INTEGER,
  body BLOB NOT NULL
) STRICT;
CREATE TABLE schedule (
  queue INTEGER NOT NULL,
  visible_ms INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  deliveries INTEGER NOT NULL,
  PRIMARY KEY (queue, visible_ms, seq)
) STRICT, WITHOUT ROWID;
";

/// Why a directory could not be opened as a queue.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the queue in {0} is in use by another process: stop that one, or use another directory")]
    InUse(PathBuf),
    /// It was written by a later version of this program.
    #[error("the queue in {path} has schema version {found}, this program knows {VERSION}: use a newer one")]
    TooNew {
        /// The directory.
        path: PathBuf,
        /// The version found.
        found: i64,
    },
    /// The directory cannot be made, read or locked.
    #[error("open the queue's directory {path}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no database, or is broken.
    #[error("open the queue's database")]
    Database(#[from] rusqlite::Error),
    /// What the file holds cannot be read.
    #[error("read the queue's database")]
    Content(#[from] QueueError),
}

/// An open database and the lock on its directory, which lives as long.
pub(crate) struct Database {
    pub(crate) connection: Connection,
    pub(crate) sealing: [u8; 32],
    pub(crate) id_prefix: u64,
    _lock: File,
}

pub(crate) fn open(directory: &Path) -> Result<Database, OpenError> {
    let lock = lock(directory)?;
    let connection = Connection::open(directory.join("queue.sqlite"))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else a statement is prepared anew whenever another value is given to it, for a plan that would be the same.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Full synchronisation: what was confirmed survives a power cut. Group commit makes it cheap.
    connection.execute_batch(
        "PRAGMA page_size = 8192;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 8000;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -65536;
         PRAGMA temp_store = MEMORY;
         PRAGMA busy_timeout = 1000;",
    )?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        0 => connection
            .execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"))?,
        VERSION => {}
        found => {
            let path = directory.to_owned();
            return Err(OpenError::TooNew { path, found });
        }
    }
    let (sealing, id_prefix): ([u8; 32], [u8; 8]) =
        connection
            .query_row("SELECT sealing, id_prefix FROM secret", (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Database { connection, sealing, id_prefix: u64::from_be_bytes(id_prefix), _lock: lock })
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Directory { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join("queue.lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
