//! What the host itself reads to go on with its work.

use super::schema::state;
use crate::event::{Cause, Event, Snapshot};
use crate::plugin::{PluginName, Version};
use crate::scan;
use crate::store::{DueAsk, DueUpcoming, EventSeq, UpcomingSeq};
use crate::trace::TraceParent;
use crate::upcoming::Upcoming;
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};

/// The plans due of each plugin and source: the next pair is found in the index, however many rows the one before has.
pub(super) fn asks_due(db: &Connection, now_ms: u64, each_max: usize) -> anyhow::Result<Vec<DueAsk>> {
    let mut next = db.prepare_cached(
        "SELECT plugin, source FROM plans WHERE state = 1 AND (plugin, source) > (?1, ?2) ORDER BY plugin, source LIMIT 1",
    )?;
    let (mut due, mut last) = (Vec::new(), (String::new(), String::new()));
    while let Some(group) =
        next.query_row(params![last.0, last.1], |row| Ok((row.get(0)?, row.get(1)?))).optional()?
    {
        due.extend(asks_due_of(db, &group, now_ms, each_max)?);
        last = group;
    }
    Ok(due)
}

fn asks_due_of(
    db: &Connection,
    (plugin, source): &(String, String),
    now_ms: u64,
    rows_max: usize,
) -> anyhow::Result<Vec<DueAsk>> {
    let mut statement = db.prepare_cached(
        "SELECT e.seq, e.receipt, e.source, e.received_at_ms, e.content_type, e.sha256,
                unseal(e.body, 'events.body', e.receipt), p.plugin, p.attempt, v.version, e.kind,
                e.subject, unseal(e.findings, 'events.findings', e.receipt), e.arrival, e.duplicate_of,
                unseal(e.attributes, 'events.attributes', e.receipt), e.cause, e.depth, e.audience,
                e.previous, unseal(b.body, 'events.body', b.receipt), p.pinned IS NOT NULL,
                (SELECT parent FROM traces t WHERE t.event_seq = e.seq)
         FROM plans p JOIN events e ON e.seq = p.event_seq JOIN versions v ON v.id = coalesce(p.pinned, p.version_id)
                LEFT JOIN events b ON b.receipt = e.previous
         WHERE p.state = 1 AND p.plugin = ?3 AND p.source = ?4 AND p.due_at_ms <= ?1 ORDER BY p.due_at_ms, p.event_seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![now_ms.cast_signed(), limit(rows_max), plugin, source])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push(DueAsk {
            seq: EventSeq(row.get(0)?),
            event: Event { trace: row.get::<_, Option<_>>(22)?.map(TraceParent::from_bytes), ..event(row)? },
            plugin: PluginName::new(row.get_ref(7)?.as_str()?)?,
            attempts: row.get(8)?,
            version: Version::from_stored(row.get_ref(9)?.as_str()?),
            is_pinned: row.get(21)?,
        });
    }
    Ok(due)
}

pub(super) fn upcoming_due(
    db: &Connection,
    now_ms: u64,
    rows_max: usize,
) -> anyhow::Result<Vec<DueUpcoming>> {
    let mut statement = db.prepare_cached(
        "SELECT seq, unseal(record, 'upcoming.record', cause) FROM upcoming WHERE due_at_ms <= ?1
         ORDER BY due_at_ms, seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![now_ms.cast_signed(), limit(rows_max)])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let upcoming = Upcoming::from_record(row.get_ref(1)?.as_str()?)?;
        due.push(DueUpcoming { seq: UpcomingSeq(row.get(0)?), upcoming });
    }
    Ok(due)
}

pub(super) fn next_upcoming_at_ms(db: &Connection, now_ms: u64) -> anyhow::Result<Option<u64>> {
    next_at_ms(db, "SELECT min(due_at_ms) FROM upcoming WHERE due_at_ms > ?1", now_ms)
}

/// The stored event as it came. Its body is read again; what its headers said was kept.
pub(super) fn event(row: &Row<'_>) -> anyhow::Result<Event> {
    let (findings, attributes): (Option<String>, Option<String>) = (row.get(12)?, row.get(15)?);
    let cause: Option<[u8; 16]> = row.get(16)?;
    let audience: Option<String> = row.get(18)?;
    let read = crate::read::read_fetched(envelope(row)?, row.get(6)?);
    let event = Event {
        kind: row.get(10)?,
        subject: row.get(11)?,
        findings: findings
            .map_or(Ok(Vec::new()), |text| serde_json::from_str(&text))
            .context("read findings")?,
        arrival: state::to_arrival(
            row.get(13)?,
            row.get::<_, Option<[u8; 16]>>(14)?.map(Receipt::from_bytes),
        ),
        attributes: attributes
            .map_or(Ok(Vec::new()), |text| serde_json::from_str(&text))
            .context("read attributes")?,
        cause: match cause {
            Some(receipt) => Some(Cause {
                receipt: Receipt::from_bytes(receipt),
                depth: row.get(17)?,
                audience: audience.map(|name| PluginName::new(&name)).transpose()?,
            }),
            None => None,
        },
        occurred_at_us: if cause.is_some() { None } else { read.occurred_at_us },
        ..read
    };
    Ok(match previous(row)? {
        Some(previous) => event.after(previous),
        None => event,
    })
}

/// What was the subject's snapshot when the event arrived.
fn previous(row: &Row<'_>) -> anyhow::Result<Option<Snapshot>> {
    let (receipt, body): (Option<[u8; 16]>, Option<Vec<u8>>) = (row.get(19)?, row.get(20)?);
    let json = body.as_deref().and_then(scan::json_of);
    let snapshot = receipt.zip(json.as_deref());
    Ok(snapshot.map(|(receipt, json)| Snapshot { receipt: Receipt::from_bytes(receipt), json: json.into() }))
}

fn envelope(row: &Row<'_>) -> anyhow::Result<Envelope> {
    Ok(Envelope {
        receipt: Receipt::from_bytes(row.get(1)?),
        source: SourceName::new(row.get_ref(2)?.as_str()?)?,
        received_at_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        method: String::new(),
        profile: None,
        headers: Vec::new(),
        content_type: row.get(4)?,
        sha256: Digest::from_bytes(row.get(5)?),
        body: Body::Inline(Vec::new()),
    })
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
           (SELECT seq, source, sha256, receipt FROM events WHERE duplicate_of IS NULL AND cause IS NULL ORDER BY seq DESC LIMIT ?1)
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

pub(super) fn limit(rows_max: usize) -> i64 {
    i64::try_from(rows_max).unwrap_or(i64::MAX)
}
