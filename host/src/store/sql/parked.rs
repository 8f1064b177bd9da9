//! What is parked, of all kinds, in the order in which it was: each kind has an index of its own, and a page takes the first
//! of each; and everything about one of them.

use super::database::{Cell, Database, Row, cells};
use super::rows::{self, interventions};
use super::state;
use crate::effect::{Effect, EffectKey};
use crate::plugin::PluginName;
use crate::store::parked::{
    ParkedDetail, ParkedId, ParkedPage, ParkedQuery, ParkedRow, Place, RequestRow, place_of,
};
use crate::store::{EffectSeq, EventSeq};
use anyhow::Context as _;
use http::{HeaderName, HeaderValue};
use std::ops::ControlFlow;
use tidegate_envelope::Receipt;

/// Rows in one page at most.
const ROWS_MAX: usize = 500;
/// Plans of one event that are parked at most: a plan is one plugin's.
const PLUGINS_MAX: usize = 10_000;

/// One kind of what can be parked. Its statement gives time, place, plugin, receipt, source, subject, version, record and
/// reason of those behind the place `?1, ?2, ?3`, at most `?4`, and heeds the first of the filters `?5` to `?9`.
struct Kind {
    what: &'static str,
    /// How many values its statement takes. What it has no filter for, nothing of this kind has.
    values: usize,
    sql: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        what: "event",
        values: 9,
        sql: "SELECT p.decided_at_ms, p.event_seq, p.plugin, e.receipt, e.source, e.subject, v.version, NULL,
                unseal(p.why, 'plans.why', p.event_seq, p.plugin)
              FROM plans p JOIN events e ON e.seq = p.event_seq LEFT JOIN versions v ON v.id = p.version_id
              WHERE p.state = 2 AND (p.decided_at_ms, p.event_seq, p.plugin) > (?1, ?2, ?3) AND p.decided_at_ms < ?5
                AND (e.source = ?6 OR ?6 IS NULL) AND (e.subject = ?7 OR ?7 IS NULL) AND (p.plugin = ?8 OR ?8 IS NULL)
                AND (e.receipt = ?9 OR ?9 IS NULL)
              ORDER BY p.decided_at_ms, p.event_seq, p.plugin LIMIT ?4",
    },
    Kind {
        what: "effect",
        values: 9,
        sql: "SELECT f.at_ms, f.seq, f.plugin, e.receipt, e.source, e.subject, v.version,
                unseal(f.record, 'effects.record', f.event_seq, f.plugin), f.what
              FROM effects f JOIN events e ON e.seq = f.event_seq
                LEFT JOIN plans p ON p.event_seq = f.event_seq AND p.plugin = f.plugin
                LEFT JOIN versions v ON v.id = p.version_id
              WHERE f.state = 2 AND (f.at_ms, f.seq, '') > (?1, ?2, ?3) AND f.at_ms < ?5
                AND (e.source = ?6 OR ?6 IS NULL) AND (e.subject = ?7 OR ?7 IS NULL) AND (f.plugin = ?8 OR ?8 IS NULL)
                AND (e.receipt = ?9 OR ?9 IS NULL)
              ORDER BY f.at_ms, f.seq LIMIT ?4",
    },
    Kind {
        what: "stray",
        values: 5,
        sql: "SELECT pulled_at_ms, seq, '', NULL, NULL, NULL, NULL, NULL, unseal(why, 'strays.why', sha256) FROM strays
              WHERE state = 2 AND (pulled_at_ms, seq, '') > (?1, ?2, ?3) AND pulled_at_ms < ?5
              ORDER BY pulled_at_ms, seq LIMIT ?4",
    },
    Kind {
        what: "alert",
        values: 6,
        sql: "SELECT at_ms, seq, '', NULL, source, NULL, NULL, NULL, kind || ': ' || what FROM alerts
              WHERE state = 2 AND (at_ms, seq, '') > (?1, ?2, ?3) AND at_ms < ?5 AND (source = ?6 OR ?6 IS NULL)
              ORDER BY at_ms, seq LIMIT ?4",
    },
];

pub(super) fn page(db: &dyn Database, query: &ParkedQuery) -> anyhow::Result<ParkedPage> {
    if let Some(id) = &query.id {
        return Ok(ParkedPage { rows: one(db, id)?.into_iter().collect(), next: None });
    }
    let rows_max = query.rows_max.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX);
    let after = query.after.as_deref().map(|text| place_of(text).context("`after` is no page's `next`"));
    let after = match after.transpose()? {
        Some(after) => after,
        // Before the first of this time.
        None => (
            i64::try_from(query.since_ms.unwrap_or(0)).unwrap_or(i64::MAX) - 1,
            KINDS.len(),
            0,
            String::new(),
        ),
    };
    let mut found = Vec::new();
    for (number, kind) in KINDS.iter().enumerate() {
        if query.what.as_deref().is_none_or(|what| what == kind.what) {
            found.extend(of_kind(db, number, kind, query, &after, rows_max + 1)?);
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let is_more = found.len() > rows_max;
    found.truncate(rows_max);
    let next = found.last().filter(|_| is_more).map(|(place, _)| text_of(place));
    Ok(ParkedPage { rows: found.into_iter().map(|(_, row)| row).collect(), next })
}

fn text_of((at_ms, kind, seq, plugin): &Place) -> String {
    format!("{at_ms}.{kind}.{seq}.{plugin}")
}

fn of_kind(
    db: &dyn Database,
    number: usize,
    kind: &Kind,
    query: &ParkedQuery,
    (at_ms, after_kind, seq, plugin): &Place,
    rows_max: usize,
) -> anyhow::Result<Vec<(Place, ParkedRow)>> {
    // Of the same instant, kinds come in their order.
    let (seq, plugin) = match number.cmp(after_kind) {
        std::cmp::Ordering::Less => (i64::MAX, ""),
        std::cmp::Ordering::Equal => (*seq, plugin.as_str()),
        std::cmp::Ordering::Greater => (-1, ""),
    };
    let reason = query.reason.as_deref().map(str::to_ascii_lowercase);
    // What is encrypted in the database can be searched here alone.
    let rows_read_max = if reason.is_some() { usize::MAX } else { rows_max };
    let values = cells![
        *at_ms,
        seq,
        plugin,
        rows_read_max,
        query.until_ms.map_or(Ok(i64::MAX), i64::try_from)?,
        query.source.as_ref(),
        query.subject.as_ref(),
        query.plugin.as_ref(),
        query.receipt,
    ];
    let (values, others) = values.split_at(kind.values);
    let mut found = Vec::new();
    if others.iter().any(|value| *value != Cell::Null) {
        return Ok(found);
    }
    db.each(kind.sql, values, &mut |row| {
        let parked = parked_row(kind.what, row)?;
        if reason.as_ref().is_none_or(|reason| parked.why.to_ascii_lowercase().contains(reason)) {
            found.push(((row.get(0)?, number, row.get(1)?, row.get(2)?), parked));
        }
        Ok(if found.len() < rows_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

fn parked_row(what: &str, row: &Row<'_>) -> anyhow::Result<ParkedRow> {
    let plugin: String = row.get(2)?;
    let plugin = if plugin.is_empty() { None } else { Some(PluginName::new(&plugin)?) };
    let receipt: Option<Receipt> = row.get(3)?;
    let record: Option<String> = row.get(7)?;
    let effect = record.map(|record| Effect::from_record(&record)).transpose().context("read an effect")?;
    let id = match (&effect, receipt, &plugin) {
        (Some(effect), ..) => ParkedId::Effect(effect.key().clone()),
        (None, Some(receipt), Some(plugin)) => ParkedId::Plan(receipt, plugin.clone()),
        _ if what == "stray" => ParkedId::Stray(row.get(1)?),
        _ => ParkedId::Alert(row.get(1)?),
    };
    Ok(ParkedRow {
        id,
        what: what.to_owned(),
        receipt,
        source: row.get(4)?,
        subject: row.get::<Option<String>>(5)?.filter(|subject| !subject.is_empty()),
        plugin,
        version: row.get(6)?,
        key: effect.map(|effect| effect.key().to_string()),
        why: row.get::<Option<_>>(8)?.unwrap_or_default(),
        at_ms: row.get(0)?,
    })
}

/// Where something that is or was parked stands.
pub(super) enum Found {
    Plan(EventSeq, PluginName),
    Effect(EventSeq, EffectSeq),
    Stray(i64),
    Alert(i64),
}

/// What has this name, parked or not.
pub(super) fn find(db: &dyn Database, id: &ParkedId) -> anyhow::Result<Option<Found>> {
    let number = |sql: &str, of: Cell<'_>| db.value::<i64>(sql, &[of]);
    let event = |receipt: Receipt| number("SELECT seq FROM events WHERE receipt = ?1", receipt.into());
    Ok(match id {
        ParkedId::Plan(receipt, plugin) => {
            event(*receipt)?.map(|seq| Found::Plan(EventSeq(seq), plugin.clone()))
        }
        ParkedId::Effect(key) => {
            let Some(event) = event(key.receipt())? else { return Ok(None) };
            effect_of(db, event, key)?.map(|seq| Found::Effect(EventSeq(event), EffectSeq(seq)))
        }
        ParkedId::Stray(seq) => {
            number("SELECT seq FROM strays WHERE seq = ?1", (*seq).into())?.map(Found::Stray)
        }
        ParkedId::Alert(seq) => {
            number("SELECT seq FROM alerts WHERE seq = ?1", (*seq).into())?.map(Found::Alert)
        }
    })
}

/// The place of the event's effect with this key; an event has a few.
fn effect_of(db: &dyn Database, event: i64, key: &EffectKey) -> anyhow::Result<Option<i64>> {
    let sql =
        "SELECT seq, unseal(record, 'effects.record', event_seq, plugin) FROM effects WHERE event_seq = ?1";
    let effects = db.rows(sql, cells![event], |row| {
        let effect = Effect::from_record(&row.text(1)?).context("read an effect")?;
        Ok((effect.key() == key).then_some(row.get(0)?))
    })?;
    Ok(effects.into_iter().flatten().next())
}

/// The row of what has this name, if it is parked.
fn one(db: &dyn Database, id: &ParkedId) -> anyhow::Result<Option<ParkedRow>> {
    let (number, at) = match find(db, id)? {
        None => return Ok(None),
        Some(Found::Plan(event, plugin)) => (
            0,
            at(
                db,
                "SELECT decided_at_ms, event_seq FROM plans WHERE event_seq = ?1 AND plugin = ?2",
                cells![event.0, &plugin],
            )?,
        ),
        Some(Found::Effect(_, seq)) => {
            (1, at(db, "SELECT at_ms, seq FROM effects WHERE seq = ?1", cells![seq.0])?)
        }
        Some(Found::Stray(seq)) => {
            (2, at(db, "SELECT pulled_at_ms, seq FROM strays WHERE seq = ?1", cells![seq])?)
        }
        Some(Found::Alert(seq)) => (3, at(db, "SELECT at_ms, seq FROM alerts WHERE seq = ?1", cells![seq])?),
    };
    let Some((at_ms, seq)) = at else { return Ok(None) };
    // The page that begins just before it; of an event, with all its plugins' plans.
    let place = (at_ms, number, seq - 1, String::new());
    let rows = of_kind(db, number, &KINDS[number], &ParkedQuery::default(), &place, PLUGINS_MAX)?;
    Ok(rows.into_iter().map(|(_, row)| row).find(|row| row.id == *id))
}

/// When and where something was parked; nothing when that was never.
fn at(db: &dyn Database, sql: &str, of: &[Cell<'_>]) -> anyhow::Result<Option<(i64, i64)>> {
    let found = db.optional(sql, of, |row| Ok(Option::zip(row.get(0)?, Some(row.get(1)?))))?;
    Ok(found.flatten())
}

/// Everything about what has this name.
pub(super) fn detail(db: &dyn Database, id: &ParkedId) -> anyhow::Result<Option<ParkedDetail>> {
    let Some(found) = find(db, id)? else { return Ok(None) };
    let of =
        |sql: &str, of: &[Cell<'_>]| db.optional(sql, of, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let row: Option<(i64, Option<String>, Option<String>)> = match &found {
        Found::Plan(event, plugin) => of(
            "SELECT state, unseal(why, 'plans.why', event_seq, plugin), NULL FROM plans WHERE event_seq = ?1 AND plugin = ?2",
            cells![event.0, plugin],
        )?,
        Found::Effect(_, seq) => of(
            "SELECT state, what, unseal(record, 'effects.record', event_seq, plugin) FROM effects WHERE seq = ?1",
            cells![seq.0],
        )?,
        Found::Stray(seq) => of(
            "SELECT state, unseal(why, 'strays.why', sha256), unseal(body, 'strays.body', sha256) FROM strays WHERE seq = ?1",
            cells![*seq],
        )?,
        Found::Alert(seq) => of("SELECT state, what, payload FROM alerts WHERE seq = ?1", cells![*seq])?,
    };
    let Some((number, why, text)) = row else { return Ok(None) };
    let (request, body) = match &found {
        Found::Effect(..) => (text.map(|record| request(&record)).transpose()?, None),
        _ => (None, text),
    };
    let event = match id {
        ParkedId::Plan(receipt, _) => rows::event(db, *receipt)?,
        ParkedId::Effect(key) => rows::event(db, key.receipt())?,
        ParkedId::Stray(_) | ParkedId::Alert(_) => None,
    };
    let state = match &found {
        Found::Plan(..) => state::of_plan(number),
        _ => state::of_alert(number),
    };
    let history =
        "SELECT id, state, reason, at_ms FROM interventions WHERE event_seq IS NULL AND id = ?1 ORDER BY seq";
    let interventions =
        if event.is_some() { Vec::new() } else { interventions(db, history, cells![id.to_string()])? };
    Ok(Some(ParkedDetail {
        state: state.to_owned(),
        id: id.clone(),
        why,
        event,
        request,
        body,
        interventions,
    }))
}

fn request(record: &str) -> anyhow::Result<RequestRow> {
    let effect = Effect::from_record(record).context("read an effect")?;
    let request = effect.request();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Ok(RequestRow {
        method: request.method().to_string(),
        url: request.url().to_string(),
        headers: request.headers().iter().map(header).collect(),
        body_bytes: request.body().map(|body| body.len()),
        timeout_ms: request.timeout_ms(),
    })
}
