//! What is written and read of watching sources.

use super::outbox::{Attempted, write_attempt};
use super::queries::{limit, next_at_ms};
use super::schema::state;
use super::tally::{Counted, Tally};
use crate::alert::{Alert, Gap, GapCause};
use crate::condition;
use crate::rhythm::Rhythm;
use crate::store::watched::{
    AlertOutcome, AlertRow, AlertSeq, DueAlert, LastVigil, Sending, WatchedBatch, gap_of,
};
use crate::vigil::{Changes, Memory};
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use tidegate_envelope::SourceName;

pub(super) fn write(db: &Transaction<'_>, tally: &mut Tally, batch: &WatchedBatch) -> anyhow::Result<()> {
    let (alerts, outcomes) = (&mut batch.alerts.iter(), &mut batch.outcomes.iter());
    alerts.try_for_each(|it| raise(db, tally, it, batch.sending)).context("write an alert")?;
    outcomes.try_for_each(|it| outcome(db, tally, it)).context("write what became of an alert")?;
    if let Some(conditions) = &batch.conditions {
        db.prepare_cached("INSERT OR REPLACE INTO conditions (id, record) VALUES (1, ?1)")?
            .execute([conditions.to_record()])
            .context("write what was said of the host")?;
    }
    changes(db, &batch.changes).context("write what the vigil remembers")
}

fn raise(db: &Transaction<'_>, tally: &mut Tally, alert: &Alert, sending: Sending) -> anyhow::Result<()> {
    let state = match sending {
        Sending::On => state::WAITING,
        Sending::Off => state::SKIPPED,
    };
    tally.add(Counted::Alert, state);
    db.prepare_cached(
        "INSERT INTO alerts (id, kind, source, payload, raised_at_ms, state, attempts, due_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?5)",
    )?
    .execute(params![
        alert.id(),
        alert.kind(),
        alert.source().map(SourceName::as_str),
        alert.payload().to_string(),
        alert.at_ms().cast_signed(),
        state,
    ])?;
    let Some(gap) = gap_of(alert) else { return Ok(()) };
    db.prepare_cached("INSERT INTO gaps (source, from_ms, to_ms, after) VALUES (?1, ?2, ?3, ?4)")?.execute(
        params![gap.source.as_str(), gap.from_ms.cast_signed(), gap.to_ms.cast_signed(), gap.after.word()],
    )?;
    Ok(())
}

fn outcome(db: &Transaction<'_>, tally: &mut Tally, outcome: &AlertOutcome) -> anyhow::Result<()> {
    let AlertOutcome { seq, attempts, state, what, at_ms } = outcome;
    let attempt = Attempted { seq: seq.0, attempts: *attempts, state: *state, what, at_ms: *at_ms };
    write_attempt(db, tally, Counted::Alert, &attempt)
}

fn changes(db: &Transaction<'_>, changes: &Changes) -> anyhow::Result<()> {
    if let Some(memory) = &changes.memory {
        db.prepare_cached("INSERT OR REPLACE INTO vigil (id, record) VALUES (1, ?1)")?
            .execute([memory.to_record()])?;
    }
    for (source, rhythm) in &changes.rhythms {
        db.prepare_cached("INSERT OR REPLACE INTO rhythms (source, record) VALUES (?1, ?2)")?
            .execute([source.as_str(), &rhythm.to_record()])?;
    }
    Ok(())
}

pub(super) fn last_vigil(db: &Connection) -> anyhow::Result<LastVigil> {
    let record = |sql| db.query_row(sql, [], |row| row.get::<_, String>(0)).optional();
    let memory = record("SELECT record FROM vigil WHERE id = 1")?;
    let conditions = record("SELECT record FROM conditions WHERE id = 1")?;
    let conditions = conditions.map(|record| condition::Memory::from_record(&record)).transpose();
    let memory = memory.map_or_else(|| Ok(Memory::default()), |record| Memory::from_record(&record));
    let mut statement = db.prepare("SELECT source, record FROM rhythms")?;
    let mut rows = statement.query([])?;
    let mut rhythms = Vec::new();
    while let Some(row) = rows.next()? {
        let rhythm = Rhythm::from_record(row.get_ref(1)?.as_str()?).context("read a rhythm")?;
        rhythms.push((SourceName::new(row.get_ref(0)?.as_str()?)?, rhythm));
    }
    Ok(LastVigil {
        memory: memory.context("read what the vigil remembers")?,
        rhythms,
        conditions: conditions.context("read what was said of the host")?.unwrap_or_default(),
    })
}

pub(super) fn alerts_due(db: &Connection, now_ms: u64, rows_max: usize) -> anyhow::Result<Vec<DueAlert>> {
    let mut statement = db.prepare_cached(
        "SELECT seq, id, kind, payload, attempts FROM alerts WHERE state = 1 AND due_at_ms <= ?1
         ORDER BY due_at_ms, seq LIMIT ?2",
    )?;
    let due = statement.query_map(params![now_ms.cast_signed(), limit(rows_max)], |row| {
        Ok(DueAlert {
            seq: AlertSeq(row.get(0)?),
            id: row.get(1)?,
            kind: row.get(2)?,
            payload: row.get(3)?,
            attempts: row.get(4)?,
        })
    })?;
    Ok(due.collect::<Result<_, _>>()?)
}

pub(super) fn next_alert_at_ms(db: &Connection, now_ms: u64) -> anyhow::Result<Option<u64>> {
    next_at_ms(db, "SELECT min(due_at_ms) FROM alerts WHERE state = 1 AND due_at_ms > ?1", now_ms)
}

pub(super) fn alerts(db: &Connection, rows_max: usize) -> anyhow::Result<Vec<AlertRow>> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM (SELECT seq, id, kind, source, raised_at_ms, state, attempts, what, at_ms, payload
                        FROM alerts ORDER BY seq DESC LIMIT ?1) ORDER BY seq",
    )?;
    let mut rows = statement.query([limit(rows_max)])?;
    let mut alerts = Vec::new();
    while let Some(row) = rows.next()? {
        alerts.push(alert_row(row)?);
    }
    Ok(alerts)
}

fn alert_row(row: &Row<'_>) -> anyhow::Result<AlertRow> {
    let source: Option<String> = row.get(3)?;
    Ok(AlertRow {
        id: row.get(1)?,
        kind: row.get(2)?,
        source: source.map(|name| SourceName::new(&name)).transpose()?,
        raised_at_ms: row.get::<_, i64>(4)?.cast_unsigned(),
        state: state::of_alert(row.get(5)?).to_owned(),
        attempts: row.get(6)?,
        what: row.get(7)?,
        at_ms: row.get::<_, Option<i64>>(8)?.map(i64::cast_unsigned),
        payload: serde_json::from_str(row.get_ref(9)?.as_str()?).context("read an alert")?,
    })
}

pub(super) fn gaps(db: &Connection, rows_max: usize) -> anyhow::Result<Vec<Gap>> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM (SELECT id, source, from_ms, to_ms, after FROM gaps ORDER BY id DESC LIMIT ?1) ORDER BY id",
    )?;
    let mut rows = statement.query([limit(rows_max)])?;
    let mut gaps = Vec::new();
    while let Some(row) = rows.next()? {
        gaps.push(Gap {
            source: SourceName::new(row.get_ref(1)?.as_str()?)?,
            from_ms: row.get::<_, i64>(2)?.cast_unsigned(),
            to_ms: row.get::<_, i64>(3)?.cast_unsigned(),
            after: GapCause::from_word(row.get_ref(4)?.as_str()?).context("read why there was a gap")?,
        });
    }
    Ok(gaps)
}
