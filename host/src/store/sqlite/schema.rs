//! The tables, and how a file of an older version becomes one of this. Keys are in order of arrival: no
//! random value stands in an index of a table that grows.

use super::checkpoint::PAGES;
use crate::store::seal::StoreKeys;
use crate::store::sql::database::pending;
use anyhow::Context as _;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::path::Path;
use std::time::Duration;

/// Each entry brings a file from the version of its index to the next. Never edit one that was released.
const MIGRATIONS: [&str; 7] = [
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
    include_str!("v5.sql"),
    include_str!("v6.sql"),
    include_str!("v7.sql"),
];

/// The version that this Tidegate writes.
pub(super) const VERSION: u32 = 7;
const _: () = assert!(MIGRATIONS.len() == 7, "VERSION is how many migrations there are");

/// A connection with the settings that every connection needs.
pub(super) fn connect(path: &Path, keys: &StoreKeys) -> anyhow::Result<Connection> {
    let db = Connection::open(path).with_context(|| format!("open {}", path.display()))?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.set_prepared_statement_cache_capacity(64);
    // Else a statement is prepared anew whenever another value is given to it, for a plan that would be the same.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Page size and auto-vacuum hold from the first write on; FULL makes each commit wait for the disk. What is deleted is
    // overwritten, so that nothing of a person who is to be forgotten stays between the rows.
    db.execute_batch(&format!(
        "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = 67108864; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = {PAGES}; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -65536;",
    ))
    .with_context(|| format!("prepare {}", path.display()))?;
    rusqlite::vtab::array::load_module(&db)?;
    super::function::give_unseal(&db, keys)?;
    super::function::give_partition_of(&db)?;
    Ok(db)
}

/// The version since which a file names the keys that it needs.
const KEYS_SINCE: u32 = 5;

/// Brings the file to this version's schema. A step may read what is encrypted, so a key that is missing is named before.
pub(super) fn migrate(db: &mut Connection, keys: &StoreKeys) -> anyhow::Result<()> {
    let version: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let steps = pending(&MIGRATIONS, version)?;
    if version >= KEYS_SINCE {
        fits(db, keys)?;
    }
    for (next, sql) in (version + 1..).zip(steps) {
        let transaction = db.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", next)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Refuses a file that needs a key which is not here.
pub(super) fn fits(db: &Connection, keys: &StoreKeys) -> anyhow::Result<()> {
    let mut statement = db.prepare("SELECT fingerprint FROM store_keys")?;
    let needed = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
    keys.fit(&needed)
}

/// As [`fits`], and notes in the file that it needs the key that is written with.
pub(super) fn need(db: &Connection, keys: &StoreKeys) -> anyhow::Result<()> {
    fits(db, keys)?;
    if let Some(fingerprint) = keys.written_with() {
        db.execute("INSERT OR IGNORE INTO store_keys (fingerprint) VALUES (?1)", [fingerprint])?;
    }
    Ok(())
}
