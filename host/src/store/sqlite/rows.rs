//! What people and programs are shown of an event: its plans, its effects, its story.

use super::outbox;
use super::schema::state;
use crate::effect::Effect;
use crate::log::Log;
use crate::plugin::{PluginName, Version};
use crate::store::listing::{CausedRow, EffectRow, EventRow, InterventionRow, Payload, PlanRow, Story};
use crate::store::outbox::TryRow;
use crate::upcoming::Upcoming;
use crate::{change, scan};
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tidegate_envelope::{Receipt, SourceName};

/// Of what one event led to, at most so many of each kind; a plugin's decisions are bounded, too.
const CAUSED_MAX: i64 = 500;
/// Bytes of a body that is shown by itself.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

pub(super) const EVENT_COLUMNS: &str =
    "seq, receipt, source, kind, subject, duplicate_of, state, received_at_ms, queued_at_ms,
     pulled_at_ms, decided_at_ms, unseal(findings, 'events.findings', receipt), arrival, previous, cause";

pub(super) fn event(db: &Connection, receipt: Receipt) -> anyhow::Result<Option<EventRow>> {
    let sql = format!("SELECT {EVENT_COLUMNS} FROM events WHERE receipt = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([receipt.to_bytes()])?;
    let Some(mut event) = rows.next()?.map(|row| event_row(db, row)).transpose()? else { return Ok(None) };
    event.story = Some(story(db, &event)?);
    Ok(Some(event))
}

/// An event's body, of a large one the first part.
pub(super) fn payload(db: &Connection, receipt: Receipt) -> anyhow::Result<Option<Payload>> {
    let mut statement = db.prepare_cached(
        "SELECT content_type, unseal(body, 'events.body', receipt) FROM events WHERE receipt = ?1",
    )?;
    let mut rows = statement.query([receipt.to_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut body: Vec<u8> = row.get(1)?;
    let left_out_bytes = body.len().saturating_sub(PAYLOAD_BYTES_MAX);
    if left_out_bytes > 0 {
        // Not within a character: text stays text.
        let end =
            body.utf8_chunks().next().map_or(0, |chunk| chunk.valid().floor_char_boundary(PAYLOAD_BYTES_MAX));
        body.truncate(if end == 0 { PAYLOAD_BYTES_MAX } else { end });
    }
    Ok(Some(Payload { left_out_bytes, ..Payload::new(row.get(0)?, body) }))
}

fn story(db: &Connection, event: &EventRow) -> anyhow::Result<Story> {
    Ok(Story {
        changed: changed(db, event)?,
        caused: caused(db, event.receipt)?,
        interventions: interventions(
            db,
            "SELECT id, state, reason, at_ms FROM interventions WHERE event_seq = ?1 ORDER BY seq",
            event.cursor,
        )?,
    })
}

/// What a plugin is told that differs; nothing for a duplicate and for an event of the host's own.
fn changed(db: &Connection, event: &EventRow) -> anyhow::Result<Vec<String>> {
    let (Some(previous), None) = (event.previous, event.cause) else { return Ok(Vec::new()) };
    let mut statement =
        db.prepare_cached("SELECT unseal(body, 'events.body', receipt) FROM events WHERE receipt = ?1")?;
    let mut body = |receipt: Receipt| -> rusqlite::Result<Option<Vec<u8>>> {
        statement.query_row([receipt.to_bytes()], |row| row.get(0)).optional()
    };
    let (before, now) = (body(previous)?, body(event.receipt)?);
    let json = (before.as_deref().and_then(scan::json_of), now.as_deref().and_then(scan::json_of));
    Ok(match json {
        (Some(before), Some(now)) => change::changed(&before, &now),
        _ => Vec::new(),
    })
}

fn caused(db: &Connection, receipt: Receipt) -> anyhow::Result<Vec<CausedRow>> {
    let mut statement = db.prepare_cached(
        "SELECT receipt, kind, subject, source, received_at_ms, state FROM events WHERE cause = ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![receipt.to_bytes(), CAUSED_MAX])?;
    let mut caused = Vec::new();
    while let Some(row) = rows.next()? {
        caused.push(CausedRow {
            receipt: Receipt::from_bytes(row.get(0)?),
            kind: row.get(1)?,
            subject: row.get(2)?,
            source: SourceName::new(row.get_ref(3)?.as_str()?)?,
            at_ms: ms(row, 4)?,
            state: state::of_plan(row.get(5)?).to_owned(),
        });
    }
    let mut statement = db.prepare_cached(
        "SELECT unseal(record, 'upcoming.record', cause) FROM upcoming WHERE cause = ?1 ORDER BY due_at_ms LIMIT ?2",
    )?;
    let mut rows = statement.query(params![receipt.to_bytes(), CAUSED_MAX])?;
    while let Some(row) = rows.next()? {
        let upcoming = Upcoming::from_record(row.get_ref(0)?.as_str()?)?;
        caused.push(CausedRow {
            receipt: upcoming.receipt,
            kind: upcoming.kind,
            subject: upcoming.subject,
            source: upcoming.source,
            at_ms: upcoming.due_at_ms,
            state: "upcoming".to_owned(),
        });
    }
    Ok(caused)
}

pub(super) fn interventions(
    db: &Connection,
    sql: &str,
    of: impl rusqlite::ToSql,
) -> anyhow::Result<Vec<InterventionRow>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([of], |row| {
        let action = if row.get::<_, i64>(1)? == state::DROPPED { "dropped" } else { "redriven" };
        Ok(InterventionRow {
            id: row.get(0)?,
            action: action.to_owned(),
            reason: row.get(2)?,
            at_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn event_row(db: &Connection, row: &Row<'_>) -> anyhow::Result<EventRow> {
    let seq: i64 = row.get(0)?;
    let duplicate_of: Option<[u8; 16]> = row.get(5)?;
    let findings: Option<String> = row.get(11)?;
    let (plans, effects) = (plans(db, seq)?, effects(db, seq)?);
    Ok(EventRow {
        cursor: seq,
        receipt: Receipt::from_bytes(row.get(1)?),
        source: SourceName::new(row.get_ref(2)?.as_str()?)?,
        kind: row.get(3)?,
        subject: row.get(4)?,
        class: state::to_arrival(row.get(12)?, duplicate_of.map(Receipt::from_bytes)).name().to_owned(),
        duplicate_of: duplicate_of.map(Receipt::from_bytes),
        previous: row.get::<_, Option<[u8; 16]>>(13)?.map(Receipt::from_bytes),
        cause: row.get::<_, Option<[u8; 16]>>(14)?.map(Receipt::from_bytes),
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
        story: None,
        payload: None,
        previous_payload: None,
    })
}

fn plans(db: &Connection, seq: i64) -> anyhow::Result<Vec<PlanRow>> {
    let mut statement = db.prepare_cached(
        "SELECT p.plugin, v.version, p.state, p.attempt, p.asked_us,
                unseal(p.why, 'plans.why', p.event_seq, p.plugin), unseal(p.notes, 'plans.notes', p.event_seq, p.plugin),
                unseal(p.log, 'plans.log', p.event_seq, p.plugin), p.decided_at_ms, p.due_at_ms
         FROM plans p JOIN versions v ON v.id = p.version_id WHERE p.event_seq = ?1 ORDER BY p.plugin",
    )?;
    let mut rows = statement.query([seq])?;
    let mut plans = Vec::new();
    while let Some(row) = rows.next()? {
        let (notes, log): (Option<String>, Option<String>) = (row.get(6)?, row.get(7)?);
        let plan_state = row.get(2)?;
        plans.push(PlanRow {
            plugin: PluginName::new(row.get_ref(0)?.as_str()?)?,
            version: Version::from_stored(row.get_ref(1)?.as_str()?),
            state: state::of_plan(plan_state).to_owned(),
            at_ms: ms(row, 8)?,
            due_at_ms: row
                .get::<_, Option<i64>>(9)?
                .filter(|_| plan_state == state::WAITING)
                .map(i64::cast_unsigned),
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
        "SELECT unseal(record, 'effects.record', event_seq, plugin), state, attempts, what, at_ms, seq FROM effects
         WHERE event_seq = ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([seq])?;
    let mut effects = Vec::new();
    while let Some(row) = rows.next()? {
        let effect = Effect::from_record(row.get_ref(0)?.as_str()?).context("read an effect")?;
        let (attempts, what): (u32, Option<String>) = (row.get(2)?, row.get(3)?);
        let at_ms = row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned);
        let mut tries = if attempts > 1 { outbox::tries(db, row.get(5)?)? } else { Vec::new() };
        let last = what.clone().zip(at_ms);
        tries.extend(last.map(|(what, at_ms)| TryRow { attempt: attempts, what, at_ms }));
        let is_waiting = row.get::<_, i64>(1)? == state::WAITING;
        effects.push(EffectRow {
            key: effect.key().to_string(),
            request: format!("{} {}", effect.request().method(), effect.request().url()),
            state: state::of_effect(row.get(1)?).to_owned(),
            attempts,
            what,
            at_ms,
            tries,
            paused: match is_waiting {
                true => outbox::pause_of(db, effect.request().target().as_str())?,
                false => None,
            },
        });
    }
    Ok(effects)
}

pub(super) fn ms(row: &Row<'_>, column: usize) -> anyhow::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}
