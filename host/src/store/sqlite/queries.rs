//! What the host itself reads to go on with its work.

use crate::effect::Effect;
use crate::event::Event;
use crate::plugin::{PluginName, Version};
use crate::store::{Deployment, DueAsk, DueEffect, EffectSeq, EventSeq};
use anyhow::Context as _;
use rusqlite::{Connection, Row, params};
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};

pub(super) fn effects_due(db: &Connection, now_ms: u64, rows_max: usize) -> anyhow::Result<Vec<DueEffect>> {
    let mut statement = db.prepare_cached(
        "SELECT seq, record, attempts FROM effects WHERE state = 1 AND due_at_ms <= ?1 ORDER BY due_at_ms, seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![now_ms.cast_signed(), limit(rows_max)])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let record = row.get_ref(1)?.as_str()?;
        let effect = Effect::from_record(record).context("read an effect from the outbox")?;
        due.push(DueEffect { seq: EffectSeq(row.get(0)?), effect, attempts: row.get(2)? });
    }
    Ok(due)
}

pub(super) fn asks_due(db: &Connection, now_ms: u64, rows_max: usize) -> anyhow::Result<Vec<DueAsk>> {
    let mut statement = db.prepare_cached(
        "SELECT e.seq, e.receipt, e.source, e.received_at_ms, e.content_type, e.sha256, e.body, p.plugin, p.attempt, v.version, e.kind,
                e.subject, e.findings
         FROM plans p JOIN events e ON e.seq = p.event_seq JOIN versions v ON v.id = p.version_id
         WHERE p.state = 1 AND p.due_at_ms <= ?1 ORDER BY p.due_at_ms LIMIT ?2",
    )?;
    let mut rows = statement.query(params![now_ms.cast_signed(), limit(rows_max)])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push(DueAsk {
            seq: EventSeq(row.get(0)?),
            event: event(row)?,
            plugin: PluginName::new(row.get_ref(7)?.as_str()?)?,
            attempts: row.get(8)?,
            version: Version::from_stored(row.get_ref(9)?.as_str()?),
        });
    }
    Ok(due)
}

/// The stored event as it came. Its body is read again; what its headers said was kept.
fn event(row: &Row<'_>) -> anyhow::Result<Event> {
    let findings: Option<String> = row.get(12)?;
    let envelope = Envelope {
        receipt: Receipt::from_bytes(row.get(1)?),
        source: SourceName::new(row.get_ref(2)?.as_str()?)?,
        received_at_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        method: String::new(),
        profile: None,
        headers: Vec::new(),
        content_type: row.get(4)?,
        sha256: Digest::from_bytes(row.get(5)?),
        body: Body::Inline(Vec::new()),
    };
    Ok(Event {
        kind: row.get(10)?,
        subject: row.get(11)?,
        findings: findings
            .map_or(Ok(Vec::new()), |text| serde_json::from_str(&text))
            .context("read findings")?,
        ..crate::read::read_fetched(envelope, row.get(6)?)
    })
}

pub(super) fn next_effect_at_ms(db: &Connection, now_ms: u64) -> anyhow::Result<Option<u64>> {
    next_at_ms(db, "SELECT min(due_at_ms) FROM effects WHERE state = 1 AND due_at_ms > ?1", now_ms)
}

pub(super) fn next_ask_at_ms(db: &Connection, now_ms: u64) -> anyhow::Result<Option<u64>> {
    next_at_ms(db, "SELECT min(due_at_ms) FROM plans WHERE state = 1 AND due_at_ms > ?1", now_ms)
}

pub(super) fn next_at_ms(db: &Connection, sql: &str, now_ms: u64) -> anyhow::Result<Option<u64>> {
    let next: Option<i64> = db.prepare_cached(sql)?.query_row([now_ms.cast_signed()], |row| row.get(0))?;
    Ok(next.map(i64::cast_unsigned))
}

pub(super) fn recent(
    db: &Connection,
    events_max: usize,
) -> anyhow::Result<Vec<(SourceName, Digest, Receipt)>> {
    let mut statement = db.prepare(
        "SELECT source, sha256, receipt FROM
           (SELECT seq, source, sha256, receipt FROM events WHERE duplicate_of IS NULL ORDER BY seq DESC LIMIT ?1)
         ORDER BY seq",
    )?;
    let mut rows = statement.query([limit(events_max)])?;
    let mut recent = Vec::new();
    while let Some(row) = rows.next()? {
        let source = SourceName::new(row.get_ref(0)?.as_str()?)?;
        recent.push((source, Digest::from_bytes(row.get(1)?), Receipt::from_bytes(row.get(2)?)));
    }
    Ok(recent)
}

pub(super) fn active(db: &Connection) -> anyhow::Result<Vec<Deployment>> {
    let mut statement = db.prepare(
        "SELECT v.version, v.manifest, v.component, d.deployed_at_ms
         FROM deployments d JOIN versions v ON v.id = d.version_id
         WHERE d.id IN (SELECT max(id) FROM deployments GROUP BY plugin) ORDER BY d.plugin",
    )?;
    let mut rows = statement.query([])?;
    let mut active = Vec::new();
    while let Some(row) = rows.next()? {
        active.push(Deployment {
            version: Version::from_stored(row.get_ref(0)?.as_str()?),
            manifest: serde_json::from_str(row.get_ref(1)?.as_str()?).context("read a stored manifest")?,
            component: row.get(2)?,
            deployed_at_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        });
    }
    Ok(active)
}

pub(super) fn limit(rows_max: usize) -> i64 {
    i64::try_from(rows_max).unwrap_or(i64::MAX)
}
