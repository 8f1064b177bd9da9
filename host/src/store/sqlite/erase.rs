//! Erases what names a person. The rows stay, with their keys, times and hashes; what waited is dropped, and counted so.

use super::lane;
use super::schema::state;
use super::tally::{Counted, Tally};
use crate::effect::Effect;
use crate::finding::{self, Finding};
use crate::plugin::PluginName;
use crate::store::keeping::{Audit, Erasure, Place};
use crate::store::{EffectSeq, EventSeq};
use anyhow::Context as _;
use rusqlite::{OptionalExtension as _, Transaction, params};

/// Why something was dropped that waited.
const FORGOTTEN: &str = "forgotten: it named a person who was to be";

pub(super) fn write(db: &Transaction<'_>, tally: &mut Tally, erasure: &Erasure) -> anyhow::Result<()> {
    for place in &erasure.places {
        erase(db, tally, place, erasure.at_ms).context("erase what names a person")?;
    }
    Ok(())
}

pub(super) fn audit(db: &Transaction<'_>, audit: &Audit) -> anyhow::Result<()> {
    db.prepare_cached("INSERT INTO audit (at_ms, record) VALUES (?1, ?2)")?
        .execute(params![audit.at_ms.cast_signed(), audit.record])?;
    Ok(())
}

fn erase(db: &Transaction<'_>, tally: &mut Tally, place: &Place, at_ms: u64) -> anyhow::Result<()> {
    let (sql, of): (_, &[&dyn rusqlite::ToSql]) = match place {
        Place::Event(seq) => return event(db, tally, *seq, at_ms),
        Place::Effect(seq) => return effect(db, tally, *seq),
        Place::Upcoming(seq) => return upcoming(db, tally, "DELETE FROM upcoming WHERE seq = ?1", &seq.0),
        Place::Plan(seq, plugin) => return said(db, *seq, plugin),
        Place::Recalled(seq, plugin) => (
            "UPDATE plans SET memory = NULL, fingerprint = NULL WHERE event_seq = ?1 AND plugin = ?2",
            params![seq.0, plugin.as_str()],
        ),
        Place::Drift(seq, plugin, version) => (
            "DELETE FROM drifts WHERE event_seq = ?1 AND plugin = ?2 AND version_id = ?3",
            params![seq.0, plugin.as_str(), *version],
        ),
        Place::Memory(key, plugin) => (
            "UPDATE memories SET body = NULL WHERE source = ?1 AND subject = ?2 AND plugin = ?3",
            params![key.source.as_str(), &*key.subject, plugin.as_str()],
        ),
        Place::Expected(key) => (
            "UPDATE subjects SET expected = NULL WHERE source = ?1 AND subject = ?2",
            params![key.source.as_str(), &*key.subject],
        ),
        Place::Stray(seq) => {
            ("UPDATE strays SET body = '', why = ?2 WHERE seq = ?1", params![*seq, FORGOTTEN])
        }
        Place::Intervention(seq) => {
            ("UPDATE interventions SET reason = ?2 WHERE seq = ?1", params![*seq, FORGOTTEN])
        }
    };
    db.prepare_cached(sql)?.execute(of)?;
    Ok(())
}

/// The event's body, what plugins said about it and remember of its subject, its effects and what is to come of it. An empty
/// body is no JSON, so nobody is told it as the state before.
fn event(db: &Transaction<'_>, tally: &mut Tally, seq: EventSeq, at_ms: u64) -> anyhow::Result<()> {
    let erased =
        serde_json::to_string(&[Finding::new(finding::ERASED, "it named a person who was to be forgotten")])?;
    let receipt: Option<Vec<u8>> = db
        .prepare_cached("SELECT receipt FROM events WHERE seq = ?1")?
        .query_row([seq.0], |row| row.get(0))
        .optional()?;
    // Retention may have been here first.
    let Some(receipt) = receipt else { return Ok(()) };
    let about = lane::about(db, seq)?;
    db.prepare_cached(
        "UPDATE events SET body = X'', attributes = NULL, findings = ?2, erased_at_ms = ?3 WHERE seq = ?1",
    )?
    .execute(params![seq.0, erased, at_ms.cast_signed()])?;
    for (plugin, plan_state) in plans(db, seq)? {
        said(db, seq, &plugin)?;
        drop_plan(db, tally, &about, (&plugin, plan_state), at_ms)?;
    }
    lane::update_event(db, tally, seq, at_ms)?;
    let effects = db
        .prepare_cached("SELECT seq FROM effects WHERE event_seq = ?1")?
        .query_map([seq.0], |row| Ok(EffectSeq(row.get(0)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    effects.into_iter().try_for_each(|effect_seq| effect(db, tally, effect_seq))?;
    upcoming(db, tally, "DELETE FROM upcoming WHERE cause = ?1", &receipt)?;
    for sql in [
        "DELETE FROM drifts WHERE event_seq = ?1",
        "UPDATE interventions SET reason = NULL WHERE event_seq = ?1",
    ] {
        db.prepare_cached(sql)?.execute([seq.0])?;
    }
    if !about.subject.is_empty() {
        for sql in [
            "UPDATE memories SET body = NULL WHERE source = ?1 AND subject = ?2",
            "UPDATE subjects SET expected = NULL WHERE source = ?1 AND subject = ?2",
        ] {
            db.prepare_cached(sql)?.execute([&about.source, &about.subject])?;
        }
    }
    Ok(())
}

fn upcoming(
    db: &Transaction<'_>,
    tally: &mut Tally,
    sql: &str,
    of: &dyn rusqlite::ToSql,
) -> anyhow::Result<()> {
    for _ in 0..db.prepare_cached(sql)?.execute([of])? {
        tally.remove(Counted::Upcoming, 0);
    }
    Ok(())
}

fn plans(db: &Transaction<'_>, seq: EventSeq) -> anyhow::Result<Vec<(PluginName, i64)>> {
    let mut statement = db.prepare_cached("SELECT plugin, state FROM plans WHERE event_seq = ?1")?;
    let mut rows = statement.query([seq.0])?;
    let mut plans = Vec::new();
    while let Some(row) = rows.next()? {
        plans.push((PluginName::new(row.get_ref(0)?.as_str()?)?, row.get(1)?));
    }
    Ok(plans)
}

/// What a plugin said about an event, and what it remembered then. Why it waits or is parked is replaced, so that it still
/// says something.
fn said(db: &Transaction<'_>, seq: EventSeq, plugin: &PluginName) -> anyhow::Result<()> {
    db.prepare_cached(
        "UPDATE plans SET notes = NULL, log = NULL, memory = NULL, fingerprint = NULL, why = iif(why IS NULL, NULL, ?3)
         WHERE event_seq = ?1 AND plugin = ?2",
    )?
    .execute(params![seq.0, plugin.as_str(), FORGOTTEN])?;
    Ok(())
}

/// A plan that waits, is held or is parked is dropped: there is nothing left to ask about. What waits behind it goes on.
fn drop_plan(
    db: &Transaction<'_>,
    tally: &mut Tally,
    about: &lane::About,
    (plugin, before): (&PluginName, i64),
    at_ms: u64,
) -> anyhow::Result<()> {
    if !matches!(before, state::WAITING | state::PARKED | state::HELD) {
        return Ok(());
    }
    db.prepare_cached("UPDATE plans SET state = 5, why = ?3 WHERE event_seq = ?1 AND plugin = ?2")?
        .execute(params![about.seq.0, plugin.as_str(), FORGOTTEN])?;
    tally.change(Counted::Plan, before, state::DROPPED);
    lane::leave(db, tally, about, plugin, at_ms)
}

/// The request and what its attempts gave; one that is not performed is dropped.
fn effect(db: &Transaction<'_>, tally: &mut Tally, EffectSeq(seq): EffectSeq) -> anyhow::Result<()> {
    let found: Option<(String, i64)> = db
        .prepare_cached(
            "SELECT unseal(record, 'effects.record', event_seq, plugin), state FROM effects WHERE seq = ?1",
        )?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((record, before)) = found else { return Ok(()) };
    let (after, what) = match before {
        state::DONE => (state::DONE, "done; erased"),
        _ => (state::DROPPED, FORGOTTEN),
    };
    let erased = Effect::from_record(&record).context("read an effect")?.erased().to_record();
    db.prepare_cached("UPDATE effects SET record = ?2, what = ?3, state = ?4, target = '' WHERE seq = ?1")?
        .execute(params![seq, erased, what, after])?;
    tally.change(Counted::Effect, before, after);
    db.prepare_cached("DELETE FROM attempts WHERE effect_seq = ?1")?.execute([seq])?;
    Ok(())
}
