//! Erases what names a person. The rows stay, with their keys, times and hashes; what waited is dropped, and counted so.

use super::database::{Cell, Database, cells};
use super::lane::{self, About};
use super::state;
use super::tally::{Counted, Tally};
use crate::effect::Effect;
use crate::finding::{self, Finding};
use crate::plugin::PluginName;
use crate::store::keeping::{Audit, Erasure, Place};
use crate::store::{EffectSeq, EventSeq};
use anyhow::Context as _;
use tidegate_envelope::Receipt;

/// Why something was dropped that waited.
const FORGOTTEN: &str = "forgotten: it named a person who was to be";

pub(super) fn write(db: &dyn Database, tally: &mut Tally, erasure: &Erasure) -> anyhow::Result<()> {
    for place in &erasure.places {
        erase(db, tally, place, erasure.at_ms).context("erase what names a person")?;
    }
    Ok(())
}

pub(super) fn audit(db: &dyn Database, audit: &Audit) -> anyhow::Result<()> {
    db.execute("INSERT INTO audit (at_ms, record) VALUES (?1, ?2)", cells![audit.at_ms, &audit.record])?;
    Ok(())
}

fn erase(db: &dyn Database, tally: &mut Tally, place: &Place, at_ms: u64) -> anyhow::Result<()> {
    match place {
        Place::Event(seq) => event(db, tally, *seq, at_ms)?,
        Place::Effect(seq) => effect(db, tally, *seq)?,
        Place::Upcoming(seq) => upcoming(db, tally, "DELETE FROM upcoming WHERE seq = ?1", seq.0.into())?,
        Place::Plan(seq, plugin) => said(db, *seq, plugin)?,
        Place::Recalled(seq, plugin) => db.execute(
            "UPDATE plans SET memory = NULL, fingerprint = NULL WHERE event_seq = ?1 AND plugin = ?2",
            cells![seq.0, plugin],
        )?,
        Place::Drift(seq, plugin, version) => db.execute(
            "DELETE FROM drifts WHERE event_seq = ?1 AND plugin = ?2 AND version_id = ?3",
            cells![seq.0, plugin, *version],
        )?,
        Place::Memory(key, plugin) => db.execute(
            "UPDATE memories SET body = NULL WHERE source = ?1 AND subject = ?2 AND plugin = ?3",
            cells![&key.source, &*key.subject, plugin],
        )?,
        Place::Expected(key) => db.execute(
            "UPDATE subjects SET expected = NULL WHERE source = ?1 AND subject = ?2",
            cells![&key.source, &*key.subject],
        )?,
        Place::Stray(seq) => {
            db.execute("UPDATE strays SET body = '', why = ?2 WHERE seq = ?1", cells![*seq, FORGOTTEN])?
        }
        Place::Intervention(seq) => {
            db.execute("UPDATE interventions SET reason = ?2 WHERE seq = ?1", cells![*seq, FORGOTTEN])?
        }
    };
    Ok(())
}

/// The event's body, what plugins said about it and remember of its subject, its effects and what is to come of it. An empty
/// body is no JSON, so nobody is told it as the state before.
fn event(db: &dyn Database, tally: &mut Tally, seq: EventSeq, at_ms: u64) -> anyhow::Result<u64> {
    let erased =
        serde_json::to_string(&[Finding::new(finding::ERASED, "it named a person who was to be forgotten")])?;
    let receipt: Option<Receipt> = db.value("SELECT receipt FROM events WHERE seq = ?1", cells![seq.0])?;
    // Retention may have been here first.
    let Some(receipt) = receipt else { return Ok(0) };
    let (source, subject, partition) = lane::about(db, seq)?;
    let about = About { seq, source: &source, subject: &subject, partition };
    let changed = db.execute(
        "UPDATE events SET body = ?4, attributes = NULL, findings = ?2, erased_at_ms = ?3 WHERE seq = ?1",
        cells![seq.0, erased, at_ms, &[0_u8; 0]],
    )?;
    let sql = "SELECT plugin, state FROM plans WHERE event_seq = ?1";
    let plans: Vec<(PluginName, i64)> = db.rows(sql, cells![seq.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (plugin, plan_state) in plans {
        said(db, seq, &plugin)?;
        drop_plan(db, tally, about, (&plugin, plan_state), at_ms)?;
    }
    lane::update_event(db, tally, seq, at_ms)?;
    let sql = "SELECT seq FROM effects WHERE event_seq = ?1";
    for effect_seq in db.rows(sql, cells![seq.0], |row| Ok(EffectSeq(row.get(0)?)))? {
        effect(db, tally, effect_seq)?;
    }
    upcoming(db, tally, "DELETE FROM upcoming WHERE cause = ?1", receipt.into())?;
    for sql in [
        "DELETE FROM drifts WHERE event_seq = ?1",
        "UPDATE interventions SET reason = NULL WHERE event_seq = ?1",
    ] {
        db.execute(sql, cells![seq.0])?;
    }
    if !about.subject.is_empty() {
        for sql in [
            "UPDATE memories SET body = NULL WHERE source = ?1 AND subject = ?2",
            "UPDATE subjects SET expected = NULL WHERE source = ?1 AND subject = ?2",
        ] {
            db.execute(sql, cells![about.source, about.subject])?;
        }
    }
    Ok(changed)
}

fn upcoming(db: &dyn Database, tally: &mut Tally, sql: &str, of: Cell<'_>) -> anyhow::Result<u64> {
    let gone = db.execute(sql, &[of])?;
    for _ in 0..gone {
        tally.remove(Counted::Upcoming, 0);
    }
    Ok(gone)
}

/// What a plugin said about an event, and what it remembered then. Why it waits or is parked is replaced, so that it still
/// says something.
fn said(db: &dyn Database, seq: EventSeq, plugin: &PluginName) -> anyhow::Result<u64> {
    db.execute(
        "UPDATE plans SET notes = NULL, log = NULL, memory = NULL, fingerprint = NULL,
                          why = CASE WHEN why IS NULL THEN why ELSE ?3 END
         WHERE event_seq = ?1 AND plugin = ?2",
        cells![seq.0, plugin, FORGOTTEN],
    )
}

/// A plan that waits, is held or is parked is dropped: there is nothing left to ask about. What waits behind it goes on.
fn drop_plan(
    db: &dyn Database,
    tally: &mut Tally,
    about: About<'_>,
    (plugin, before): (&PluginName, i64),
    at_ms: u64,
) -> anyhow::Result<()> {
    if !matches!(before, state::WAITING | state::PARKED | state::HELD) {
        return Ok(());
    }
    db.execute(
        "UPDATE plans SET state = 5, why = ?3 WHERE event_seq = ?1 AND plugin = ?2",
        cells![about.seq.0, plugin.as_str(), FORGOTTEN],
    )?;
    tally.change(Counted::Plan, before, state::DROPPED);
    lane::leave(db, tally, about, plugin, at_ms)
}

/// The request and what its attempts gave; one that is not performed is dropped.
fn effect(db: &dyn Database, tally: &mut Tally, EffectSeq(seq): EffectSeq) -> anyhow::Result<u64> {
    let sql = "SELECT unseal(record, 'effects.record', event_seq, plugin), state FROM effects WHERE seq = ?1";
    let found = db.optional(sql, cells![seq], |row| {
        Ok((Effect::from_record(&row.text(0)?).context("read an effect")?, row.get(1)?))
    })?;
    let Some((found, before)) = found else { return Ok(0) };
    let (after, what) = match before {
        state::DONE => (state::DONE, "done; erased"),
        _ => (state::DROPPED, FORGOTTEN),
    };
    tally.change(Counted::Effect, before, after);
    db.execute("DELETE FROM attempts WHERE effect_seq = ?1", cells![seq])?;
    db.execute(
        "UPDATE effects SET record = ?2, what = ?3, state = ?4, target = '' WHERE seq = ?1",
        cells![seq, found.erased().to_record(), what, after],
    )
}
