//! What a batch is in the tables: one transaction, all of it or none. Knows nothing of who waits for it.

use super::database::{Cell, Database, Rows, cells};
use super::gathered::{self, Gathered, INSERT_UPCOMING, json_unless_empty, upcoming_row};
use super::lane::{self, About, event_state, update_event};
use super::tally::{Counted, Tally};
use super::{group, intervene, outbox, state, versions};
use crate::event::Arrival;
use crate::plan::{Plan, Verdict};
use crate::plugin::Version;
use crate::store::{Batch, EventSeq, Recorded, Replan, Stray};
use crate::upcoming::Upcoming;
use anyhow::Context as _;
use std::collections::HashMap;
use tidegate_envelope::Digest;

const INSERT_EVENT: &str = "
    INSERT INTO events (receipt, source, kind, subject, duplicate_of, state, received_at_ms, queued_at_ms, pulled_at_ms,
                        decided_at_ms, content_type, sha256, body, findings, arrival, previous, attributes, audience, cause,
                        depth)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
    ON CONFLICT (receipt) DO NOTHING";

/// Writes these batches in their order, within a transaction.
pub(super) fn all(
    db: &dyn Database,
    versions: &mut HashMap<Version, i64>,
    batches: &[&Batch],
) -> anyhow::Result<()> {
    let mut writing = Writing { db, versions, tally: Tally::default() };
    batches.iter().try_for_each(|it| writing.batch(it))?;
    writing.tally.write(db).context("write the counters")?;
    group::tell(db, &writing.tally, batches).context("tell the others")
}

/// A transaction under way.
struct Writing<'t> {
    db: &'t dyn Database,
    versions: &'t mut HashMap<Version, i64>,
    tally: Tally,
}

impl Writing<'_> {
    fn batch(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let db = self.db;
        versions::write(db, batch)?;
        self.events(&batch.events).context("write events")?;
        let strays = &mut batch.strays.iter();
        strays.try_for_each(|it| stray(db, &mut self.tally, it)).context("write a stray")?;
        batch.replans.iter().try_for_each(|it| self.replan(it)).context("write a plan")?;
        outbox::write_outcomes(db, &mut self.tally, &batch.outcomes).context("write outcomes")?;
        batch.pauses.iter().try_for_each(|it| outbox::write_pause(db, it)).context("write a pause")?;
        super::watched::write(db, &mut self.tally, &batch.watched)?;
        let interventions = &mut batch.interventions.iter();
        interventions
            .try_for_each(|it| intervene::write(db, &mut self.tally, it))
            .context("write what a person did")?;
        super::remove::write(db, &batch.removal)?;
        super::erase::write(db, &mut self.tally, &batch.erasure)?;
        batch.audit.iter().try_for_each(|it| super::erase::audit(db, it)).context("write an audit")?;
        super::access::write(db, &batch.tokens).context("write a token")?;
        group::write(db, batch).context("write errands")
    }

    fn events(&mut self, recorded: &[Recorded]) -> anyhow::Result<()> {
        if recorded.is_empty() {
            return Ok(());
        }
        let came = recorded.iter().filter_map(|recorded| recorded.came);
        let came: Vec<_> = came.map(|seq| Cell::Int(seq.0)).collect();
        if !came.is_empty() {
            let sql = "DELETE FROM upcoming WHERE seq IN rarray(?1)";
            for _ in 0..self.db.execute(sql, &[Cell::List(came)])? {
                self.tally.remove(Counted::Upcoming, 0);
            }
        }
        let mut rows = Rows::new(20, 0).with_room(recorded.len());
        for recorded in recorded {
            rows.push(event_row(self.db, recorded)?);
        }
        let seqs = self.db.insert_many(INSERT_EVENT, &rows)?;
        let mut gathered = Gathered::of(recorded.len());
        for (recorded, seq) in recorded.iter().zip(seqs) {
            let Some(seq) = seq else { continue };
            self.count(recorded);
            let event = &recorded.event;
            let (source, subject, partition) = (event.source.as_str(), &event.subject, event.partition());
            let about = About { seq: EventSeq(seq), source, subject, partition };
            gathered.subject(self.db, about, &recorded.subject)?;
            if let Some(parent) = event.trace {
                gathered.trace(seq, &parent.to_bytes());
            }
            for plan in &recorded.plans {
                self.plan(&mut gathered, about, plan, recorded.decided_at_ms)?;
                if plan.verdict.is_holding() && !about.subject.is_empty() {
                    gathered.enter(about, &plan.plugin);
                }
            }
        }
        gathered.write(self.db)
    }

    fn count(&mut self, recorded: &Recorded) {
        self.tally.add(Counted::Event, state_of(recorded));
        match recorded.event.cause {
            Some(_) => self.tally.add(Counted::Caused, 0),
            None => self.tally.add(Counted::Arrival, state::of_arrival(recorded.event.arrival)),
        }
    }

    /// Replaces a waiting plan. One that no longer waits was decided in the meantime and stays.
    fn replan(&mut self, replan: &Replan) -> anyhow::Result<()> {
        let (db, plugin) = (self.db, &replan.plan.plugin);
        let sql = "SELECT 1 FROM plans WHERE event_seq = ?1 AND plugin = ?2 AND state = 1";
        if !db.exists(sql, cells![replan.event.0, plugin])? {
            return Ok(());
        }
        let (source, subject, partition) = lane::about(db, replan.event)?;
        let about = About { seq: replan.event, source: &source, subject: &subject, partition };
        self.tally.remove(Counted::Plan, state::WAITING);
        let mut gathered = Gathered::of(1);
        self.plan(&mut gathered, about, &replan.plan, replan.decided_at_ms)?;
        gathered.subject(db, about, &replan.subject)?;
        gathered.write(db)?;
        if !replan.plan.verdict.is_holding() {
            lane::leave(db, &mut self.tally, about, plugin, replan.decided_at_ms)?;
        }
        update_event(db, &mut self.tally, replan.event, replan.decided_at_ms)
    }

    fn plan<'a>(
        &mut self,
        gathered: &mut Gathered<'a>,
        about: About<'a>,
        plan: &'a Plan,
        decided_at_ms: u64,
    ) -> anyhow::Result<()> {
        let version = self.version_id(&plan.version)?;
        self.tally.add(Counted::Plan, gathered::state_of(&plan.verdict));
        gathered.plan(self.db, about, plan, version, decided_at_ms)?;
        let Verdict::Decided(decided) = &plan.verdict else { return Ok(()) };
        for effect in &decided.effects {
            self.tally.add(Counted::Effect, state::WAITING);
            let plugin = plan.plugin.as_str();
            gathered.effect(outbox::effect_row(self.db, about.seq.0, plugin, effect, decided_at_ms)?);
        }
        for upcoming in &decided.upcoming {
            self.tally.add(Counted::Upcoming, 0);
            gathered.upcoming(self.db, upcoming)?;
        }
        match &decided.memory {
            Some(memory) => gathered.memory(self.db, about, &plan.plugin, memory),
            None => Ok(()),
        }
    }

    fn version_id(&mut self, version: &Version) -> anyhow::Result<i64> {
        if let Some(id) = self.versions.get(version) {
            return Ok(*id);
        }
        let id = self.db.value("SELECT id FROM versions WHERE version = ?1", cells![version])?;
        let id = id.with_context(|| format!("version {} was never deployed", version.short()))?;
        self.versions.insert(version.clone(), id);
        Ok(id)
    }
}

fn state_of(recorded: &Recorded) -> i64 {
    event_state(recorded.plans.iter().map(|plan| gathered::state_of(&plan.verdict)))
}

/// The values of [`INSERT_EVENT`].
fn event_row<'a>(db: &dyn Database, recorded: &'a Recorded) -> anyhow::Result<[Cell<'a>; 20]> {
    let event = &recorded.event;
    let duplicate_of = match event.arrival {
        Arrival::Duplicate(original) => Some(original),
        _ => None,
    };
    let (cause, row) = (event.cause.as_ref(), cells![event.receipt]);
    Ok([
        event.receipt.into(),
        (&event.source).into(),
        (&event.kind).into(),
        (&event.subject).into(),
        duplicate_of.into(),
        state_of(recorded).into(),
        event.received_at_ms.into(),
        recorded.queued_at_ms.into(),
        recorded.pulled_at_ms.into(),
        recorded.decided_at_ms.into(),
        event.content_type.as_ref().into(),
        (&event.sha256).into(),
        db.seal("events.body", row, event.body.as_slice())?,
        db.seal("events.findings", row, json_unless_empty(&event.findings)?)?,
        state::of_arrival(event.arrival).into(),
        event.previous.as_ref().map(|snapshot| snapshot.receipt).into(),
        db.seal("events.attributes", row, json_unless_empty(&event.attributes)?)?,
        cause.and_then(|cause| cause.audience.as_ref()).into(),
        cause.map(|cause| cause.receipt).into(),
        cause.map_or(0, |cause| cause.depth).into(),
    ])
}

fn stray(db: &dyn Database, tally: &mut Tally, stray: &Stray) -> anyhow::Result<()> {
    let sha256 = Digest::of(stray.body.as_bytes());
    let inserted = db.execute(
        "INSERT INTO strays (sha256, body, why, pulled_at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        &[
            (&sha256).into(),
            db.seal("strays.body", cells![&sha256], &stray.body)?,
            db.seal("strays.why", cells![&sha256], &stray.why)?,
            stray.pulled_at_ms.into(),
        ],
    )?;
    if inserted > 0 {
        tally.add(Counted::Stray, state::PARKED);
    }
    Ok(())
}

pub(super) fn write_upcoming(
    db: &dyn Database,
    tally: &mut Tally,
    upcoming: &Upcoming,
) -> anyhow::Result<()> {
    tally.add(Counted::Upcoming, 0);
    db.execute(INSERT_UPCOMING, &upcoming_row(db, upcoming)?)?;
    Ok(())
}
