//! What a batch is in the tables: one transaction, all of it or none. Knows nothing of who waits for it.

use super::intervene;
use super::lane::{self, About, event_state, update_event};
use super::outbox;
use super::schema::state;
use super::seal::{Sealing, StoreKeys};
use super::tally::{Counted, Tally};
use super::versions;
use crate::event::Arrival;
use crate::fingerprint::Fingerprint;
use crate::plan::{Decided, Plan, Verdict};
use crate::plugin::{PluginName, Version};
use crate::store::{Batch, EventSeq, Recorded, Replan, Stray, SubjectChange};
use crate::subject::Memory;
use crate::upcoming::Upcoming;
use anyhow::Context as _;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use std::collections::HashMap;

const INSERT_EVENT: &str = "
    INSERT INTO events (receipt, source, kind, subject, duplicate_of, state, received_at_ms, queued_at_ms, pulled_at_ms,
                        decided_at_ms, content_type, sha256, body, findings, arrival, previous, attributes, audience, cause,
                        depth)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
    ON CONFLICT (receipt) DO NOTHING";

const INSERT_PLAN: &str = "
    INSERT OR REPLACE INTO plans (event_seq, plugin, version_id, state, attempt, asked_us, due_at_ms, why, notes,
                                  decided_at_ms, log, source, pinned, memory, fingerprint)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

const SET_MARK: &str = "
    INSERT INTO subjects (source, subject, receipt, kind, mark_us, sha256, deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT DO UPDATE SET receipt = ?3, kind = ?4, mark_us = ?5, sha256 = ?6, deleted = ?7";

/// Writes these batches in their order.
pub(super) fn all<'a>(
    db: &mut Connection,
    keys: &StoreKeys,
    versions: &mut HashMap<Version, i64>,
    batches: impl Iterator<Item = &'a Batch>,
) -> anyhow::Result<()> {
    let written = transaction(Sealing::begin(db, keys)?, versions, batches);
    if written.is_err() {
        // What was rolled back may have made the versions that are remembered here.
        versions.clear();
    }
    written
}

fn transaction<'a>(
    transaction: Sealing<'_>,
    versions: &mut HashMap<Version, i64>,
    batches: impl Iterator<Item = &'a Batch>,
) -> anyhow::Result<()> {
    let mut writing = Writing::begin(&transaction, versions)?;
    for batch in batches {
        writing.batch(batch)?;
    }
    writing.tally.write(&transaction).context("write the counters")?;
    drop(writing);
    transaction.commit().context("commit")
}

/// A transaction under way, with what each event takes: those statements are looked up once and not for every row.
struct Writing<'t> {
    db: &'t Sealing<'t>,
    versions: &'t mut HashMap<Version, i64>,
    tally: Tally,
    insert_event: CachedStatement<'t>,
    insert_plan: CachedStatement<'t>,
    insert_effect: CachedStatement<'t>,
    set_mark: CachedStatement<'t>,
}

impl<'t> Writing<'t> {
    fn begin(db: &'t Sealing<'t>, versions: &'t mut HashMap<Version, i64>) -> anyhow::Result<Self> {
        Ok(Self {
            db,
            versions,
            tally: Tally::default(),
            insert_event: db.prepare_cached(INSERT_EVENT)?,
            insert_plan: db.prepare_cached(INSERT_PLAN)?,
            insert_effect: db.prepare_cached(outbox::INSERT_EFFECT)?,
            set_mark: db.prepare_cached(SET_MARK)?,
        })
    }

    fn batch(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let db = self.db;
        versions::write(db, batch)?;
        batch.events.iter().try_for_each(|it| self.record(it)).context("write an event")?;
        let strays = &mut batch.strays.iter();
        strays.try_for_each(|it| stray(db, &mut self.tally, it)).context("write a stray")?;
        batch.replans.iter().try_for_each(|it| self.replan(it)).context("write a plan")?;
        let outcomes = &mut batch.outcomes.iter();
        outcomes
            .try_for_each(|it| outbox::write_outcome(db, &mut self.tally, it))
            .context("write an outcome")?;
        batch.pauses.iter().try_for_each(|it| outbox::write_pause(db, it)).context("write a pause")?;
        super::watched::write(db, &mut self.tally, &batch.watched)?;
        let interventions = &mut batch.interventions.iter();
        interventions
            .try_for_each(|it| intervene::write(db, &mut self.tally, it))
            .context("write what a person did")?;
        super::remove::write(db, &batch.removal)?;
        super::erase::write(db, &mut self.tally, &batch.erasure)?;
        batch.audit.iter().try_for_each(|it| super::erase::audit(db, it)).context("write an audit")?;
        super::access::write(db, &batch.tokens).context("write a token")
    }

    fn record(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = &recorded.event;
        if let Some(came) = recorded.came
            && self.db.prepare_cached("DELETE FROM upcoming WHERE seq = ?1")?.execute([came.0])? > 0
        {
            self.tally.remove(Counted::Upcoming, 0);
        }
        let state = event_state(recorded.plans.iter().map(|plan| plan_state(&plan.verdict)));
        let duplicate_of = match event.arrival {
            Arrival::Duplicate(original) => Some(original.to_bytes()),
            _ => None,
        };
        let cause = event.cause.as_ref();
        let (db, receipt) = (self.db, event.receipt.to_bytes());
        let row = [ValueRef::Blob(&receipt)];
        let findings = json_unless_empty(&event.findings)?;
        let attributes = json_unless_empty(&event.attributes)?;
        let inserted = self.insert_event.execute(params![
            receipt,
            event.source.as_str(),
            event.kind,
            event.subject,
            duplicate_of,
            state,
            event.received_at_ms.cast_signed(),
            recorded.queued_at_ms.cast_signed(),
            recorded.pulled_at_ms.cast_signed(),
            recorded.decided_at_ms.cast_signed(),
            event.content_type,
            event.sha256.as_bytes(),
            db.seal("events.body", &row, event.body.as_slice())?,
            db.seal("events.findings", &row, findings.as_deref())?,
            state::of_arrival(event.arrival),
            event.previous.as_ref().map(|snapshot| snapshot.receipt.to_bytes()),
            db.seal("events.attributes", &row, attributes.as_deref())?,
            cause.and_then(|cause| cause.audience.as_ref()).map(PluginName::as_str),
            cause.map(|cause| cause.receipt.to_bytes()),
            cause.map_or(0, |cause| cause.depth),
        ])?;
        if inserted == 0 {
            return Ok(());
        }
        self.tally.add(Counted::Event, state);
        match cause {
            Some(_) => self.tally.add(Counted::Caused, 0),
            None => self.tally.add(Counted::Arrival, state::of_arrival(event.arrival)),
        }
        let about = About {
            seq: EventSeq(self.db.last_insert_rowid()),
            source: event.source.as_str().to_owned(),
            subject: event.subject.clone(),
        };
        if let Some(parent) = event.trace {
            self.db
                .prepare_cached("INSERT INTO traces (event_seq, parent) VALUES (?1, ?2)")?
                .execute(params![about.seq.0, parent.to_bytes()])?;
        }
        self.write_subject(&about, &recorded.subject)?;
        for plan in &recorded.plans {
            self.write_plan(&about, plan, recorded.decided_at_ms)?;
            if plan.verdict.is_holding() && !about.subject.is_empty() {
                lane::enter(self.db, &about, &plan.plugin)?;
            }
        }
        Ok(())
    }

    /// Replaces a waiting plan. One that no longer waits was decided in the meantime and stays.
    fn replan(&mut self, replan: &Replan) -> anyhow::Result<()> {
        let db = self.db;
        let waits = db
            .prepare_cached("SELECT 1 FROM plans WHERE event_seq = ?1 AND plugin = ?2 AND state = 1")?
            .exists(params![replan.event.0, replan.plan.plugin.as_str()])?;
        if !waits {
            return Ok(());
        }
        let about = lane::about(db, replan.event)?;
        self.tally.remove(Counted::Plan, state::WAITING);
        self.write_plan(&about, &replan.plan, replan.decided_at_ms)?;
        self.write_subject(&about, &replan.subject)?;
        if !replan.plan.verdict.is_holding() {
            lane::leave(db, &mut self.tally, &about, &replan.plan.plugin, replan.decided_at_ms)?;
        }
        update_event(db, &mut self.tally, replan.event, replan.decided_at_ms)
    }

    fn write_subject(&mut self, about: &About, change: &SubjectChange) -> anyhow::Result<()> {
        if let Some(mark) = &change.mark {
            self.set_mark.execute(params![
                about.source,
                about.subject,
                mark.receipt.to_bytes(),
                mark.kind,
                mark.occurred_at_us.map(u64::cast_signed),
                mark.sha256.as_bytes(),
                mark.is_deleted,
            ])?;
        }
        if let Some(expected) = &change.expected {
            let row = [about.source.as_str().into(), about.subject.as_str().into()];
            let expected = json_unless_empty(expected)?;
            let expected = self.db.seal("subjects.expected", &row, expected.as_deref())?;
            self.db
                .prepare_cached("UPDATE subjects SET expected = ?3 WHERE source = ?1 AND subject = ?2")?
                .execute(params![about.source, about.subject, expected])?;
        }
        Ok(())
    }

    fn write_plan(&mut self, about: &About, plan: &Plan, decided_at_ms: u64) -> anyhow::Result<()> {
        self.tally.add(Counted::Plan, plan_state(&plan.verdict));
        let (due_at_ms, why, notes) = match &plan.verdict {
            Verdict::Decided(decided) => (None, None, decided.notes.as_slice()),
            Verdict::Skipped | Verdict::Held => (None, None, &[][..]),
            Verdict::Waiting { due_at_ms, why } => {
                (Some(due_at_ms.cast_signed()), Some(why.as_str()), &[][..])
            }
            Verdict::Parked { why, .. } => (None, Some(why.as_str()), &[][..]),
        };
        let log = if plan.log.is_empty() { None } else { Some(serde_json::to_string(&plan.log)?) };
        let notes = json_unless_empty(notes)?;
        let (db, row) = (self.db, [ValueRef::Integer(about.seq.0), plan.plugin.as_str().into()]);
        let version = self.version_id(&plan.version)?;
        // Asked once, it is asked of the same version again.
        let is_pinned = plan.attempt > 0 && matches!(plan.verdict, Verdict::Waiting { .. });
        self.insert_plan.execute(params![
            about.seq.0,
            plan.plugin.as_str(),
            version,
            plan_state(&plan.verdict),
            plan.attempt,
            plan.asked_us.cast_signed(),
            due_at_ms,
            db.seal("plans.why", &row, why)?,
            db.seal("plans.notes", &row, notes.as_deref())?,
            decided_at_ms.cast_signed(),
            db.seal("plans.log", &row, log.as_deref())?,
            matches!(plan.verdict, Verdict::Waiting { .. } | Verdict::Held).then_some(&about.source),
            is_pinned.then_some(version),
            db.seal("plans.memory", &row, plan.basis.memory.as_deref())?,
            plan.basis.fingerprint.as_ref().map(Fingerprint::as_bytes),
        ])?;
        match &plan.verdict {
            Verdict::Decided(decided) => self.write_decided((about, &plan.plugin), decided, decided_at_ms),
            _ => Ok(()),
        }
    }

    fn write_decided(
        &mut self,
        (about, plugin): (&About, &PluginName),
        decided: &Decided,
        decided_at_ms: u64,
    ) -> anyhow::Result<()> {
        for effect in &decided.effects {
            self.tally.add(Counted::Effect, state::WAITING);
            outbox::write_effect(
                (self.db, &mut self.insert_effect),
                about.seq.0,
                plugin.as_str(),
                effect,
                decided_at_ms,
            )?;
        }
        decided
            .upcoming
            .iter()
            .try_for_each(|upcoming| write_upcoming(self.db, &mut self.tally, upcoming))?;
        match &decided.memory {
            Some(memory) => write_memory(self.db, about, plugin, memory),
            None => Ok(()),
        }
    }

    fn version_id(&mut self, version: &Version) -> anyhow::Result<i64> {
        if let Some(id) = self.versions.get(version) {
            return Ok(*id);
        }
        let id = self
            .db
            .prepare_cached("SELECT id FROM versions WHERE version = ?1")?
            .query_row([version.as_str()], |row| row.get(0))
            .optional()?
            .with_context(|| format!("version {} was never deployed", version.short()))?;
        self.versions.insert(version.clone(), id);
        Ok(id)
    }
}

fn stray(db: &Sealing<'_>, tally: &mut Tally, stray: &Stray) -> anyhow::Result<()> {
    let sha256 = tidegate_envelope::Digest::of(stray.body.as_bytes());
    let row = [ValueRef::Blob(sha256.as_bytes())];
    let inserted = db
        .prepare_cached(
            "INSERT INTO strays (sha256, body, why, pulled_at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            sha256.as_bytes(),
            db.seal("strays.body", &row, stray.body.as_str())?,
            db.seal("strays.why", &row, stray.why.as_str())?,
            stray.pulled_at_ms.cast_signed()
        ])?;
    if inserted > 0 {
        tally.add(Counted::Stray, state::PARKED);
    }
    Ok(())
}

pub(super) fn write_upcoming(db: &Sealing<'_>, tally: &mut Tally, upcoming: &Upcoming) -> anyhow::Result<()> {
    let (record, cause) = (upcoming.to_record(), upcoming.cause.receipt.to_bytes());
    let record = db.seal("upcoming.record", &[ValueRef::Blob(&cause)], record.as_str())?;
    db.prepare_cached("INSERT INTO upcoming (due_at_ms, record, cause) VALUES (?1, ?2, ?3)")?
        .execute(params![upcoming.due_at_ms.cast_signed(), record, cause])?;
    tally.add(Counted::Upcoming, 0);
    Ok(())
}

fn write_memory(db: &Sealing<'_>, about: &About, plugin: &PluginName, memory: &Memory) -> anyhow::Result<()> {
    let row = [about.source.as_str().into(), about.subject.as_str().into(), plugin.as_str().into()];
    db.prepare_cached(
        "INSERT INTO memories (source, subject, plugin, place, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET place = ?4, body = ?5",
    )?
    .execute(params![
        about.source,
        about.subject,
        plugin.as_str(),
        memory.place.as_bytes(),
        db.seal("memories.body", &row, memory.body.as_deref())?,
    ])?;
    Ok(())
}

const fn plan_state(verdict: &Verdict) -> i64 {
    match verdict {
        Verdict::Decided(_) => state::DONE,
        Verdict::Skipped => state::SKIPPED,
        Verdict::Waiting { .. } => state::WAITING,
        Verdict::Held => state::HELD,
        Verdict::Parked { .. } => state::PARKED,
    }
}

fn json_unless_empty<T: serde::Serialize>(list: &[T]) -> anyhow::Result<Option<String>> {
    if list.is_empty() { Ok(None) } else { Ok(Some(serde_json::to_string(list)?)) }
}
