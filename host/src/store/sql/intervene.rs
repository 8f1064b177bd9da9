//! What a person did about what was parked, in the tables. It changes what is parked and nothing else: whoever is asked, or
//! performed, or was dealt with meanwhile stays as it is.

use super::database::{Database, cells};
use super::lane::{self, About};
use super::outbox;
use super::parked::{self, Found};
use super::state;
use super::tally::{Counted, Tally};
use crate::plugin::PluginName;
use crate::store::parked::{Action, Intervention};
use crate::store::{EffectSeq, EventSeq};
use anyhow::Context as _;

pub(super) fn write(db: &dyn Database, tally: &mut Tally, intervention: &Intervention) -> anyhow::Result<()> {
    let Intervention { id, action, at_ms } = intervention;
    let Some(found) = parked::find(db, id)? else { return Ok(()) };
    let (event_seq, was_parked) = match &found {
        Found::Plan(event, plugin) => (Some(event.0), plan(db, tally, (*event, plugin), action, *at_ms)?),
        Found::Effect(event, seq) => (Some(event.0), effect(db, tally, *seq, action, *at_ms)?),
        Found::Stray(seq) => (None, stray(db, tally, *seq, action)?),
        Found::Alert(seq) => (None, alert(db, tally, *seq, action, *at_ms)?),
    };
    if !was_parked {
        return Ok(());
    }
    let (state, reason) = match action {
        Action::Redrive { .. } => (state::WAITING, None),
        Action::Drop { reason } => (state::DROPPED, reason.as_deref()),
    };
    db.execute(
        "INSERT INTO interventions (event_seq, id, state, reason, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        cells![event_seq, id.to_string(), state, reason, *at_ms],
    )?;
    Ok(())
}

/// Says whether there was something to do.
fn plan(
    db: &dyn Database,
    tally: &mut Tally,
    (seq, plugin): (EventSeq, &PluginName),
    action: &Action,
    at_ms: u64,
) -> anyhow::Result<bool> {
    let is_parked = db.exists(
        "SELECT 1 FROM plans WHERE event_seq = ?1 AND plugin = ?2 AND state = 2",
        cells![seq.0, plugin.as_str()],
    )?;
    if !is_parked {
        return Ok(false);
    }
    let (source, subject, partition) = lane::about(db, seq).context("find the event of a plan")?;
    let about = About { seq, source: &source, subject: &subject, partition };
    match action {
        Action::Redrive { version } => {
            // One that the plugin parked itself has left its lane: it waits for whoever is first there now.
            let state = if about.subject.is_empty() || lane::is_first(db, about, plugin)? {
                state::WAITING
            } else {
                state::HELD
            };
            if !about.subject.is_empty() {
                lane::enter(db, about, plugin)?;
            }
            db.execute(
                "UPDATE plans SET state = ?3, attempt = 0, due_at_ms = ?4, source = ?5,
                   pinned = (SELECT id FROM versions WHERE version = ?6), part = ?7
                 WHERE event_seq = ?1 AND plugin = ?2",
                cells![
                    seq.0,
                    plugin.as_str(),
                    state,
                    at_ms,
                    about.source,
                    version.as_ref(),
                    i64::from(about.partition.number())
                ],
            )?;
            tally.change(Counted::Plan, state::PARKED, state);
        }
        Action::Drop { .. } => {
            db.execute(
                "UPDATE plans SET state = 5 WHERE event_seq = ?1 AND plugin = ?2",
                cells![seq.0, plugin.as_str()],
            )?;
            tally.change(Counted::Plan, state::PARKED, state::DROPPED);
            lane::leave(db, tally, about, plugin, at_ms)?;
        }
    }
    lane::update_event(db, tally, seq, at_ms)?;
    Ok(true)
}

fn effect(
    db: &dyn Database,
    tally: &mut Tally,
    seq: EffectSeq,
    action: &Action,
    at_ms: u64,
) -> anyhow::Result<bool> {
    if !db.exists("SELECT 1 FROM effects WHERE seq = ?1 AND state = 2", cells![seq.0])? {
        return Ok(false);
    }
    match action {
        Action::Redrive { .. } => {
            outbox::keep_last_try(db, seq)?;
            db.execute("UPDATE effects SET state = 1, attempts = 0, due_at_ms = ?2, what = NULL, at_ms = NULL WHERE seq = ?1", cells![seq.0, at_ms])?;
        }
        Action::Drop { .. } => {
            db.execute("UPDATE effects SET state = 5 WHERE seq = ?1", cells![seq.0])?;
        }
    }
    tally.change(Counted::Effect, state::PARKED, state_of(action));
    Ok(true)
}

/// A stray that is redriven is recorded as the event that it is, in the same batch.
fn stray(db: &dyn Database, tally: &mut Tally, seq: i64, action: &Action) -> anyhow::Result<bool> {
    let sql = match action {
        Action::Redrive { .. } => "DELETE FROM strays WHERE seq = ?1 AND state = 2",
        Action::Drop { .. } => "UPDATE strays SET state = 5 WHERE seq = ?1 AND state = 2",
    };
    if db.execute(sql, cells![seq])? == 0 {
        return Ok(false);
    }
    tally.remove(Counted::Stray, state::PARKED);
    if matches!(action, Action::Drop { .. }) {
        tally.add(Counted::Stray, state::DROPPED);
    }
    Ok(true)
}

fn alert(
    db: &dyn Database,
    tally: &mut Tally,
    seq: i64,
    action: &Action,
    at_ms: u64,
) -> anyhow::Result<bool> {
    let changed = match action {
        Action::Redrive { .. } => db.execute(
            "UPDATE alerts SET state = 1, attempts = 0, due_at_ms = ?2 WHERE seq = ?1 AND state = 2",
            cells![seq, at_ms],
        )?,
        Action::Drop { .. } => {
            db.execute("UPDATE alerts SET state = 5 WHERE seq = ?1 AND state = 2", cells![seq])?
        }
    };
    if changed > 0 {
        tally.change(Counted::Alert, state::PARKED, state_of(action));
    }
    Ok(changed > 0)
}

const fn state_of(action: &Action) -> i64 {
    match action {
        Action::Redrive { .. } => state::WAITING,
        Action::Drop { .. } => state::DROPPED,
    }
}
