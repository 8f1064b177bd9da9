//! What people and programs are shown of an event: its plans, its effects, its story.

use super::database::{Cell, Database, Row, cells};
use super::outbox;
use super::state;
use crate::effect::Effect;
use crate::store::listing::{CausedRow, EffectRow, EventRow, InterventionRow, Payload, PlanRow, Story};
use crate::store::outbox::TryRow;
use crate::upcoming::Upcoming;
use crate::{change, scan};
use anyhow::Context as _;
use tidegate_envelope::Receipt;

/// Of what one event led to, at most so many of each kind; a plugin's decisions are bounded, too.
const CAUSED_MAX: i64 = 500;
/// Bytes of a body that is shown by itself.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

pub(super) const EVENT_COLUMNS: &str =
    "seq, receipt, source, kind, subject, duplicate_of, state, received_at_ms, queued_at_ms,
     pulled_at_ms, decided_at_ms, unseal(findings, 'events.findings', receipt), arrival, previous, cause";

pub(super) fn event(db: &dyn Database, receipt: Receipt) -> anyhow::Result<Option<EventRow>> {
    let sql = format!("SELECT {EVENT_COLUMNS} FROM events WHERE receipt = ?1");
    let Some(mut event) = db.optional(&sql, cells![receipt], event_row)? else { return Ok(None) };
    complete(db, &mut event)?;
    event.story = Some(story(db, &event)?);
    Ok(Some(event))
}

/// An event's body, of a large one the first part.
pub(super) fn payload(db: &dyn Database, receipt: Receipt) -> anyhow::Result<Option<Payload>> {
    let sql = "SELECT content_type, unseal(body, 'events.body', receipt) FROM events WHERE receipt = ?1";
    let found: Option<(_, Vec<u8>)> =
        db.optional(sql, cells![receipt], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((content_type, mut body)) = found else { return Ok(None) };
    let left_out_bytes = body.len().saturating_sub(PAYLOAD_BYTES_MAX);
    if left_out_bytes > 0 {
        // Not within a character: text stays text.
        let end =
            body.utf8_chunks().next().map_or(0, |chunk| chunk.valid().floor_char_boundary(PAYLOAD_BYTES_MAX));
        body.truncate(if end == 0 { PAYLOAD_BYTES_MAX } else { end });
    }
    Ok(Some(Payload { left_out_bytes, ..Payload::new(content_type, body) }))
}

fn story(db: &dyn Database, event: &EventRow) -> anyhow::Result<Story> {
    Ok(Story {
        changed: changed(db, event)?,
        caused: caused(db, event.receipt)?,
        interventions: interventions(
            db,
            "SELECT id, state, reason, at_ms FROM interventions WHERE event_seq = ?1 ORDER BY seq",
            cells![event.cursor],
        )?,
    })
}

/// What a plugin is told that differs; nothing for a duplicate and for an event of the host's own.
fn changed(db: &dyn Database, event: &EventRow) -> anyhow::Result<Vec<String>> {
    let (Some(previous), None) = (event.previous, event.cause) else { return Ok(Vec::new()) };
    let body = |receipt: Receipt| -> anyhow::Result<Option<Vec<u8>>> {
        let sql = "SELECT unseal(body, 'events.body', receipt) FROM events WHERE receipt = ?1";
        db.value(sql, cells![receipt])
    };
    let (before, now) = (body(previous)?, body(event.receipt)?);
    let json = (before.as_deref().and_then(scan::json_of), now.as_deref().and_then(scan::json_of));
    Ok(match json {
        (Some(before), Some(now)) => change::changed(&before, &now),
        _ => Vec::new(),
    })
}

fn caused(db: &dyn Database, receipt: Receipt) -> anyhow::Result<Vec<CausedRow>> {
    let sql = "SELECT receipt, kind, subject, source, received_at_ms, state FROM events WHERE cause = ?1
               ORDER BY seq LIMIT ?2";
    let mut caused = db.rows(sql, cells![receipt, CAUSED_MAX], |row| {
        Ok(CausedRow {
            receipt: row.get(0)?,
            kind: row.get(1)?,
            subject: row.get(2)?,
            source: row.get(3)?,
            at_ms: row.get(4)?,
            state: state::of_plan(row.get(5)?).to_owned(),
        })
    })?;
    let sql = "SELECT unseal(record, 'upcoming.record', cause) FROM upcoming WHERE cause = ?1
               ORDER BY due_at_ms, seq LIMIT ?2";
    caused.extend(db.rows(sql, cells![receipt, CAUSED_MAX], |row| {
        let upcoming = Upcoming::from_record(&row.text(0)?)?;
        Ok(CausedRow {
            receipt: upcoming.receipt,
            kind: upcoming.kind,
            subject: upcoming.subject,
            source: upcoming.source,
            at_ms: upcoming.due_at_ms,
            state: "upcoming".to_owned(),
        })
    })?);
    Ok(caused)
}

pub(super) fn interventions(
    db: &dyn Database,
    sql: &str,
    of: &[Cell<'_>],
) -> anyhow::Result<Vec<InterventionRow>> {
    db.rows(sql, of, |row| {
        let action = if row.get::<i64>(1)? == state::DROPPED { "dropped" } else { "redriven" };
        Ok(InterventionRow {
            id: row.get(0)?,
            action: action.to_owned(),
            reason: row.get(2)?,
            at_ms: row.get(3)?,
        })
    })
}

/// The event, of [`EVENT_COLUMNS`]; [`complete`] adds what stands in other tables.
pub(super) fn event_row(row: &Row<'_>) -> anyhow::Result<EventRow> {
    let duplicate_of: Option<Receipt> = row.get(5)?;
    Ok(EventRow {
        cursor: row.get(0)?,
        receipt: row.get(1)?,
        source: row.get(2)?,
        kind: row.get(3)?,
        subject: row.get(4)?,
        class: state::to_arrival(row.get(12)?, duplicate_of).name().to_owned(),
        duplicate_of,
        previous: row.get(13)?,
        cause: row.get(14)?,
        state: state::of_plan(row.get(6)?).to_owned(),
        plugin: None,
        version: None,
        received_at_ms: row.get(7)?,
        queued_at_ms: row.get(8)?,
        pulled_at_ms: row.get(9)?,
        decided_at_ms: row.get(10)?,
        performed_at_ms: None,
        findings: row.json(11).context("read findings")?.unwrap_or_default(),
        plans: Vec::new(),
        effects: Vec::new(),
        story: None,
        payload: None,
        previous_payload: None,
    })
}

/// The event's plans and effects, and what is said of it for their sake.
pub(super) fn complete(db: &dyn Database, event: &mut EventRow) -> anyhow::Result<()> {
    event.plans = plans(db, event.cursor)?;
    event.effects = effects(db, event.cursor)?;
    event.plugin = event.plans.first().map(|plan| plan.plugin.clone());
    event.version = event.plans.first().map(|plan| plan.version.clone());
    let done = event.effects.iter().filter(|it| it.state == "done");
    event.performed_at_ms = done.filter_map(|it| it.at_ms).max();
    Ok(())
}

fn plans(db: &dyn Database, seq: i64) -> anyhow::Result<Vec<PlanRow>> {
    let sql = "SELECT p.plugin, v.version, p.state, p.attempt, p.asked_us,
                 unseal(p.why, 'plans.why', p.event_seq, p.plugin), unseal(p.notes, 'plans.notes', p.event_seq, p.plugin),
                 unseal(p.log, 'plans.log', p.event_seq, p.plugin), p.decided_at_ms, p.due_at_ms
               FROM plans p JOIN versions v ON v.id = p.version_id WHERE p.event_seq = ?1 ORDER BY p.plugin";
    db.rows(sql, cells![seq], |row| {
        let plan_state = row.get(2)?;
        Ok(PlanRow {
            plugin: row.get(0)?,
            version: row.get(1)?,
            state: state::of_plan(plan_state).to_owned(),
            at_ms: row.get(8)?,
            due_at_ms: row.get::<Option<u64>>(9)?.filter(|_| plan_state == state::WAITING),
            attempt: row.get(3)?,
            asked_us: row.get(4)?,
            why: row.get(5)?,
            notes: row.json(6).context("read notes")?.unwrap_or_default(),
            log: row.json(7).context("read a plugin's log")?.unwrap_or_default(),
        })
    })
}

fn effects(db: &dyn Database, seq: i64) -> anyhow::Result<Vec<EffectRow>> {
    let sql = "SELECT unseal(record, 'effects.record', event_seq, plugin), state, attempts, what, at_ms, seq FROM effects
               WHERE event_seq = ?1 ORDER BY seq";
    let found = db.rows(sql, cells![seq], |row| {
        let effect = Effect::from_record(&row.text(0)?).context("read an effect")?;
        let number: i64 = row.get(1)?;
        let shown = EffectRow {
            key: effect.key().to_string(),
            request: format!("{} {}", effect.request().method(), effect.request().url()),
            state: state::of_effect(number).to_owned(),
            attempts: row.get(2)?,
            what: row.get(3)?,
            at_ms: row.get(4)?,
            tries: Vec::new(),
            paused: None,
        };
        let target = (number == state::WAITING).then(|| effect.request().target());
        Ok((row.get(5)?, target, shown))
    })?;
    let mut effects = Vec::with_capacity(found.len());
    for (effect_seq, target, mut shown) in found {
        if shown.attempts > 1 {
            shown.tries = outbox::tries(db, effect_seq)?;
        }
        let last = shown.what.clone().zip(shown.at_ms);
        shown.tries.extend(last.map(|(what, at_ms)| TryRow { attempt: shown.attempts, what, at_ms }));
        if let Some(target) = target {
            shown.paused = outbox::pause_of(db, target.as_str())?;
        }
        effects.push(shown);
    }
    Ok(effects)
}
