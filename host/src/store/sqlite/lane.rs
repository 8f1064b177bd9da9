//! An event among those of its subject, and among its own plans: what changes about others when one plan changes.

use super::schema::state;
use super::tally::{Counted, Tally};
use crate::plugin::PluginName;
use crate::store::EventSeq;
use rusqlite::{Transaction, params};

/// Which event something is written about.
pub(super) struct About {
    pub(super) seq: EventSeq,
    pub(super) source: String,
    pub(super) subject: String,
}

/// What the event at this place is about.
pub(super) fn about(db: &Transaction<'_>, seq: EventSeq) -> anyhow::Result<About> {
    Ok(db
        .prepare_cached("SELECT source, subject FROM events WHERE seq = ?1")?
        .query_row([seq.0], |row| Ok(About { seq, source: row.get(0)?, subject: row.get(1)? }))?)
}

/// Puts an event's plan at its place in its lane.
pub(super) fn enter(db: &Transaction<'_>, about: &About, plugin: &PluginName) -> anyhow::Result<()> {
    db.prepare_cached(
        "INSERT INTO lanes (source, subject, plugin, event_seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![about.source, about.subject, plugin.as_str(), about.seq.0])?;
    Ok(())
}

/// Whether nobody else is asked in this lane, or stands there to be: another event in it would be asked about first, or at
/// the same time.
pub(super) fn is_first(db: &Transaction<'_>, about: &About, plugin: &PluginName) -> anyhow::Result<bool> {
    let others = db
        .prepare_cached(
            "SELECT 1 FROM lanes l JOIN plans p ON p.event_seq = l.event_seq AND p.plugin = l.plugin
             WHERE l.source = ?1 AND l.subject = ?2 AND l.plugin = ?3 AND l.event_seq <> ?4 AND p.state <> 4",
        )?
        .exists(params![about.source, about.subject, plugin.as_str(), about.seq.0])?;
    Ok(!others)
}

/// Takes an event out of its lane; the one behind it is asked about next.
pub(super) fn leave(
    db: &Transaction<'_>,
    tally: &mut Tally,
    about: &About,
    plugin: &PluginName,
    now_ms: u64,
) -> anyhow::Result<()> {
    let left = db
        .prepare_cached(
            "DELETE FROM lanes WHERE source = ?1 AND subject = ?2 AND plugin = ?3 AND event_seq = ?4",
        )?
        .execute(params![about.source, about.subject, plugin.as_str(), about.seq.0])?;
    if left == 0 {
        // It had left before, and whoever is asked now is not done.
        return Ok(());
    }
    let next: Option<i64> = db
        .prepare_cached(
            "SELECT min(event_seq) FROM lanes WHERE source = ?1 AND subject = ?2 AND plugin = ?3",
        )?
        .query_row(params![about.source, about.subject, plugin.as_str()], |row| row.get(0))?;
    let promoted = db
        .prepare_cached(
            "UPDATE plans SET state = 1, due_at_ms = ?3 WHERE event_seq = ?1 AND plugin = ?2 AND state = 4",
        )?
        .execute(params![next, plugin.as_str(), now_ms.cast_signed()])?;
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
    db: &Transaction<'_>,
    tally: &mut Tally,
    seq: EventSeq,
    decided_at_ms: u64,
) -> anyhow::Result<()> {
    let states = db
        .prepare_cached("SELECT state FROM plans WHERE event_seq = ?1")?
        .query_map([seq.0], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let state = event_state(states.into_iter());
    let before: i64 =
        db.prepare_cached("SELECT state FROM events WHERE seq = ?1")?.query_row([seq.0], |row| row.get(0))?;
    db.prepare_cached("UPDATE events SET state = ?2, decided_at_ms = ?3 WHERE seq = ?1")?
        .execute(params![seq.0, state, decided_at_ms.cast_signed()])?;
    tally.change(Counted::Event, before, state);
    Ok(())
}
