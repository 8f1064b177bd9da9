//! What is written and read of watching sources.

use super::database::{Database, Row, cells};
use super::state;
use super::tally::{Counted, Tally};
use crate::alert::{Alert, Gap, GapCause};
use crate::condition;
use crate::rhythm::Rhythm;
use crate::store::watched::{
    AlertOutcome, AlertRow, AlertSeq, DueAlert, LastVigil, Sending, WatchedBatch, gap_of,
};
use crate::vigil::{Changes, Memory};
use anyhow::Context as _;

pub(super) fn write(db: &dyn Database, tally: &mut Tally, batch: &WatchedBatch) -> anyhow::Result<()> {
    let (alerts, outcomes) = (&mut batch.alerts.iter(), &mut batch.outcomes.iter());
    alerts.try_for_each(|it| raise(db, tally, it, batch.sending)).context("write an alert")?;
    outcomes.try_for_each(|it| outcome(db, tally, it)).context("write what became of an alert")?;
    if let Some(conditions) = &batch.conditions {
        db.execute(
            "INSERT INTO conditions (id, record) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET record = ?1",
            cells![conditions.to_record()],
        )
        .context("write what was said of the host")?;
    }
    changes(db, &batch.changes).context("write what the vigil remembers")
}

fn raise(db: &dyn Database, tally: &mut Tally, alert: &Alert, sending: Sending) -> anyhow::Result<()> {
    let state = match sending {
        Sending::On => state::WAITING,
        Sending::Off => state::SKIPPED,
    };
    tally.add(Counted::Alert, state);
    db.execute(
        "INSERT INTO alerts (id, kind, source, payload, raised_at_ms, state, attempts, due_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?5)",
        cells![alert.id(), alert.kind(), alert.source(), alert.payload().to_string(), alert.at_ms(), state,],
    )?;
    let Some(gap) = gap_of(alert) else { return Ok(()) };
    db.execute(
        "INSERT INTO gaps (source, from_ms, to_ms, after) VALUES (?1, ?2, ?3, ?4)",
        cells![&gap.source, gap.from_ms, gap.to_ms, gap.after.word()],
    )?;
    Ok(())
}

fn outcome(db: &dyn Database, tally: &mut Tally, outcome: &AlertOutcome) -> anyhow::Result<()> {
    let AlertOutcome { seq, attempts, state, what, at_ms } = outcome;
    let (state, due_at_ms) = state::after_attempt(*state);
    let before: Option<i64> = db.value("SELECT state FROM alerts WHERE seq = ?1", cells![seq.0])?;
    let Some(before) = before else { return Ok(()) };
    tally.change(Counted::Alert, before, state);
    db.execute(
        "UPDATE alerts SET state = ?2, attempts = ?3, due_at_ms = coalesce(?4, due_at_ms), what = ?5, at_ms = ?6
         WHERE seq = ?1",
        cells![seq.0, state, *attempts, due_at_ms, what, *at_ms],
    )?;
    Ok(())
}

fn changes(db: &dyn Database, changes: &Changes) -> anyhow::Result<()> {
    if let Some(memory) = &changes.memory {
        db.execute(
            "INSERT INTO vigil (id, record) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET record = ?1",
            cells![memory.to_record()],
        )?;
    }
    for (source, rhythm) in &changes.rhythms {
        db.execute(
            "INSERT INTO rhythms (source, record) VALUES (?1, ?2) ON CONFLICT (source) DO UPDATE SET record = ?2",
            cells![source, rhythm.to_record()],
        )?;
    }
    Ok(())
}

pub(super) fn last_vigil(db: &dyn Database) -> anyhow::Result<LastVigil> {
    let memory: Option<String> = db.value("SELECT record FROM vigil WHERE id = 1", cells![])?;
    let conditions: Option<String> = db.value("SELECT record FROM conditions WHERE id = 1", cells![])?;
    let conditions = conditions.map(|record| condition::Memory::from_record(&record)).transpose();
    let memory = memory.map_or_else(|| Ok(Memory::default()), |record| Memory::from_record(&record));
    let rhythms = db.rows("SELECT source, record FROM rhythms", cells![], |row| {
        Ok((row.get(0)?, Rhythm::from_record(&row.text(1)?).context("read a rhythm")?))
    })?;
    Ok(LastVigil {
        memory: memory.context("read what the vigil remembers")?,
        rhythms,
        conditions: conditions.context("read what was said of the host")?.unwrap_or_default(),
    })
}

pub(super) fn alerts_due(db: &dyn Database, now_ms: u64, rows_max: usize) -> anyhow::Result<Vec<DueAlert>> {
    let sql = "SELECT seq, id, kind, payload, attempts FROM alerts WHERE state = 1 AND due_at_ms <= ?1
               ORDER BY due_at_ms, seq LIMIT ?2";
    db.rows(sql, cells![now_ms, rows_max], |row| {
        Ok(DueAlert {
            seq: AlertSeq(row.get(0)?),
            id: row.get(1)?,
            kind: row.get(2)?,
            payload: row.get(3)?,
            attempts: row.get(4)?,
        })
    })
}

pub(super) fn next_alert_at_ms(db: &dyn Database, now_ms: u64) -> anyhow::Result<Option<u64>> {
    db.value("SELECT min(due_at_ms) FROM alerts WHERE state = 1 AND due_at_ms > ?1", cells![now_ms])
}

pub(super) fn alerts(db: &dyn Database, rows_max: usize) -> anyhow::Result<Vec<AlertRow>> {
    let sql = "SELECT seq, id, kind, source, raised_at_ms, state, attempts, what, at_ms, payload
               FROM alerts ORDER BY seq DESC LIMIT ?1";
    let mut alerts = db.rows(sql, cells![rows_max], alert_row)?;
    alerts.reverse();
    Ok(alerts)
}

fn alert_row(row: &Row<'_>) -> anyhow::Result<AlertRow> {
    Ok(AlertRow {
        id: row.get(1)?,
        kind: row.get(2)?,
        source: row.get(3)?,
        raised_at_ms: row.get(4)?,
        state: state::of_alert(row.get(5)?).to_owned(),
        attempts: row.get(6)?,
        what: row.get(7)?,
        at_ms: row.get(8)?,
        payload: serde_json::from_str(&row.text(9)?).context("read an alert")?,
    })
}

pub(super) fn gaps(db: &dyn Database, rows_max: usize) -> anyhow::Result<Vec<Gap>> {
    let sql = "SELECT source, from_ms, to_ms, after FROM gaps ORDER BY id DESC LIMIT ?1";
    let mut gaps = db.rows(sql, cells![rows_max], |row| {
        Ok(Gap {
            source: row.get(0)?,
            from_ms: row.get(1)?,
            to_ms: row.get(2)?,
            after: GapCause::from_word(&row.text(3)?).context("read why there was a gap")?,
        })
    })?;
    gaps.reverse();
    Ok(gaps)
}
