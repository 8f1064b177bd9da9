//! Effects in the tables: what is due to which target, what performing gave, which targets are left alone.

use super::queries::limit;
use super::schema::state;
use super::seal::Sealing;
use super::tally::{Counted, Tally};
use crate::effect::Effect;
use crate::store::outbox::{Origin, PauseChange, PauseRow, TryRow, WaitingTarget};
use crate::store::{DueEffect, EffectOutcome, EffectSeq, EffectState};
use crate::target::{Pause, Target};
use crate::trace::TraceParent;
use anyhow::Context as _;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Statement, Transaction, params};
use tidegate_envelope::SourceName;

/// The targets that effects wait to go to: the next one is found in the index, however many effects the one before has.
pub(super) fn targets_waiting(
    db: &Connection,
    now_ms: u64,
    each_max: usize,
) -> anyhow::Result<Vec<WaitingTarget>> {
    let mut next = db.prepare_cached(
        "SELECT target, due_at_ms FROM effects WHERE state = 1 AND target > ?1 ORDER BY target, due_at_ms LIMIT 1",
    )?;
    let mut due = db.prepare_cached(
        "SELECT seq FROM effects WHERE state = 1 AND target = ?1 AND due_at_ms <= ?2 ORDER BY due_at_ms, seq LIMIT ?3",
    )?;
    let mut later = db.prepare_cached(
        "SELECT due_at_ms FROM effects WHERE state = 1 AND target = ?1 AND due_at_ms > ?2 ORDER BY due_at_ms LIMIT 1",
    )?;
    let (mut waiting, mut last, now_ms) = (Vec::new(), String::new(), now_ms.cast_signed());
    while let Some((target, due_at_ms)) =
        next.query_row([&last], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).optional()?
    {
        let next_at_ms: Option<i64> =
            later.query_row(params![target, now_ms], |row| row.get(0)).optional()?;
        let seqs =
            due.query_map(params![target, now_ms, limit(each_max)], |row| Ok(EffectSeq(row.get(0)?)))?;
        waiting.push(WaitingTarget {
            target: Target::from_stored(&target),
            due_at_ms: due_at_ms.cast_unsigned(),
            due: seqs.collect::<Result<_, _>>()?,
            next_at_ms: next_at_ms.map(i64::cast_unsigned),
        });
        last = target;
    }
    Ok(waiting)
}

/// Those of these effects that wait.
pub(super) fn effects(db: &Connection, seqs: &[EffectSeq]) -> anyhow::Result<Vec<DueEffect>> {
    let mut statement = db.prepare_cached(
        "SELECT unseal(record, 'effects.record', event_seq, plugin), attempts, event_seq,
                (SELECT parent FROM traces t WHERE t.event_seq = effects.event_seq)
         FROM effects
         WHERE seq = ?1 AND state = 1",
    )?;
    let mut due = Vec::new();
    for seq in seqs {
        let mut rows = statement.query([seq.0])?;
        let Some(row) = rows.next()? else { continue };
        let effect =
            Effect::from_record(row.get_ref(0)?.as_str()?).context("read an effect from the outbox")?;
        // Only a reply tells of it: the event may be long, and is not read for nothing.
        let origin = match effect.request().reply_tag() {
            Some(_) => origin(db, row.get(2)?)?,
            None => None,
        };
        let trace = row.get::<_, Option<_>>(3)?.map(TraceParent::from_bytes);
        due.push(DueEffect { seq: *seq, effect, attempts: row.get(1)?, origin, trace });
    }
    Ok(due)
}

fn origin(db: &Connection, event_seq: i64) -> anyhow::Result<Option<Origin>> {
    let mut statement = db.prepare_cached("SELECT source, subject, depth FROM events WHERE seq = ?1")?;
    let found: Option<(String, String, u32)> =
        statement.query_row([event_seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let read = |(source, subject, depth): (String, _, _)| {
        anyhow::Ok(Origin { source: SourceName::new(&source)?, subject, depth })
    };
    found.map(read).transpose()
}

/// The targets that are left alone.
pub(super) fn pauses(db: &Connection) -> anyhow::Result<Vec<(Target, Pause)>> {
    let mut statement = db.prepare_cached("SELECT target, until_ms, length_ms FROM pauses")?;
    let read = statement.query_map([], |row| {
        let (until_ms, length_ms): (i64, i64) = (row.get(1)?, row.get(2)?);
        let pause = Pause { until_ms: until_ms.cast_unsigned(), length_ms: length_ms.cast_unsigned() };
        Ok((Target::from_stored(row.get_ref(0)?.as_str()?), pause))
    })?;
    Ok(read.collect::<Result<_, _>>()?)
}

/// Why effects for this target wait, when it is left alone.
pub(super) fn pause_of(db: &Connection, target: &str) -> anyhow::Result<Option<PauseRow>> {
    let mut statement = db.prepare_cached("SELECT until_ms, why FROM pauses WHERE target = ?1")?;
    let row = statement.query_row([target], |row| {
        Ok(PauseRow { until_ms: row.get::<_, i64>(0)?.cast_unsigned(), why: row.get(1)? })
    });
    Ok(row.optional()?)
}

/// The attempts at an effect before its last one, in their order.
pub(super) fn tries(db: &Connection, effect_seq: i64) -> anyhow::Result<Vec<TryRow>> {
    let mut statement =
        db.prepare_cached("SELECT attempt, what, at_ms FROM attempts WHERE effect_seq = ?1 ORDER BY at_ms")?;
    let rows = statement.query_map([effect_seq], |row| {
        Ok(TryRow { attempt: row.get(0)?, what: row.get(1)?, at_ms: row.get::<_, i64>(2)?.cast_unsigned() })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An effect that waits for its first attempt.
pub(super) const INSERT_EFFECT: &str = "
    INSERT INTO effects (event_seq, plugin, record, state, attempts, due_at_ms, target) VALUES (?1, ?2, ?3, 1, 0, ?4, ?5)";

/// `insert` is [`INSERT_EFFECT`].
pub(super) fn write_effect(
    (db, insert): (&Sealing<'_>, &mut Statement<'_>),
    event_seq: i64,
    plugin: &str,
    effect: &Effect,
    due_at_ms: u64,
) -> anyhow::Result<()> {
    let (record, target) = (effect.to_record(), effect.request().target());
    let record =
        db.seal("effects.record", &[ValueRef::Integer(event_seq), plugin.into()], record.as_str())?;
    insert.execute(params![event_seq, plugin, record, due_at_ms.cast_signed(), target.as_str()])?;
    Ok(())
}

pub(super) fn write_outcome(
    db: &Sealing<'_>,
    tally: &mut Tally,
    outcome: &EffectOutcome,
) -> anyhow::Result<()> {
    let EffectOutcome { seq, attempts, state, what, at_ms, .. } = outcome;
    if !db.prepare_cached("SELECT 1 FROM effects WHERE seq = ?1 AND state = 1")?.exists([seq.0])? {
        // It was dropped while it was performed: its person was forgotten, and the answer may name them.
        return Ok(());
    }
    keep_last_try(db, *seq)?;
    let attempt = Attempted { seq: seq.0, attempts: *attempts, state: *state, what, at_ms: *at_ms };
    write_attempt(db, tally, Counted::Effect, &attempt)?;
    outcome.reply.iter().try_for_each(|reply| super::write::write_upcoming(db, tally, reply))
}

/// The last attempt stands with its effect, and most are the only one: it is kept before another takes its place.
pub(super) fn keep_last_try(db: &Transaction<'_>, seq: EffectSeq) -> anyhow::Result<()> {
    db.prepare_cached(
        "INSERT INTO attempts (effect_seq, attempt, what, at_ms)
         SELECT seq, attempts, what, at_ms FROM effects WHERE seq = ?1 AND what IS NOT NULL ON CONFLICT DO NOTHING",
    )?
    .execute([seq.0])?;
    Ok(())
}

/// One attempt at something of an outbox.
pub(super) struct Attempted<'a> {
    pub(super) seq: i64,
    pub(super) attempts: u32,
    pub(super) state: EffectState,
    pub(super) what: &'a str,
    pub(super) at_ms: u64,
}

/// Writes what an attempt gave: at an effect, or at an alert, whose table is made the same way.
pub(super) fn write_attempt(
    db: &Transaction<'_>,
    tally: &mut Tally,
    of: Counted,
    attempted: &Attempted<'_>,
) -> anyhow::Result<()> {
    let table = if of == Counted::Alert { "alerts" } else { "effects" };
    let Attempted { seq, attempts, state, what, at_ms } = attempted;
    let (state, due_at_ms) = state::after_attempt(*state);
    let before = db
        .prepare_cached(&format!("SELECT state FROM {table} WHERE seq = ?1"))?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    if let Some(before) = before {
        tally.change(of, before, state);
    }
    db.prepare_cached(&format!(
        "UPDATE {table} SET state = ?2, attempts = ?3, due_at_ms = coalesce(?4, due_at_ms), what = ?5, at_ms = ?6
         WHERE seq = ?1"
    ))?
    .execute(params![seq, state, attempts, due_at_ms, what, at_ms.cast_signed()])?;
    Ok(())
}

pub(super) fn write_pause(db: &Transaction<'_>, change: &PauseChange) -> anyhow::Result<()> {
    match &change.pause {
        Some((pause, why)) => db
            .prepare_cached(
                "INSERT OR REPLACE INTO pauses (target, until_ms, length_ms, why) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                change.target.as_str(),
                pause.until_ms.cast_signed(),
                pause.length_ms.cast_signed(),
                why
            ])?,
        None => {
            db.prepare_cached("DELETE FROM pauses WHERE target = ?1")?.execute([change.target.as_str()])?
        }
    };
    Ok(())
}
