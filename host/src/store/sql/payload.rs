//! What people wrote or plugins decided, row by row, from whatever table: for whoever looks for a person.

use super::database::{Cell, Database, Row, cells};
use crate::partition::Partition;
use crate::plugin::PluginName;
use crate::store::keeping::{Payload, Place, Table};
use crate::store::{EffectSeq, EventSeq, UpcomingSeq};
use crate::subject::SubjectKey;
use crate::upcoming::Upcoming;
use std::borrow::Cow;
use tidegate_envelope::{Digest, SourceName};

/// Rows of this table behind this one.
pub(super) fn read(
    db: &dyn Database,
    table: Table,
    after: Option<&Place>,
    rows_max: usize,
) -> anyhow::Result<Vec<Payload>> {
    let cursor = Cursor::of(after);
    let Cursor { seq, source, subject, plugin, version } = &cursor;
    let of: &[Cell<'_>] = match table {
        Table::Plans | Table::Recalled => cells![rows_max, *seq, plugin],
        Table::Drifts => cells![rows_max, *seq, plugin, *version],
        Table::Memories => cells![rows_max, source, subject, plugin],
        Table::Expected => cells![rows_max, source, subject],
        Table::Events | Table::Effects | Table::Upcoming | Table::Strays | Table::Interventions => {
            cells![rows_max, *seq]
        }
    };
    if table != Table::Upcoming {
        return db.rows(sql(table), of, |row| payload(table, row));
    }
    let upcoming = db.rows(sql(table), of, |row| Ok((row.get(0)?, Upcoming::from_record(&row.text(1)?)?)))?;
    upcoming.into_iter().map(|(seq, it)| told(db, UpcomingSeq(seq), it)).collect()
}

/// Every one gives: seq, source, subject, plugin, and of the event that it belongs to cause and hash; then the texts.
const fn sql(table: Table) -> &'static str {
    match table {
        Table::Events => {
            "SELECT seq, source, subject, NULL, cause, sha256, unseal(body, 'events.body', receipt),
                    unseal(findings, 'events.findings', receipt), unseal(attributes, 'events.attributes', receipt)
             FROM events WHERE seq > ?2 AND erased_at_ms IS NULL ORDER BY seq LIMIT ?1"
        }
        Table::Plans => {
            "SELECT p.event_seq, e.source, e.subject, p.plugin, e.cause, e.sha256, unseal(p.why, 'plans.why', p.event_seq, p.plugin),
                    unseal(p.notes, 'plans.notes', p.event_seq, p.plugin), unseal(p.log, 'plans.log', p.event_seq, p.plugin)
             FROM plans p JOIN events e ON e.seq = p.event_seq WHERE (p.event_seq, p.plugin) > (?2, ?3)
             ORDER BY p.event_seq, p.plugin LIMIT ?1"
        }
        Table::Recalled => {
            "SELECT p.event_seq, e.source, e.subject, p.plugin, e.cause, e.sha256, unseal(p.memory, 'plans.memory', p.event_seq, p.plugin)
             FROM plans p JOIN events e ON e.seq = p.event_seq
             WHERE (p.event_seq, p.plugin) > (?2, ?3) AND p.memory IS NOT NULL ORDER BY p.event_seq, p.plugin LIMIT ?1"
        }
        Table::Drifts => {
            "SELECT d.event_seq, e.source, e.subject, d.plugin, e.cause, e.sha256,
                    unseal(d.record, 'drifts.record', d.event_seq, d.plugin, d.version_id), d.version_id
             FROM drifts d JOIN events e ON e.seq = d.event_seq WHERE (d.event_seq, d.plugin, d.version_id) > (?2, ?3, ?4)
             ORDER BY d.event_seq, d.plugin, d.version_id LIMIT ?1"
        }
        Table::Effects => {
            "SELECT f.seq, e.source, e.subject, NULL, e.cause, e.sha256, unseal(f.record, 'effects.record', f.event_seq, f.plugin), f.what,
                    (SELECT string_agg(what, '\n') FROM attempts WHERE effect_seq = f.seq)
             FROM effects f JOIN events e ON e.seq = f.event_seq WHERE f.seq > ?2 ORDER BY f.seq LIMIT ?1"
        }
        Table::Memories => {
            "SELECT NULL, source, subject, plugin, NULL, NULL, unseal(body, 'memories.body', source, subject, plugin)
             FROM memories WHERE (source, subject, plugin) > (?2, ?3, ?4) ORDER BY source, subject, plugin LIMIT ?1"
        }
        Table::Expected => {
            "SELECT NULL, source, subject, NULL, NULL, NULL, unseal(expected, 'subjects.expected', source, subject)
             FROM subjects WHERE (source, subject) > (?2, ?3) ORDER BY source, subject LIMIT ?1"
        }
        Table::Upcoming => {
            "SELECT seq, unseal(record, 'upcoming.record', cause) FROM upcoming WHERE seq > ?2 ORDER BY seq LIMIT ?1"
        }
        Table::Strays => {
            "SELECT seq, NULL, NULL, NULL, NULL, NULL, unseal(body, 'strays.body', sha256), unseal(why, 'strays.why', sha256)
             FROM strays WHERE seq > ?2 ORDER BY seq LIMIT ?1"
        }
        Table::Interventions => {
            "SELECT seq, NULL, NULL, NULL, NULL, NULL, reason FROM interventions WHERE seq > ?2 ORDER BY seq LIMIT ?1"
        }
    }
}

fn payload(table: Table, row: &Row<'_>) -> anyhow::Result<Payload> {
    let seq = row.get::<Option<i64>>(0)?.unwrap_or_default();
    let source: Option<SourceName> = row.get(1)?;
    let subject: Option<String> = row.get(2)?;
    let subject = source.clone().zip(subject.filter(|subject| !subject.is_empty()));
    let subject = subject.map(|(source, subject)| SubjectKey { source, subject: subject.into() });
    let plugin: Option<PluginName> = row.get(3)?;
    let place = match (table, &subject, plugin) {
        (Table::Plans, _, Some(plugin)) => Place::Plan(EventSeq(seq), plugin),
        (Table::Recalled, _, Some(plugin)) => Place::Recalled(EventSeq(seq), plugin),
        (Table::Drifts, _, Some(plugin)) => Place::Drift(EventSeq(seq), plugin, row.get(7)?),
        (Table::Memories, Some(key), Some(plugin)) => Place::Memory(key.clone(), plugin),
        (Table::Expected, Some(key), _) => Place::Expected(key.clone()),
        (Table::Effects, ..) => Place::Effect(EffectSeq(seq)),
        (Table::Strays, ..) => Place::Stray(seq),
        (Table::Interventions, ..) => Place::Intervention(seq),
        (Table::Events, ..) => Place::Event(EventSeq(seq)),
        (table, ..) => anyhow::bail!("a row of {table:?} has no key"),
    };
    let partition = match (&subject, row.get::<Option<Digest>>(5)?) {
        (Some(key), _) => Some(Partition::of_subject(&key.subject)),
        (None, Some(sha256)) => Some(Partition::of_event("", row.get(4)?, &sha256)),
        (None, None) => None,
    };
    let mut texts = Vec::new();
    for column in 6..row.count() {
        texts.extend(row.bytes(column)?.map(Cow::into_owned));
    }
    Ok(Payload { place, source, subject, partition, texts, is_of_erased: false })
}

/// An event that is to come: its body is in base64, so it is read.
fn told(db: &dyn Database, seq: UpcomingSeq, upcoming: Upcoming) -> anyhow::Result<Payload> {
    let partition = Some(upcoming.partition());
    let Upcoming { source, subject, body, attributes, cause, .. } = upcoming;
    let is_of_erased = db.exists(
        "SELECT 1 FROM events WHERE receipt = ?1 AND erased_at_ms IS NOT NULL",
        cells![cause.receipt],
    )?;
    let key = SubjectKey { source: source.clone(), subject: subject.as_str().into() };
    let values = attributes.into_iter().map(|(_, value)| value.into_bytes());
    Ok(Payload {
        place: Place::Upcoming(seq),
        source: Some(source),
        subject: (!subject.is_empty()).then_some(key),
        partition,
        texts: values.chain([body]).collect(),
        is_of_erased,
    })
}

/// The keys of a row; a table uses its own.
#[derive(Default)]
struct Cursor {
    seq: i64,
    source: String,
    subject: String,
    plugin: String,
    version: i64,
}

impl Cursor {
    fn of(place: Option<&Place>) -> Self {
        let of = |key: &SubjectKey| Self {
            source: key.source.to_string(),
            subject: key.subject.to_string(),
            ..Self::default()
        };
        match place {
            None => Self::default(),
            Some(
                Place::Event(EventSeq(seq))
                | Place::Effect(EffectSeq(seq))
                | Place::Upcoming(UpcomingSeq(seq))
                | Place::Stray(seq)
                | Place::Intervention(seq),
            ) => Self { seq: *seq, ..Self::default() },
            Some(Place::Plan(seq, plugin) | Place::Recalled(seq, plugin)) => {
                Self { seq: seq.0, plugin: plugin.to_string(), ..Self::default() }
            }
            Some(Place::Drift(seq, plugin, version)) => {
                Self { seq: seq.0, plugin: plugin.to_string(), version: *version, ..Self::default() }
            }
            Some(Place::Memory(key, plugin)) => Self { plugin: plugin.to_string(), ..of(key) },
            Some(Place::Expected(key)) => of(key),
        }
    }
}
