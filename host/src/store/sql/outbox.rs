//! Effects in the tables: what is due to which target, what performing gave, which targets are left alone.

use super::database::{Cell, Database, Rows, cells};
use super::state;
use super::tally::{Counted, Tally};
use crate::effect::Effect;
use crate::store::outbox::{Origin, PauseChange, PauseRow, TryRow, WaitingTarget};
use crate::store::{DueEffect, EffectOutcome, EffectSeq};
use crate::target::{Pause, Target};
use crate::trace::TraceParent;
use anyhow::Context as _;
use std::collections::{HashMap, HashSet};

/// The targets that effects wait to go to: the next one is found in the index, however many effects the one before has.
pub(super) fn targets_waiting(
    db: &dyn Database,
    now_ms: u64,
    each_max: usize,
) -> anyhow::Result<Vec<WaitingTarget>> {
    let next = "SELECT target, due_at_ms FROM effects WHERE state = 1 AND target > ?1 ORDER BY target, due_at_ms LIMIT 1";
    let due = "SELECT seq FROM effects WHERE state = 1 AND target = ?1 AND due_at_ms <= ?2 ORDER BY due_at_ms, seq LIMIT ?3";
    let later = "SELECT due_at_ms FROM effects WHERE state = 1 AND target = ?1 AND due_at_ms > ?2 ORDER BY due_at_ms LIMIT 1";
    let (mut waiting, mut last) = (Vec::new(), String::new());
    while let Some((target, due_at_ms)) =
        db.optional(next, cells![&last], |row| Ok((row.get::<String>(0)?, row.get(1)?)))?
    {
        waiting.push(WaitingTarget {
            target: Target::from_stored(&target),
            due_at_ms,
            due: db.rows(due, cells![&target, now_ms, each_max], |row| Ok(EffectSeq(row.get(0)?)))?,
            next_at_ms: db.value(later, cells![&target, now_ms])?,
        });
        last = target;
    }
    Ok(waiting)
}

/// Those of these effects that wait, in this order.
pub(super) fn effects(db: &dyn Database, seqs: &[EffectSeq]) -> anyhow::Result<Vec<DueEffect>> {
    let sql = "SELECT unseal(record, 'effects.record', event_seq, plugin), attempts, event_seq,
                 (SELECT parent FROM traces t WHERE t.event_seq = effects.event_seq), seq
               FROM effects WHERE seq IN rarray(?1) AND state = 1";
    let of: Cell<'_> = seqs.iter().map(|seq| Cell::Int(seq.0)).collect();
    let found = db.rows(sql, &[of], |row| {
        let effect = Effect::from_record(&row.text(0)?).context("read an effect from the outbox")?;
        let trace = row.get::<Option<_>>(3)?.map(TraceParent::from_bytes);
        let due =
            DueEffect { seq: EffectSeq(row.get(4)?), effect, attempts: row.get(1)?, origin: None, trace };
        Ok((due.seq, (row.get(2)?, due)))
    })?;
    let mut found: HashMap<_, (i64, DueEffect)> = found.into_iter().collect();
    let mut all = Vec::with_capacity(found.len());
    for seq in seqs {
        let Some((event_seq, mut due)) = found.remove(seq) else { continue };
        // Only a reply tells of it: the event may be long, and is not read for nothing.
        if due.effect.request().reply_tag().is_some() {
            due.origin = origin(db, event_seq)?;
        }
        all.push(due);
    }
    Ok(all)
}

fn origin(db: &dyn Database, event_seq: i64) -> anyhow::Result<Option<Origin>> {
    db.optional("SELECT source, subject, depth FROM events WHERE seq = ?1", cells![event_seq], |row| {
        Ok(Origin { source: row.get(0)?, subject: row.get(1)?, depth: row.get(2)? })
    })
}

/// The targets that are left alone.
pub(super) fn pauses(db: &dyn Database) -> anyhow::Result<Vec<(Target, Pause)>> {
    db.rows("SELECT target, until_ms, length_ms FROM pauses", cells![], |row| {
        let pause = Pause { until_ms: row.get(1)?, length_ms: row.get(2)? };
        Ok((Target::from_stored(&row.text(0)?), pause))
    })
}

/// Why effects for this target wait, when it is left alone.
pub(super) fn pause_of(db: &dyn Database, target: &str) -> anyhow::Result<Option<PauseRow>> {
    db.optional("SELECT until_ms, why FROM pauses WHERE target = ?1", cells![target], |row| {
        Ok(PauseRow { until_ms: row.get(0)?, why: row.get(1)? })
    })
}

/// The attempts at an effect before its last one, in their order.
pub(super) fn tries(db: &dyn Database, effect_seq: i64) -> anyhow::Result<Vec<TryRow>> {
    let sql = "SELECT attempt, what, at_ms FROM attempts WHERE effect_seq = ?1 ORDER BY at_ms";
    db.rows(sql, cells![effect_seq], |row| {
        Ok(TryRow { attempt: row.get(0)?, what: row.get(1)?, at_ms: row.get(2)? })
    })
}

/// An effect that waits for its first attempt.
pub(super) const INSERT_EFFECT: &str = "
    INSERT INTO effects (event_seq, plugin, record, state, attempts, due_at_ms, target) VALUES (?1, ?2, ?3, 1, 0, ?4, ?5)";

/// The values of [`INSERT_EFFECT`].
pub(super) fn effect_row<'a>(
    db: &dyn Database,
    event_seq: i64,
    plugin: &'a str,
    effect: &Effect,
    due_at_ms: u64,
) -> anyhow::Result<[Cell<'a>; 5]> {
    let record = db.seal("effects.record", cells![event_seq, plugin], effect.to_record())?;
    let target = effect.request().target().as_str().to_owned();
    Ok([event_seq.into(), plugin.into(), record, due_at_ms.into(), target.into()])
}

/// What performing gave.
pub(super) fn write_outcomes(
    db: &dyn Database,
    tally: &mut Tally,
    mut outcomes: &[EffectOutcome],
) -> anyhow::Result<()> {
    while !outcomes.is_empty() {
        // Of two attempts at one effect the second is written after the first.
        let mut seen = HashSet::new();
        let distinct = outcomes.iter().take_while(|outcome| seen.insert(outcome.seq)).count();
        let (now, later) = outcomes.split_at(distinct);
        write_distinct(db, tally, now)?;
        outcomes = later;
    }
    Ok(())
}

fn write_distinct(db: &dyn Database, tally: &mut Tally, outcomes: &[EffectOutcome]) -> anyhow::Result<()> {
    let of: Cell<'_> = outcomes.iter().map(|outcome| Cell::Int(outcome.seq.0)).collect();
    let sql =
        "SELECT seq, due_at_ms, attempts, what, at_ms FROM effects WHERE seq IN rarray(?1) AND state = 1";
    let mut tries = Rows::new(4, 0);
    let waiting = db.rows(sql, &[of], |row| {
        let seq: i64 = row.get(0)?;
        if let Some(what) = row.get::<Option<String>>(3)? {
            tries.push([seq.into(), row.get::<i64>(2)?.into(), what.into(), row.get::<i64>(4)?.into()]);
        }
        Ok((seq, row.get(1)?))
    })?;
    let waiting: HashMap<i64, i64> = waiting.into_iter().collect();
    db.execute_many(INSERT_TRY, &tries)?;
    let mut updates = Rows::new(6, 0);
    for outcome in outcomes {
        // One that does not wait was dropped while it was performed: its person was forgotten, and the answer may name them.
        let Some(due_before_ms) = waiting.get(&outcome.seq.0) else { continue };
        let (state, due_at_ms) = state::after_attempt(outcome.state);
        tally.change(Counted::Effect, state::WAITING, state);
        let due_at_ms = due_at_ms.unwrap_or(*due_before_ms);
        let EffectOutcome { seq, attempts, what, at_ms, .. } = outcome;
        updates.push([
            seq.0.into(),
            state.into(),
            (*attempts).into(),
            due_at_ms.into(),
            what.into(),
            (*at_ms).into(),
        ]);
    }
    db.execute_many(
        "UPDATE effects SET state = ?2, attempts = ?3, due_at_ms = ?4, what = ?5, at_ms = ?6 WHERE seq = ?1",
        &updates,
    )?;
    let performed = outcomes.iter().filter(|outcome| waiting.contains_key(&outcome.seq.0));
    let mut replies = performed.filter_map(|outcome| outcome.reply.as_ref());
    replies.try_for_each(|reply| super::write::write_upcoming(db, tally, reply))
}

/// The last attempt stands with its effect, and most are the only one: it is kept before another takes its place.
const INSERT_TRY: &str =
    "INSERT INTO attempts (effect_seq, attempt, what, at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";

/// As [`INSERT_TRY`], of one effect that a person has tried anew.
pub(super) fn keep_last_try(db: &dyn Database, seq: EffectSeq) -> anyhow::Result<()> {
    db.execute(
        "INSERT INTO attempts (effect_seq, attempt, what, at_ms)
         SELECT seq, attempts, what, at_ms FROM effects WHERE seq = ?1 AND what IS NOT NULL ON CONFLICT DO NOTHING",
        cells![seq.0],
    )?;
    Ok(())
}

pub(super) fn write_pause(db: &dyn Database, change: &PauseChange) -> anyhow::Result<()> {
    let target = change.target.as_str();
    match &change.pause {
        Some((pause, why)) => db.execute(
            "INSERT INTO pauses (target, until_ms, length_ms, why) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (target) DO UPDATE SET until_ms = ?2, length_ms = ?3, why = ?4",
            cells![target, pause.until_ms, pause.length_ms, why],
        )?,
        None => db.execute("DELETE FROM pauses WHERE target = ?1", cells![target])?,
    };
    Ok(())
}
