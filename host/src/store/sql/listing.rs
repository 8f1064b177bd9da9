//! Finds events that people ask for, by going through all of them in order of arrival, a bounded stretch in each call. There
//! is no index on a source or a subject: its keys would come in no order, and every event would pay for it.

use super::database::{Cell, Database, cells};
use super::rows::{EVENT_COLUMNS, complete, event_row};
use super::state;
use crate::store::listing::{EventQuery, EventsPage, Payload};
use anyhow::Context as _;
use memchr::memmem;
use std::ops::ControlFlow;

/// Rows in one page at most.
const ROWS_MAX: usize = 500;
/// Events looked at in one call: some milliseconds.
const STRETCH: i64 = 20_000;
/// The same where their payload is searched: each may have megabytes.
const STRETCH_SEARCHED: i64 = 1_000;
/// Bytes of payload after which a page ends.
const PAYLOAD_BYTES_MAX: usize = 4 << 20;
/// Where these stand behind [`EVENT_COLUMNS`].
const CONTENT_TYPE_COLUMN: usize = 15;
const BODY_COLUMN: usize = 16;
/// The host pulls what it records later by at most this, so times of pulling are in order of arrival but for that.
const PULLED_APART_MS: u64 = 15 * 60 * 1_000;

pub(super) fn events(db: &dyn Database, query: &EventQuery) -> anyhow::Result<EventsPage> {
    let (first, last) = bounds(db)?;
    let stretch = if query.text.is_some() { STRETCH_SEARCHED } else { STRETCH };
    let is_backward = query.before.is_some();
    // The stretch is `from..=to`; `edge` is where it ends in the direction of the search.
    let (from, to, is_end) = if is_backward {
        let to = query.before.filter(|before| *before > 0).map_or(last, |before| last.min(before - 1));
        let from = first.max(to.saturating_sub(stretch - 1));
        (from, to, from <= first || is_before(db, from, query.since_ms)?)
    } else {
        let from = match query.after {
            Some(after) => first.max(after.saturating_add(1)),
            None => first_since(db, first, last, query.since_ms)?,
        };
        let to = last.min(from.saturating_add(stretch - 1));
        (from, to, to >= last)
    };
    let mut page = EventsPage { events: Vec::new(), cursor: if is_backward { from } else { to }, is_end };
    read(db, query, (from, to), &mut page)?;
    for event in &mut page.events {
        complete(db, event)?;
    }
    if !is_backward && page.events.is_empty() && to < from {
        // Nothing is there yet: what comes next is after what is there now.
        page.cursor = query.after.unwrap_or(last);
    }
    Ok(page)
}

/// The events of this stretch that are asked for, until there are enough.
fn read(
    db: &dyn Database,
    query: &EventQuery,
    (from, to): (i64, i64),
    page: &mut EventsPage,
) -> anyhow::Result<()> {
    let (sql, values) = sql(query, from, to)?;
    let text = query.text.as_deref().map(memmem::Finder::new);
    let rows_max = query.rows_max.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX);
    let mut payload_bytes = 0;
    db.each(&sql, &values, &mut |row| {
        let body = if reads_body(query) { row.bytes(BODY_COLUMN)? } else { None };
        // What is encrypted in the database can be searched here alone.
        if text.as_ref().is_some_and(|text| text.find(body.as_deref().unwrap_or_default()).is_none()) {
            return Ok(ControlFlow::Continue(()));
        }
        if page.events.len() >= rows_max || payload_bytes > PAYLOAD_BYTES_MAX {
            page.cursor = page.events.last().map_or(page.cursor, |event| event.cursor);
            page.is_end = false;
            return Ok(ControlFlow::Break(()));
        }
        let mut event = event_row(row)?;
        if query.payload == Some(true) {
            let body = body.unwrap_or_default().into_owned();
            payload_bytes += body.len();
            event.payload = Some(Payload::new(row.get(CONTENT_TYPE_COLUMN)?, body));
        }
        page.events.push(event);
        Ok(ControlFlow::Continue(()))
    })
}

fn reads_body(query: &EventQuery) -> bool {
    query.text.is_some() || query.payload == Some(true)
}

/// The places of the first and the last event; of none, an empty range.
pub(super) fn bounds(db: &dyn Database) -> anyhow::Result<(i64, i64)> {
    let first = db.value("SELECT min(seq) FROM events", cells![])?;
    let last = db.value("SELECT max(seq) FROM events", cells![])?;
    Ok(Option::zip(first, last).unwrap_or((1, 0)))
}

/// Where to begin so that nothing that was accepted at this time or later is missed: found by halving, since what was
/// pulled before was accepted before.
fn first_since(db: &dyn Database, first: i64, last: i64, since_ms: Option<u64>) -> anyhow::Result<i64> {
    let (mut low, mut high) = (first, last.saturating_add(1));
    if since_ms.is_none() {
        return Ok(first);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(db, middle, since_ms)? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// Whether this event, and so every one before it, was accepted before this time.
pub(super) fn is_before(db: &dyn Database, seq: i64, since_ms: Option<u64>) -> anyhow::Result<bool> {
    let Some(since_ms) = since_ms else { return Ok(false) };
    // Retention may have left holes: the next one that is there speaks for them.
    let sql = "SELECT pulled_at_ms FROM events WHERE seq >= ?1 ORDER BY seq LIMIT 1";
    let pulled_at_ms: Option<u64> = db.value(sql, cells![seq])?;
    Ok(pulled_at_ms.is_some_and(|ms| ms < since_ms.saturating_sub(PULLED_APART_MS)))
}

/// The statement for one stretch, with its values. Its text depends on which filters there are, and not on what they say.
fn sql(query: &EventQuery, from: i64, to: i64) -> anyhow::Result<(String, Vec<Cell<'_>>)> {
    let mut conditions = vec!["seq BETWEEN ?1 AND ?2".to_owned()];
    let mut values = vec![from.into(), to.into()];
    let mut filter = |condition: &str, value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    let texts = [
        ("source = ?", &query.source),
        ("subject = ?", &query.subject),
        ("kind = ?", &query.kind),
        ("EXISTS (SELECT 1 FROM plans p WHERE p.event_seq = seq AND p.plugin = ?)", &query.plugin),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            filter(condition, text.into());
        }
    }
    if let Some(class) = &query.class {
        filter("arrival = ?", state::arrival_named(class).context("find a class")?.into());
    }
    if let Some(name) = &query.state {
        filter("state = ?", state::event_state_named(name).context("find a state")?.into());
    }
    if let Some(since_ms) = query.since_ms {
        filter("received_at_ms >= ?", i64::try_from(since_ms).unwrap_or(i64::MAX).into());
    }
    if let Some(until_ms) = query.until_ms {
        filter("received_at_ms < ?", i64::try_from(until_ms).unwrap_or(i64::MAX).into());
    }
    let body = if reads_body(query) { ", content_type, unseal(body, 'events.body', receipt)" } else { "" };
    let order = if query.before.is_some() { "DESC" } else { "ASC" };
    // One more than there is room for tells that there is more; what is searched is chosen later.
    let rows_max = match query.text {
        Some(_) => usize::MAX,
        None => query.rows_max.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX) + 1,
    };
    values.push(rows_max.into());
    let sql = format!(
        "SELECT {EVENT_COLUMNS}{body} FROM events WHERE {} ORDER BY seq {order} LIMIT ?{}",
        conditions.join(" AND "),
        values.len()
    );
    Ok((sql, values))
}
