//! Performs what was recorded, when it is due, and records what came of it. Knows nothing of plugins.

use crate::executor::{Again, Executor, Outcome};
use crate::retry::{self, Next, RetryPolicy};
use crate::store::{Batch, DueEffect, EffectOutcome, EffectSeq, EffectState, Store, StoreError};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// How long to stay away from a store that fails.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What the outbox is made of.
pub struct Outbox<S> {
    /// Where effects are recorded.
    pub store: S,
    /// What performs them.
    pub executor: Executor,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Effects performed at the same time.
    pub in_flight_max: usize,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// A number in 0..1, another each time.
    pub chance: fn() -> f64,
    /// Tells that effects may have been recorded.
    pub recorded: Arc<Notify>,
}

/// Performs due effects until told to stop, then finishes those under way.
///
/// Cancel-safe: an effect whose outcome was not recorded is performed again, with the same key.
pub async fn run<S: Store + Clone>(outbox: Outbox<S>, mut stop: watch::Receiver<bool>) {
    let outbox = Arc::new(outbox);
    let mut under_way = HashSet::new();
    let mut attempts: JoinSet<EffectSeq> = JoinSet::new();
    while !*stop.borrow() {
        // Before the look: what is recorded while looking must wake the next wait.
        let recorded = outbox.recorded.notified();
        tokio::pin!(recorded);
        recorded.as_mut().enable();
        let next = match start_due(&outbox, &mut under_way, &mut attempts).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!("failed to read the outbox: {error}");
                Some(STORE_RETRY)
            }
        };
        tokio::select! {
            () = &mut recorded => {}
            Some(done) = attempts.join_next() => finish(&mut under_way, done),
            () = sleep(next) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        while let Some(done) = attempts.try_join_next() {
            finish(&mut under_way, done);
        }
    }
    while attempts.join_next().await.is_some() {}
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

fn finish(under_way: &mut HashSet<EffectSeq>, done: Result<EffectSeq, tokio::task::JoinError>) {
    under_way.remove(&done.expect("performing an effect does not panic"));
}

/// Starts what is due as far as there is room, and says when to look again by the clock alone.
async fn start_due<S: Store + Clone>(
    outbox: &Arc<Outbox<S>>,
    under_way: &mut HashSet<EffectSeq>,
    attempts: &mut JoinSet<EffectSeq>,
) -> Result<Option<Duration>, StoreError> {
    let now_ms = (outbox.now_ms)();
    let room = outbox.in_flight_max.saturating_sub(under_way.len());
    if room > 0 {
        // Those under way are still due in the store, so ask for as many more.
        let due = outbox.store.effects_due(now_ms, room + under_way.len()).await?;
        let fresh: Vec<_> = due.into_iter().filter(|due| !under_way.contains(&due.seq)).take(room).collect();
        for due in fresh {
            under_way.insert(due.seq);
            attempts.spawn(attempt(Arc::clone(outbox), due));
        }
    }
    let next_at_ms = outbox.store.next_effect_at_ms(now_ms).await?;
    Ok(next_at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms))))
}

async fn attempt<S: Store + Clone>(outbox: Arc<Outbox<S>>, due: DueEffect) -> EffectSeq {
    let attempts = due.attempts.saturating_add(1);
    let outcome = outbox.executor.perform(&due.effect).await;
    let at_ms = (outbox.now_ms)();
    let (state, what) = judge(&outcome, &outbox.retry, attempts, at_ms, (outbox.chance)());
    let key = due.effect.key().as_str();
    match state {
        EffectState::Done => tracing::info!(key, attempts, "performed: {what}"),
        EffectState::Waiting { .. } => {
            tracing::warn!(key, attempts, "failed to perform, will try again: {what}")
        }
        EffectState::Parked => tracing::error!(key, attempts, "parked an effect: {what}"),
    }
    let outcome = EffectOutcome { seq: due.seq, attempts, state, what, at_ms };
    if let Err(error) = outbox.store.commit(Batch { outcomes: vec![outcome], ..Batch::default() }).await {
        tracing::error!(key, "failed to record an outcome, the effect will be performed again: {error}");
        tokio::time::sleep(STORE_RETRY).await;
    }
    due.seq
}

/// What becomes of an effect after this outcome of its so-manieth attempt.
fn judge(
    outcome: &Outcome,
    policy: &RetryPolicy,
    attempts: u32,
    at_ms: u64,
    jitter: f64,
) -> (EffectState, String) {
    match outcome {
        Outcome::Done { status, elapsed_ms, .. } => {
            (EffectState::Done, format!("{status} in {elapsed_ms} ms"))
        }
        Outcome::Failed { what, again: Again::Never } => (EffectState::Parked, what.clone()),
        Outcome::Failed { what, again: Again::After(retry_after_ms) } => {
            match retry::next(policy, attempts, *retry_after_ms, jitter) {
                Next::After(ms) => {
                    (EffectState::Waiting { due_at_ms: at_ms.saturating_add(ms) }, what.clone())
                }
                Next::GiveUp => {
                    (EffectState::Parked, format!("gave up after {attempts} attempts; the last: {what}"))
                }
            }
        }
    }
}
