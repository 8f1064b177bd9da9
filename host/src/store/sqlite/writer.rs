//! The one thread that writes. It takes all batches that wait and makes one transaction of them, so that
//! many callers share one flush of the disk.

use super::schema::state;
use crate::event::Arrival;
use crate::plan::{Plan, Verdict};
use crate::plugin::Version;
use crate::store::{Batch, Deployment, EffectOutcome, EventSeq, Recorded, Replan, StoreError, Stray};
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Batches that share one transaction at most, so that the first of them does not wait too long.
const BATCHES_PER_TRANSACTION_MAX: usize = 32;

pub(super) struct Writer(mpsc::Sender<Waiting>);

struct Waiting {
    batch: Arc<Batch>,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    /// Starts the thread; it ends when the last handle is gone and all that was handed over is written.
    pub(super) fn start(mut db: Connection, batches_waiting_max: usize) -> anyhow::Result<Self> {
        let (sender, mut receiver) = mpsc::channel::<Waiting>(batches_waiting_max);
        let run = move || {
            let mut versions = HashMap::new();
            while let Some(first) = receiver.blocking_recv() {
                let mut waiting = vec![first];
                while waiting.len() < BATCHES_PER_TRANSACTION_MAX {
                    let Ok(next) = receiver.try_recv() else { break };
                    waiting.push(next);
                }
                commit_all(&mut db, &mut versions, waiting);
            }
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(run)
            .context("start the store's writer")?;
        Ok(Self(sender))
    }

    pub(super) async fn commit(&self, batch: Arc<Batch>) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError(anyhow::anyhow!("the store's writer has stopped"));
        self.0.send(Waiting { batch, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Writes all batches in one transaction, then answers; if that fails, each in its own, so that one batch
/// that cannot be written takes no other with it.
fn commit_all(db: &mut Connection, versions: &mut HashMap<Version, i64>, waiting: Vec<Waiting>) {
    let together = commit(db, versions, waiting.iter().map(|waiting| waiting.batch.as_ref()));
    let alone = waiting.len() == 1;
    if together.is_err() {
        // What was rolled back may have made the versions that are remembered here.
        versions.clear();
    }
    match together {
        Err(error) if alone => {
            for waiting in waiting {
                // The caller may have gone; then nobody acknowledges, and the deliveries come again.
                let _ = waiting.answer.send(Err(StoreError(anyhow::anyhow!("{error:#}"))));
            }
        }
        Err(_) => {
            for waiting in waiting {
                let result = commit(db, versions, std::iter::once(waiting.batch.as_ref()));
                let _ = waiting.answer.send(result.map_err(StoreError));
            }
        }
        Ok(()) => {
            for waiting in waiting {
                let _ = waiting.answer.send(Ok(()));
            }
        }
    }
}

fn commit<'a>(
    db: &mut Connection,
    versions: &mut HashMap<Version, i64>,
    batches: impl Iterator<Item = &'a Batch>,
) -> anyhow::Result<()> {
    let transaction = db.transaction().context("begin a transaction")?;
    for batch in batches {
        batch.deployments.iter().try_for_each(|it| deploy(&transaction, it)).context("write a deployment")?;
        batch
            .events
            .iter()
            .try_for_each(|it| record(&transaction, versions, it))
            .context("write an event")?;
        batch.strays.iter().try_for_each(|it| stray(&transaction, it)).context("write a stray")?;
        batch.replans.iter().try_for_each(|it| replan(&transaction, versions, it)).context("write a plan")?;
        batch.outcomes.iter().try_for_each(|it| outcome(&transaction, it)).context("write an outcome")?;
        super::watched::write(&transaction, &batch.watched)?;
    }
    transaction.commit().context("commit")
}

fn record(
    db: &Transaction<'_>,
    versions: &mut HashMap<Version, i64>,
    recorded: &Recorded,
) -> anyhow::Result<()> {
    let event = &recorded.event;
    let duplicate_of = match event.arrival {
        Arrival::First => None,
        Arrival::Duplicate(original) => Some(original.to_bytes()),
    };
    let findings = match event.findings.as_slice() {
        [] => None,
        findings => Some(serde_json::to_string(findings)?),
    };
    let inserted = db
        .prepare_cached(
            "INSERT INTO events (receipt, source, kind, subject, duplicate_of, state, received_at_ms, queued_at_ms,
                                 pulled_at_ms, decided_at_ms, content_type, sha256, body, findings)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (receipt) DO NOTHING",
        )?
        .execute(params![
            event.receipt.to_bytes(),
            event.source.as_str(),
            event.kind,
            event.subject,
            duplicate_of,
            event_state(recorded.plans.iter().map(|plan| plan_state(&plan.verdict))),
            event.received_at_ms.cast_signed(),
            recorded.queued_at_ms.cast_signed(),
            recorded.pulled_at_ms.cast_signed(),
            recorded.decided_at_ms.cast_signed(),
            event.content_type,
            event.sha256.as_bytes(),
            event.body,
            findings,
        ])?;
    if inserted == 0 {
        return Ok(());
    }
    let seq = EventSeq(db.last_insert_rowid());
    recorded.plans.iter().try_for_each(|plan| write_plan(db, versions, seq, plan, recorded.decided_at_ms))
}

const fn plan_state(verdict: &Verdict) -> i64 {
    match verdict {
        Verdict::Decided { .. } => state::DONE,
        Verdict::Skipped => state::SKIPPED,
        Verdict::Waiting { .. } => state::WAITING,
        Verdict::Parked { .. } => state::PARKED,
    }
}

/// The most pressing state among an event's plans.
fn event_state(mut plans: impl Iterator<Item = i64> + Clone) -> i64 {
    if plans.clone().any(|it| it == state::WAITING) {
        return state::WAITING;
    }
    if plans.any(|it| it == state::PARKED) { state::PARKED } else { state::DONE }
}

fn write_plan(
    db: &Transaction<'_>,
    versions: &mut HashMap<Version, i64>,
    seq: EventSeq,
    plan: &Plan,
    decided_at_ms: u64,
) -> anyhow::Result<()> {
    let (due_at_ms, why, notes, effects) = match &plan.verdict {
        Verdict::Decided { effects, notes } => (None, None, notes.as_slice(), effects.as_slice()),
        Verdict::Skipped => (None, None, &[][..], &[][..]),
        Verdict::Waiting { due_at_ms, why } => (Some(due_at_ms.cast_signed()), Some(why), &[][..], &[][..]),
        Verdict::Parked { why } => (None, Some(why), &[][..], &[][..]),
    };
    let notes = if notes.is_empty() { None } else { Some(serde_json::to_string(notes)?) };
    let log = if plan.log.is_empty() { None } else { Some(serde_json::to_string(&plan.log)?) };
    db.prepare_cached(
        "INSERT OR REPLACE INTO plans (event_seq, plugin, version_id, state, attempt, asked_us, due_at_ms, why, notes,
                                       decided_at_ms, log)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        seq.0,
        plan.plugin.as_str(),
        version_id(db, versions, &plan.version)?,
        plan_state(&plan.verdict),
        plan.attempt,
        plan.asked_us.cast_signed(),
        due_at_ms,
        why,
        notes,
        decided_at_ms.cast_signed(),
        log,
    ])?;
    for effect in effects {
        db.prepare_cached(
            "INSERT INTO effects (event_seq, plugin, record, state, attempts, due_at_ms) VALUES (?1, ?2, ?3, 1, 0, ?4)",
        )?
        .execute(params![seq.0, plan.plugin.as_str(), effect.to_record(), decided_at_ms.cast_signed()])?;
    }
    Ok(())
}

fn version_id(
    db: &Transaction<'_>,
    versions: &mut HashMap<Version, i64>,
    version: &Version,
) -> anyhow::Result<i64> {
    if let Some(id) = versions.get(version) {
        return Ok(*id);
    }
    let id = db
        .prepare_cached("SELECT id FROM versions WHERE version = ?1")?
        .query_row([version.as_str()], |row| row.get(0))
        .optional()?
        .with_context(|| format!("version {} was never deployed", version.short()))?;
    versions.insert(version.clone(), id);
    Ok(id)
}

fn stray(db: &Transaction<'_>, stray: &Stray) -> anyhow::Result<()> {
    let sha256 = tidegate_envelope::Digest::of(stray.body.as_bytes());
    db.prepare_cached(
        "INSERT INTO strays (sha256, body, why, pulled_at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![sha256.as_bytes(), stray.body, stray.why, stray.pulled_at_ms.cast_signed()])?;
    Ok(())
}

/// Replaces a waiting plan. One that no longer waits was decided in the meantime and stays.
fn replan(db: &Transaction<'_>, versions: &mut HashMap<Version, i64>, replan: &Replan) -> anyhow::Result<()> {
    let waits = db
        .prepare_cached("SELECT 1 FROM plans WHERE event_seq = ?1 AND plugin = ?2 AND state = 1")?
        .exists(params![replan.event.0, replan.plan.plugin.as_str()])?;
    if !waits {
        return Ok(());
    }
    write_plan(db, versions, replan.event, &replan.plan, replan.decided_at_ms)?;
    let states = db
        .prepare_cached("SELECT state FROM plans WHERE event_seq = ?1")?
        .query_map([replan.event.0], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    db.prepare_cached("UPDATE events SET state = ?2, decided_at_ms = ?3 WHERE seq = ?1")?.execute(
        params![replan.event.0, event_state(states.into_iter()), replan.decided_at_ms.cast_signed()],
    )?;
    Ok(())
}

fn outcome(db: &Transaction<'_>, outcome: &EffectOutcome) -> anyhow::Result<()> {
    let (state, due_at_ms) = state::after_attempt(outcome.state);
    db.prepare_cached(
        "UPDATE effects SET state = ?2, attempts = ?3, due_at_ms = coalesce(?4, due_at_ms), what = ?5, at_ms = ?6
         WHERE seq = ?1",
    )?
    .execute(params![
        outcome.seq.0,
        state,
        outcome.attempts,
        due_at_ms,
        outcome.what,
        outcome.at_ms.cast_signed()
    ])?;
    Ok(())
}

fn deploy(db: &Transaction<'_>, deployment: &Deployment) -> anyhow::Result<()> {
    let plugin = deployment.manifest.name.as_str();
    db.prepare_cached(
        "INSERT INTO versions (version, plugin, manifest, component) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        deployment.version.as_str(),
        plugin,
        serde_json::to_string(&deployment.manifest)?,
        deployment.component
    ])?;
    db.prepare_cached(
        "INSERT INTO deployments (plugin, version_id, deployed_at_ms)
         SELECT ?1, id, ?3 FROM versions WHERE version = ?2",
    )?
    .execute(params![plugin, deployment.version.as_str(), deployment.deployed_at_ms.cast_signed()])?;
    Ok(())
}
