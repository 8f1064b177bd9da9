//! The tables, and how a file of an older version becomes one of this. Keys are in order of arrival: no
//! random value stands in an index of a table that grows.

use anyhow::Context as _;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// States of an event, a plan and an effect, as numbers in the tables. `state` of an event is the most
/// pressing state of its plans.
pub(super) mod state {
    use crate::store::EffectState;

    pub(in super::super) const DONE: i64 = 0;
    pub(in super::super) const WAITING: i64 = 1;
    pub(in super::super) const PARKED: i64 = 2;
    pub(in super::super) const SKIPPED: i64 = 3;

    /// What becomes of an effect or an alert after an attempt: its state, and when it is due again.
    pub(in super::super) const fn after_attempt(state: EffectState) -> (i64, Option<i64>) {
        match state {
            EffectState::Done => (DONE, None),
            EffectState::Waiting { due_at_ms } => (WAITING, Some(due_at_ms.cast_signed())),
            EffectState::Parked => (PARKED, None),
        }
    }

    /// The word for a plan's or an event's state.
    pub(in super::super) const fn of_plan(state: i64) -> &'static str {
        match state {
            DONE => "decided",
            WAITING => "waiting",
            PARKED => "parked",
            _ => "skipped",
        }
    }

    /// The word for an alert's state.
    pub(in super::super) const fn of_alert(state: i64) -> &'static str {
        match state {
            SKIPPED => "logged",
            other => of_effect(other),
        }
    }

    /// The word for an effect's state.
    pub(in super::super) const fn of_effect(state: i64) -> &'static str {
        match state {
            DONE => "done",
            WAITING => "waiting",
            _ => "parked",
        }
    }
}

/// Each entry brings a file from the version of its index to the next. Never edit one that was released.
const MIGRATIONS: [&str; 3] = [include_str!("v1.sql"), include_str!("v2.sql"), include_str!("v3.sql")];

/// A connection with the settings that every connection needs.
pub(super) fn connect(path: &Path) -> anyhow::Result<Connection> {
    let db = Connection::open(path).with_context(|| format!("open {}", path.display()))?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.set_prepared_statement_cache_capacity(64);
    // The page size holds from the first write on; FULL makes each commit wait for the disk.
    db.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -65536;",
    )
    .with_context(|| format!("prepare {}", path.display()))?;
    Ok(db)
}

/// Brings the file to this version's schema.
pub(super) fn migrate(db: &mut Connection) -> anyhow::Result<()> {
    let version: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    let pending = MIGRATIONS.get(done..).with_context(|| {
        format!("it has schema {version}, this Tidegate knows up to {}: use a newer one", MIGRATIONS.len())
    })?;
    for (next, sql) in (version + 1..).zip(pending) {
        let transaction = db.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", next)?;
        transaction.commit()?;
    }
    Ok(())
}
