//! What the host itself reads to go on with its work.

use super::database::{Cell, Database, Row, cells};
use super::state;
use crate::event::{Cause, Event, Snapshot};
use crate::partition::{Partition, Partitions};
use crate::scan;
use crate::store::{DueAsk, DueUpcoming, EventSeq, UpcomingSeq};
use crate::trace::TraceParent;
use crate::upcoming::Upcoming;
use anyhow::Context as _;
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};

/// What a statement with these values has in addition to look within these partitions alone: a condition on `part`, and its list
/// as one value more. A host that shares with nobody holds all, and needs neither.
fn only<'a>(within: Partitions, of: &[Cell<'a>]) -> (String, Vec<Cell<'a>>) {
    let mut of = of.to_vec();
    if within == Partitions::ALL {
        return (String::new(), of);
    }
    of.push(list(within));
    (format!("AND part IN rarray(?{})", of.len()), of)
}

/// Their numbers.
pub(super) fn list(partitions: Partitions) -> Cell<'static> {
    partitions.iter().map(|partition| Cell::Int(partition.number().into())).collect()
}

/// The plans due of each plugin and source: the next pair is found in the index, however many rows the one before has.
pub(super) fn asks_due(
    db: &dyn Database,
    now_ms: u64,
    each_max: usize,
    within: Partitions,
) -> anyhow::Result<Vec<DueAsk>> {
    let next = "SELECT plugin, source FROM plans WHERE state = 1 AND (plugin, source) > (?1, ?2) ORDER BY plugin, source LIMIT 1";
    let (mut due, mut last) = (Vec::new(), (String::new(), String::new()));
    while let Some(group) =
        db.optional(next, cells![&last.0, &last.1], |row| Ok((row.get(0)?, row.get(1)?)))?
    {
        due.extend(asks_due_of(db, &group, now_ms, each_max, within)?);
        last = group;
    }
    Ok(due)
}

fn asks_due_of(
    db: &dyn Database,
    (plugin, source): &(String, String),
    now_ms: u64,
    rows_max: usize,
    within: Partitions,
) -> anyhow::Result<Vec<DueAsk>> {
    let (only, of) = only(within, cells![now_ms, rows_max, plugin, source]);
    let sql = format!(
        "SELECT e.seq, e.receipt, e.source, e.received_at_ms, e.content_type, e.sha256,
                unseal(e.body, 'events.body', e.receipt), p.plugin, p.attempt, v.version, e.kind,
                e.subject, unseal(e.findings, 'events.findings', e.receipt), e.arrival, e.duplicate_of,
                unseal(e.attributes, 'events.attributes', e.receipt), e.cause, e.depth, e.audience,
                e.previous, unseal(b.body, 'events.body', b.receipt), p.pinned,
                (SELECT parent FROM traces t WHERE t.event_seq = e.seq)
         FROM plans p JOIN events e ON e.seq = p.event_seq JOIN versions v ON v.id = coalesce(p.pinned, p.version_id)
                LEFT JOIN events b ON b.receipt = e.previous
         WHERE p.state = 1 AND p.plugin = ?3 AND p.source = ?4 AND p.due_at_ms <= ?1 {only} ORDER BY p.due_at_ms, p.event_seq LIMIT ?2"
    );
    db.rows(&sql, &of, |row| {
        let trace = row.get::<Option<_>>(22)?.map(TraceParent::from_bytes);
        Ok(DueAsk {
            seq: EventSeq(row.get(0)?),
            event: Event { trace, ..event(row)? },
            plugin: row.get(7)?,
            attempts: row.get(8)?,
            version: row.get(9)?,
            is_pinned: row.get::<Option<i64>>(21)?.is_some(),
        })
    })
}

pub(super) fn upcoming_due(
    db: &dyn Database,
    now_ms: u64,
    rows_max: usize,
    within: Partitions,
) -> anyhow::Result<Vec<DueUpcoming>> {
    let (only, of) = only(within, cells![now_ms, rows_max]);
    let sql = format!(
        "SELECT seq, unseal(record, 'upcoming.record', cause) FROM upcoming WHERE due_at_ms <= ?1 {only}
         ORDER BY due_at_ms, seq LIMIT ?2"
    );
    db.rows(&sql, &of, |row| {
        Ok(DueUpcoming { seq: UpcomingSeq(row.get(0)?), upcoming: Upcoming::from_record(&row.text(1)?)? })
    })
}

/// The stored event as it came. Its body is read again; what its headers said was kept.
pub(super) fn event(row: &Row<'_>) -> anyhow::Result<Event> {
    let cause: Option<Receipt> = row.get(16)?;
    let read = crate::read::read_fetched(envelope(row)?, row.get(6)?);
    let mut event = Event {
        kind: row.get(10)?,
        subject: row.get(11)?,
        findings: row.json(12).context("read findings")?.unwrap_or_default(),
        arrival: state::to_arrival(row.get(13)?, row.get(14)?),
        attributes: row.json(15).context("read attributes")?.unwrap_or_default(),
        cause: match cause {
            Some(receipt) => Some(Cause { receipt, depth: row.get(17)?, audience: row.get(18)? }),
            None => None,
        },
        occurred_at_us: if cause.is_some() { None } else { read.occurred_at_us },
        ..read
    };
    if let Some(previous) = previous(row)? {
        event.come_after(previous);
    }
    Ok(event)
}

/// What was the subject's snapshot when the event arrived.
fn previous(row: &Row<'_>) -> anyhow::Result<Option<Snapshot>> {
    let (receipt, body) = (row.get(19)?, row.bytes(20)?);
    let json = body.as_deref().and_then(scan::json_of);
    let snapshot = Option::zip(receipt, json.as_deref());
    Ok(snapshot.map(|(receipt, json)| Snapshot { receipt, json: json.into() }))
}

fn envelope(row: &Row<'_>) -> anyhow::Result<Envelope> {
    Ok(Envelope {
        receipt: row.get(1)?,
        source: row.get(2)?,
        received_at_ms: row.get(3)?,
        method: String::new(),
        profile: None,
        headers: Vec::new(),
        content_type: row.get(4)?,
        sha256: row.get(5)?,
        body: Body::Inline(Vec::new()),
    })
}

/// In one statement: what comes of an upcoming event is an ask, and who looked for one after the other could miss both.
pub(super) fn next_due_at_ms(
    db: &dyn Database,
    now_ms: u64,
    within: Partitions,
) -> anyhow::Result<Option<u64>> {
    let (only, of) = only(within, cells![now_ms]);
    let sql = format!(
        "SELECT min(due_at_ms) FROM (
             SELECT min(due_at_ms) AS due_at_ms FROM plans WHERE state = 1 AND due_at_ms > ?1 {only}
             UNION ALL SELECT min(due_at_ms) FROM upcoming WHERE due_at_ms > ?1 {only}) AS due"
    );
    db.value(&sql, &of)
}

pub(super) fn recent(
    db: &dyn Database,
    events_max: usize,
    within: Partitions,
) -> anyhow::Result<Vec<(SourceName, Digest, Receipt)>> {
    let sql =
        "SELECT source, sha256, receipt, subject FROM events WHERE duplicate_of IS NULL AND cause IS NULL
               ORDER BY seq DESC LIMIT ?1";
    let recent = db.rows(sql, cells![events_max], |row| {
        let (source, sha256, receipt) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let partition = Partition::of_event(&row.text(3)?, None, &sha256);
        Ok(within.contains(partition).then_some((source, sha256, receipt)))
    })?;
    Ok(recent.into_iter().rev().flatten().collect())
}
