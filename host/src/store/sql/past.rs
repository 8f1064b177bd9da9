//! Finds what a plugin was asked about, going back in the order of arrival, a bounded stretch in each call.

use super::database::{Database, Row, cells};
use super::listing::{bounds, is_before};
use super::queries;
use super::state;
use crate::fingerprint::Fingerprint;
use crate::store::past::{Past, PastAsk, PastPage, PastQuery};

/// Events looked at in one call: some milliseconds.
const STRETCH: i64 = 20_000;
/// Events in one page at most.
const EVENTS_MAX: usize = 256;
/// Bytes of bodies after which a page ends.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The events of a stretch, without their bodies: most may be of other kinds.
const CANDIDATES: &str = "SELECT e.seq, e.kind, p.attempt FROM events e LEFT JOIN plans p ON p.event_seq = e.seq AND p.plugin = ?3
     WHERE e.seq BETWEEN ?1 AND ?2 AND e.received_at_ms >= ?4 AND e.duplicate_of IS NULL AND e.erased_at_ms IS NULL
     ORDER BY e.seq DESC";

/// The first columns are those that [`queries::event`] reads.
const ONE: &str = "SELECT e.seq, e.receipt, e.source, e.received_at_ms, e.content_type, e.sha256,
        unseal(e.body, 'events.body', e.receipt), p.state, p.attempt, v.version, e.kind, e.subject,
        unseal(e.findings, 'events.findings', e.receipt), e.arrival, e.duplicate_of,
        unseal(e.attributes, 'events.attributes', e.receipt), e.cause, e.depth, e.audience, e.previous,
        unseal(b.body, 'events.body', b.receipt), unseal(p.memory, 'plans.memory', p.event_seq, p.plugin), p.fingerprint
     FROM events e LEFT JOIN plans p ON p.event_seq = e.seq AND p.plugin = ?2
        LEFT JOIN versions v ON v.id = p.version_id LEFT JOIN events b ON b.receipt = e.previous
     WHERE e.seq = ?1";

pub(super) fn page(db: &dyn Database, query: &PastQuery) -> anyhow::Result<PastPage> {
    let (first, last) = bounds(db)?;
    let to = query.before.map_or(last, |before| last.min(before - 1));
    let from = first.max(to.saturating_sub(STRETCH - 1));
    let is_end = from <= first || is_before(db, from, query.since_ms)?;
    let mut page = PastPage { events: Vec::new(), cursor: from, is_end };
    let events_max = query.events_max.clamp(1, EVENTS_MAX);
    let since_ms = i64::try_from(query.since_ms.unwrap_or(0)).unwrap_or(i64::MAX);
    let (manifest, mut body_bytes) = (&query.manifest, 0);
    let candidates = db.rows(CANDIDATES, cells![from, to, &manifest.name, since_ms], |row| {
        let was_asked = row.get::<Option<u32>>(2)?.is_some_and(|attempt| attempt > 0);
        Ok((was_asked || manifest.wants(&row.text(1)?)).then_some(row.get::<i64>(0)?))
    })?;
    for place in candidates.into_iter().flatten() {
        let past = db.optional(ONE, cells![place, &manifest.name], |row| {
            Ok(Past { place, event: queries::event(row)?, asked: asked(row)? })
        })?;
        // Retention may have been here first.
        let Some(past) = past.filter(|past| past.asked.is_some() || manifest.is_for(&past.event)) else {
            continue;
        };
        body_bytes += past.event.body.len();
        page.events.push(past);
        if page.events.len() >= events_max || body_bytes > BODY_BYTES_MAX {
            page.is_end = place <= from && page.is_end;
            page.cursor = place;
            break;
        }
    }
    Ok(page)
}

fn asked(row: &Row<'_>) -> anyhow::Result<Option<PastAsk>> {
    let attempt = row.get::<Option<u32>>(8)?.filter(|attempt| *attempt > 0);
    let (Some(attempt), Some(plan_state)) = (attempt, row.get::<Option<i64>>(7)?) else { return Ok(None) };
    Ok(Some(PastAsk {
        version: row.get(9)?,
        attempt,
        memory: row.get(21)?,
        fingerprint: row.get::<Option<_>>(22)?.map(Fingerprint::from_bytes),
        is_decided: [state::DONE, state::SKIPPED].contains(&plan_state),
    }))
}
