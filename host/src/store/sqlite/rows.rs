//! What people and programs are shown: events with their plans and effects, and what is parked.

use super::queries::limit;
use super::schema::state;
use crate::effect::Effect;
use crate::log::Log;
use crate::plugin::{PluginName, Version};
use crate::store::{EffectRow, EventRow, EventSeq, Page, ParkedRow, PlanRow};
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tidegate_envelope::{Receipt, SourceName};

const EVENT_COLUMNS: &str =
    "seq, receipt, source, kind, subject, duplicate_of, state, received_at_ms, queued_at_ms,
     pulled_at_ms, decided_at_ms, findings";

pub(super) fn events(db: &Connection, page: Page) -> anyhow::Result<(Vec<EventRow>, Option<EventSeq>)> {
    let sql = format!("SELECT {EVENT_COLUMNS} FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let after = page.after.map_or(0, |seq| seq.0);
    let mut rows = statement.query(params![after, limit(page.rows_max)])?;
    let (mut events, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        last = Some(EventSeq(row.get(0)?));
        events.push(event_row(db, row)?);
    }
    Ok((events, last))
}

pub(super) fn event(db: &Connection, receipt: Receipt) -> anyhow::Result<Option<EventRow>> {
    let sql = format!("SELECT {EVENT_COLUMNS} FROM events WHERE receipt = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([receipt.to_bytes()])?;
    rows.next()?.map(|row| event_row(db, row)).transpose()
}

fn event_row(db: &Connection, row: &Row<'_>) -> anyhow::Result<EventRow> {
    let seq: i64 = row.get(0)?;
    let duplicate_of: Option<[u8; 16]> = row.get(5)?;
    let findings: Option<String> = row.get(11)?;
    let (plans, effects) = (plans(db, seq)?, effects(db, seq)?);
    Ok(EventRow {
        receipt: Receipt::from_bytes(row.get(1)?),
        source: SourceName::new(row.get_ref(2)?.as_str()?)?,
        kind: row.get(3)?,
        subject: row.get(4)?,
        class: if duplicate_of.is_some() { "duplicate" } else { "first" }.to_owned(),
        duplicate_of: duplicate_of.map(Receipt::from_bytes),
        state: state::of_plan(row.get(6)?).to_owned(),
        plugin: plans.first().map(|plan| plan.plugin.clone()),
        version: plans.first().map(|plan| plan.version.clone()),
        received_at_ms: ms(row, 7)?,
        queued_at_ms: ms(row, 8)?,
        pulled_at_ms: ms(row, 9)?,
        decided_at_ms: ms(row, 10)?,
        performed_at_ms: effects.iter().filter(|it| it.state == "done").filter_map(|it| it.at_ms).max(),
        findings: findings
            .map_or(Ok(Vec::new()), |text| serde_json::from_str(&text))
            .context("read findings")?,
        plans,
        effects,
    })
}

fn plans(db: &Connection, seq: i64) -> anyhow::Result<Vec<PlanRow>> {
    let mut statement = db.prepare_cached(
        "SELECT p.plugin, v.version, p.state, p.attempt, p.asked_us, p.why, p.notes, p.log
         FROM plans p JOIN versions v ON v.id = p.version_id WHERE p.event_seq = ?1 ORDER BY p.plugin",
    )?;
    let mut rows = statement.query([seq])?;
    let mut plans = Vec::new();
    while let Some(row) = rows.next()? {
        let (notes, log): (Option<String>, Option<String>) = (row.get(6)?, row.get(7)?);
        plans.push(PlanRow {
            plugin: PluginName::new(row.get_ref(0)?.as_str()?)?,
            version: Version::from_stored(row.get_ref(1)?.as_str()?),
            state: state::of_plan(row.get(2)?).to_owned(),
            attempt: row.get(3)?,
            asked_us: ms(row, 4)?,
            why: row.get(5)?,
            notes: notes
                .map_or(Ok(Vec::new()), |notes| serde_json::from_str(&notes))
                .context("read notes")?,
            log: log
                .map_or(Ok(Log::default()), |log| serde_json::from_str(&log))
                .context("read a plugin's log")?,
        });
    }
    Ok(plans)
}

fn effects(db: &Connection, seq: i64) -> anyhow::Result<Vec<EffectRow>> {
    let mut statement = db.prepare_cached(
        "SELECT record, state, attempts, what, at_ms FROM effects WHERE event_seq = ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([seq])?;
    let mut effects = Vec::new();
    while let Some(row) = rows.next()? {
        let effect = Effect::from_record(row.get_ref(0)?.as_str()?).context("read an effect")?;
        effects.push(EffectRow {
            key: effect.key().to_string(),
            request: format!("{} {}", effect.request().method(), effect.request().url()),
            state: state::of_effect(row.get(1)?).to_owned(),
            attempts: row.get(2)?,
            what: row.get(3)?,
            at_ms: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
        });
    }
    Ok(effects)
}

pub(super) fn parked(db: &Connection, rows_max: usize) -> anyhow::Result<Vec<ParkedRow>> {
    let mut statement = db.prepare_cached(
        "SELECT 'event', event_seq, plugin, NULL, why, decided_at_ms AS at FROM plans WHERE state = 2
         UNION ALL SELECT 'effect', event_seq, plugin, record, what, at_ms FROM effects WHERE state = 2
         UNION ALL SELECT 'stray', NULL, NULL, NULL, why, pulled_at_ms FROM strays
         UNION ALL SELECT 'alert', NULL, NULL, NULL, kind || ': ' || what, at_ms FROM alerts WHERE state = 2
         ORDER BY at LIMIT ?1",
    )?;
    let mut rows = statement.query([limit(rows_max)])?;
    let mut parked = Vec::new();
    while let Some(row) = rows.next()? {
        let record: Option<String> = row.get(3)?;
        let effect =
            record.map(|record| Effect::from_record(&record)).transpose().context("read an effect")?;
        let plugin: Option<String> = row.get(2)?;
        parked.push(ParkedRow {
            what: row.get(0)?,
            receipt: receipt_of(db, row.get(1)?)?,
            plugin: plugin.map(|name| PluginName::new(&name)).transpose()?,
            key: effect.map(|effect| effect.key().to_string()),
            why: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            at_ms: row.get::<_, Option<i64>>(5)?.unwrap_or_default().cast_unsigned(),
        });
    }
    Ok(parked)
}

fn receipt_of(db: &Connection, seq: Option<i64>) -> anyhow::Result<Option<Receipt>> {
    let Some(seq) = seq else { return Ok(None) };
    let mut statement = db.prepare_cached("SELECT receipt FROM events WHERE seq = ?1")?;
    Ok(statement.query_row([seq], |row| row.get(0)).optional()?.map(Receipt::from_bytes))
}

fn ms(row: &Row<'_>, column: usize) -> anyhow::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}
