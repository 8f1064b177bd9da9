//! An event among those of its subject, and among its own plans: what changes about others when one plan changes.

use super::database::{Database, cells};
use super::state;
use super::tally::{Counted, Tally};
use crate::partition::Partition;
use crate::plugin::PluginName;
use crate::store::EventSeq;
use anyhow::Context as _;

/// Which event something is written about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) seq: EventSeq,
    pub(super) source: &'a str,
    pub(super) subject: &'a str,
    pub(super) partition: Partition,
}

/// Source, subject and partition of the event at this place.
pub(super) fn about(db: &dyn Database, seq: EventSeq) -> anyhow::Result<(String, String, Partition)> {
    let sql = "SELECT source, subject, cause, sha256 FROM events WHERE seq = ?1";
    let found = db.optional(sql, cells![seq.0], |row| {
        let subject: String = row.get(1)?;
        let partition = Partition::of_event(&subject, row.get(2)?, &row.get(3)?);
        Ok((row.get(0)?, subject, partition))
    })?;
    found.with_context(|| format!("find event {}", seq.0))
}

/// A plan at its place in its lane.
pub(super) const ENTER: &str =
    "INSERT INTO lanes (source, subject, plugin, event_seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";

/// Puts an event's plan at its place in its lane.
pub(super) fn enter(db: &dyn Database, about: About<'_>, plugin: &PluginName) -> anyhow::Result<()> {
    db.execute(ENTER, cells![about.source, about.subject, plugin, about.seq.0])?;
    Ok(())
}

/// Whether nobody else is asked in this lane, or stands there to be: another event in it would be asked about first, or at
/// the same time.
pub(super) fn is_first(db: &dyn Database, about: About<'_>, plugin: &PluginName) -> anyhow::Result<bool> {
    let others = db.exists(
        "SELECT 1 FROM lanes l JOIN plans p ON p.event_seq = l.event_seq AND p.plugin = l.plugin
             WHERE l.source = ?1 AND l.subject = ?2 AND l.plugin = ?3 AND l.event_seq <> ?4 AND p.state <> 4",
        cells![about.source, about.subject, plugin, about.seq.0],
    )?;
    Ok(!others)
}

/// Takes an event out of its lane; the one behind it is asked about next.
pub(super) fn leave(
    db: &dyn Database,
    tally: &mut Tally,
    about: About<'_>,
    plugin: &PluginName,
    now_ms: u64,
) -> anyhow::Result<()> {
    let left = db.execute(
        "DELETE FROM lanes WHERE source = ?1 AND subject = ?2 AND plugin = ?3 AND event_seq = ?4",
        cells![about.source, about.subject, plugin, about.seq.0],
    )?;
    if left == 0 {
        // It had left before, and whoever is asked now is not done.
        return Ok(());
    }
    let next: Option<i64> = db.value(
        "SELECT min(event_seq) FROM lanes WHERE source = ?1 AND subject = ?2 AND plugin = ?3",
        cells![about.source, about.subject, plugin],
    )?;
    let promoted = db.execute(
        "UPDATE plans SET state = 1, due_at_ms = ?3 WHERE event_seq = ?1 AND plugin = ?2 AND state = 4",
        cells![next, plugin, now_ms],
    )?;
    if promoted > 0 {
        tally.change(Counted::Plan, state::HELD, state::WAITING);
    }
    Ok(())
}

/// The most pressing state among an event's plans.
pub(super) fn event_state(mut plans: impl Iterator<Item = i64> + Clone) -> i64 {
    if plans.clone().any(|it| it == state::WAITING || it == state::HELD) {
        return state::WAITING;
    }
    if plans.any(|it| it == state::PARKED) { state::PARKED } else { state::DONE }
}

/// Brings an event's state to what its plans say.
pub(super) fn update_event(
    db: &dyn Database,
    tally: &mut Tally,
    seq: EventSeq,
    decided_at_ms: u64,
) -> anyhow::Result<()> {
    let states = db.rows("SELECT state FROM plans WHERE event_seq = ?1", cells![seq.0], |row| row.get(0))?;
    let state = event_state(states.into_iter());
    let before = db.value("SELECT state FROM events WHERE seq = ?1", cells![seq.0])?;
    let before = before.with_context(|| format!("find event {}", seq.0))?;
    db.execute(
        "UPDATE events SET state = ?2, decided_at_ms = ?3 WHERE seq = ?1",
        cells![seq.0, state, decided_at_ms],
    )?;
    tally.change(Counted::Event, before, state);
    Ok(())
}
