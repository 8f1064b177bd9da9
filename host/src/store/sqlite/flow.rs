//! How events and effects flow, read in bounded stretches.

use super::queries::limit;
use super::schema::state;
use crate::effect::Effect;
use crate::store::flow::{EffectQuery, EffectsPage, Flow, OutboxRow, Passed};
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tidegate_envelope::{Receipt, SourceName};

/// Rows in one page at most.
const ROWS_MAX: usize = 500;
/// Effects looked at in one call: some milliseconds.
const STRETCH: i64 = 20_000;

pub(super) fn flow(db: &Connection, after: i64, rows_max: usize) -> anyhow::Result<Flow> {
    let last: Option<i64> = db.query_row("SELECT max(seq) FROM events", [], |row| row.get(0))?;
    let mut statement = db.prepare_cached(
        "SELECT source, received_at_ms, queued_at_ms, decided_at_ms FROM events
         WHERE seq > ?1 AND cause IS NULL ORDER BY seq DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit(rows_max)])?;
    let mut passed = Vec::new();
    while let Some(row) = rows.next()? {
        let ms = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        passed.push(Passed {
            source: SourceName::new(row.get_ref(0)?.as_str()?)?,
            received_at_ms: ms(1)?,
            queued_at_ms: ms(2)?,
            decided_at_ms: ms(3)?,
        });
    }
    let oldest_waiting_ms = oldest_waiting_ms(db)?;
    Ok(Flow { last: last.unwrap_or_default(), passed, oldest_waiting_ms })
}

pub(super) fn oldest_waiting_ms(db: &Connection) -> anyhow::Result<Option<u64>> {
    let mut statement = db.prepare_cached(
        "SELECT received_at_ms FROM events WHERE seq = (SELECT min(event_seq) FROM plans WHERE state = 1)",
    )?;
    let oldest: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(oldest.map(i64::cast_unsigned))
}

pub(super) fn effects(db: &Connection, query: &EffectQuery) -> anyhow::Result<EffectsPage> {
    let bounds = |sql| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let first = bounds("SELECT min(seq) FROM effects")?.unwrap_or(1);
    let last = bounds("SELECT max(seq) FROM effects")?.unwrap_or(0);
    let to = query.before.filter(|before| *before > 0).map_or(last, |before| last.min(before - 1));
    let from = first.max(to.saturating_sub(STRETCH - 1));
    let number = query.state.as_deref().map(|word| {
        let states = [state::WAITING, state::DONE, state::PARKED, state::DROPPED];
        states.into_iter().find(|number| state::of_effect(*number) == word).context("find a state")
    });
    let rows_max = query.rows_max.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX);
    let mut statement = db.prepare_cached(
        "SELECT f.seq, e.receipt, unseal(f.record, 'effects.record', f.event_seq, f.plugin), f.state, f.attempts, f.what,
                f.at_ms, f.due_at_ms
         FROM effects f JOIN events e ON e.seq = f.event_seq
         WHERE f.seq BETWEEN ?1 AND ?2 AND (?3 IS NULL OR f.state = ?3) AND (?4 IS NULL OR f.plugin = ?4)
         ORDER BY f.seq DESC LIMIT ?5",
    )?;
    let mut rows = statement.query(params![
        from,
        to,
        number.transpose()?,
        query.plugin,
        limit(rows_max.saturating_add(1))
    ])?;
    let mut page = EffectsPage { effects: Vec::new(), cursor: from, is_end: from <= first };
    while let Some(row) = rows.next()? {
        if page.effects.len() >= rows_max {
            page.cursor = page.effects.last().map_or(from, |effect| effect.cursor);
            page.is_end = false;
            break;
        }
        page.effects.push(effect(row)?);
    }
    Ok(page)
}

fn effect(row: &Row<'_>) -> anyhow::Result<OutboxRow> {
    let effect = Effect::from_record(row.get_ref(2)?.as_str()?).context("read an effect")?;
    let (_, plugin, _) = effect.key().parts();
    let number: i64 = row.get(3)?;
    let ms = |column| row.get::<_, Option<i64>>(column).map(|ms| ms.map(i64::cast_unsigned));
    Ok(OutboxRow {
        cursor: row.get(0)?,
        receipt: Receipt::from_bytes(row.get(1)?),
        plugin,
        key: effect.key().to_string(),
        request: format!("{} {}", effect.request().method(), effect.request().url()),
        state: state::of_effect(number).to_owned(),
        attempts: row.get(4)?,
        what: row.get(5)?,
        at_ms: ms(6)?,
        due_at_ms: ms(7)?.filter(|_| number == state::WAITING),
    })
}
