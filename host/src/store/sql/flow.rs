//! How events and effects flow, read in bounded stretches.

use super::database::{Database, Row, cells};
use super::state;
use crate::effect::Effect;
use crate::store::flow::{EffectQuery, EffectsPage, Flow, OutboxRow, Passed};
use anyhow::Context as _;

/// Rows in one page at most.
const ROWS_MAX: usize = 500;
/// Effects looked at in one call: some milliseconds.
const STRETCH: i64 = 20_000;

pub(super) fn flow(db: &dyn Database, after: i64, rows_max: usize) -> anyhow::Result<Flow> {
    let last = db.value("SELECT max(seq) FROM events", cells![])?.unwrap_or_default();
    let sql = "SELECT source, received_at_ms, queued_at_ms, decided_at_ms FROM events
               WHERE seq > ?1 AND cause IS NULL ORDER BY seq DESC LIMIT ?2";
    let passed = db.rows(sql, cells![after, rows_max], |row| {
        Ok(Passed {
            source: row.get(0)?,
            received_at_ms: row.get(1)?,
            queued_at_ms: row.get(2)?,
            decided_at_ms: row.get(3)?,
        })
    })?;
    Ok(Flow { last, passed, oldest_waiting_ms: oldest_waiting_ms(db)? })
}

pub(super) fn oldest_waiting_ms(db: &dyn Database) -> anyhow::Result<Option<u64>> {
    let sql =
        "SELECT received_at_ms FROM events WHERE seq = (SELECT min(event_seq) FROM plans WHERE state = 1)";
    db.value(sql, cells![])
}

pub(super) fn effects(db: &dyn Database, query: &EffectQuery) -> anyhow::Result<EffectsPage> {
    let first = db.value("SELECT min(seq) FROM effects", cells![])?.unwrap_or(1);
    let last = db.value("SELECT max(seq) FROM effects", cells![])?.unwrap_or(0);
    let to = query.before.filter(|before| *before > 0).map_or(last, |before| last.min(before - 1));
    let from = first.max(to.saturating_sub(STRETCH - 1));
    let number = query.state.as_deref().map(|word| {
        let states = [state::WAITING, state::DONE, state::PARKED, state::DROPPED];
        states.into_iter().find(|number| state::of_effect(*number) == word).context("find a state")
    });
    let rows_max = query.rows_max.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX);
    let sql = "SELECT f.seq, e.receipt, unseal(f.record, 'effects.record', f.event_seq, f.plugin), f.state, f.attempts, f.what,
                 f.at_ms, f.due_at_ms
               FROM effects f JOIN events e ON e.seq = f.event_seq
               WHERE f.seq BETWEEN ?1 AND ?2 AND (f.state = ?3 OR ?3 IS NULL) AND (f.plugin = ?4 OR ?4 IS NULL)
               ORDER BY f.seq DESC LIMIT ?5";
    // One more than there is room for tells that there is more.
    let of = cells![from, to, number.transpose()?, query.plugin.as_ref(), rows_max + 1];
    let mut page = EffectsPage { effects: db.rows(sql, of, effect)?, cursor: from, is_end: from <= first };
    if page.effects.len() > rows_max {
        page.effects.truncate(rows_max);
        page.cursor = page.effects.last().map_or(from, |effect| effect.cursor);
        page.is_end = false;
    }
    Ok(page)
}

fn effect(row: &Row<'_>) -> anyhow::Result<OutboxRow> {
    let effect = Effect::from_record(&row.text(2)?).context("read an effect")?;
    let (_, plugin, _) = effect.key().parts();
    let number: i64 = row.get(3)?;
    Ok(OutboxRow {
        cursor: row.get(0)?,
        receipt: row.get(1)?,
        plugin,
        key: effect.key().to_string(),
        request: format!("{} {}", effect.request().method(), effect.request().url()),
        state: state::of_effect(number).to_owned(),
        attempts: row.get(4)?,
        what: row.get(5)?,
        at_ms: row.get(6)?,
        due_at_ms: row.get::<Option<u64>>(7)?.filter(|_| number == state::WAITING),
    })
}
