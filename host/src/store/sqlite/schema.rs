//! The tables, and how a file of an older version becomes one of this. Keys are in order of arrival: no
//! random value stands in an index of a table that grows.

use super::seal::StoreKeys;
use anyhow::Context as _;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// States of an event, a plan and an effect, as numbers in the tables. `state` of an event is the most
/// pressing state of its plans.
pub(super) mod state {
    use crate::event::Arrival;
    use crate::store::EffectState;
    use tidegate_envelope::Receipt;

    pub(in super::super) const DONE: i64 = 0;
    pub(in super::super) const WAITING: i64 = 1;
    pub(in super::super) const PARKED: i64 = 2;
    pub(in super::super) const SKIPPED: i64 = 3;
    pub(in super::super) const HELD: i64 = 4;
    /// A person decided that it needs nothing more.
    pub(in super::super) const DROPPED: i64 = 5;

    /// How an event stood to those before it.
    pub(in super::super) const fn of_arrival(arrival: Arrival) -> i64 {
        match arrival {
            Arrival::First => 0,
            Arrival::Duplicate(_) => 1,
            Arrival::Stale => 2,
            Arrival::Conflict => 3,
            Arrival::AfterDelete => 4,
            Arrival::Echo => 5,
        }
    }

    /// The number of this word for an arrival.
    pub(in super::super) fn arrival_named(word: &str) -> Option<i64> {
        let words = ["first", "duplicate", "stale", "conflict", "after-delete", "echo"];
        words.iter().position(|known| *known == word).and_then(|at| i64::try_from(at).ok())
    }

    /// The number of this word for an event's state.
    pub(in super::super) fn event_state_named(word: &str) -> Option<i64> {
        [DONE, WAITING, PARKED].into_iter().find(|state| of_plan(*state) == word)
    }

    /// The other way; a duplicate is of the event with this receipt.
    pub(in super::super) fn to_arrival(number: i64, duplicate_of: Option<Receipt>) -> Arrival {
        match (number, duplicate_of) {
            (1, Some(original)) => Arrival::Duplicate(original),
            (2, _) => Arrival::Stale,
            (3, _) => Arrival::Conflict,
            (4, _) => Arrival::AfterDelete,
            (5, _) => Arrival::Echo,
            _ => Arrival::First,
        }
    }

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
            HELD => "held",
            DROPPED => "dropped",
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
            DROPPED => "dropped",
            _ => "parked",
        }
    }
}

/// Each entry brings a file from the version of its index to the next. Never edit one that was released.
const MIGRATIONS: [&str; 6] = [
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
    include_str!("v5.sql"),
    include_str!("v6.sql"),
];

/// The version that this Tidegate writes.
pub(super) const VERSION: u32 = 6;
const _: () = assert!(MIGRATIONS.len() == 6, "VERSION is how many migrations there are");

/// A connection with the settings that every connection needs.
pub(super) fn connect(path: &Path, keys: &StoreKeys) -> anyhow::Result<Connection> {
    let db = Connection::open(path).with_context(|| format!("open {}", path.display()))?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.set_prepared_statement_cache_capacity(64);
    // Page size and auto-vacuum hold from the first write on; FULL makes each commit wait for the disk. What is deleted is
    // overwritten, so that nothing of a person who is to be forgotten stays between the rows.
    db.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = 67108864; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -65536;",
    )
    .with_context(|| format!("prepare {}", path.display()))?;
    keys.give_to(&db)?;
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
