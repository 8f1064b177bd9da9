//! Performs what was recorded, when it is due, and records what came of it. Knows nothing of plugins.

use crate::executor::{Again, Executor, Outcome};
use crate::retry::{self, RetryPolicy};
use crate::store::{self, Batch, DueEffect, EffectOutcome, EffectSeq, EffectState, Store, StoreError};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

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
    let mut work = Work::default();
    let mut recorded = pin!(outbox.recorded.notified());
    recorded.as_mut().enable();
    let mut look = true;
    while !*stop.borrow() {
        if look {
            work.start_due(&outbox).await;
        }
        look = tokio::select! {
            () = &mut recorded => {
                // Armed again before the look: what is recorded while looking counts.
                recorded.set(outbox.recorded.notified());
                recorded.as_mut().enable();
                true
            }
            Some(done) = work.attempts.join_next() => work.finish(done, outbox.in_flight_max),
            () = sleep_until(work.look_at) => true,
            _ = stop.wait_for(|stop| *stop) => false,
        };
    }
    while work.attempts.join_next().await.is_some() {}
}

/// What is being performed, and when to look for more.
#[derive(Default)]
struct Work {
    attempts: JoinSet<(EffectSeq, Option<Instant>)>,
    under_way: HashSet<EffectSeq>,
    /// When the clock alone gives a reason to look.
    look_at: Option<Instant>,
    /// Whether the last look left due effects behind for want of room.
    more: bool,
}

impl Work {
    /// Starts what is due as far as there is room.
    async fn start_due<S: Store + Clone>(&mut self, outbox: &Arc<Outbox<S>>) {
        let now_ms = (outbox.now_ms)();
        match self.due(outbox, now_ms).await {
            Ok((fresh, next_at_ms)) => {
                let until_next = next_at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms)));
                self.look_at = until_next.map(|wait| Instant::now() + wait);
                for due in fresh {
                    self.under_way.insert(due.seq);
                    self.attempts.spawn(attempt(Arc::clone(outbox), due));
                }
            }
            Err(error) => {
                tracing::error!("failed to read the outbox: {error}");
                self.look_at = Some(Instant::now() + STORE_RETRY);
            }
        }
    }

    /// The due effects that there is room for, and when the first later one is due.
    async fn due<S: Store + Clone>(
        &mut self,
        outbox: &Outbox<S>,
        now_ms: u64,
    ) -> Result<(Vec<DueEffect>, Option<u64>), StoreError> {
        // Those under way are still due in the store, so ask for as many more, and one to know of others.
        let mut due = outbox.store.effects_due(now_ms, outbox.in_flight_max + 1).await?;
        due.retain(|due| !self.under_way.contains(&due.seq));
        let room = outbox.in_flight_max.saturating_sub(self.under_way.len());
        self.more = due.len() > room;
        due.truncate(room);
        Ok((due, outbox.store.next_effect_at_ms(now_ms).await?))
    }

    /// Takes note of an attempt's end, and says whether to look: not for every single one of many.
    fn finish(
        &mut self,
        done: Result<(EffectSeq, Option<Instant>), JoinError>,
        in_flight_max: usize,
    ) -> bool {
        let (seq, again_at) = done.expect("performing an effect does not panic");
        self.under_way.remove(&seq);
        self.look_at = [self.look_at, again_at].into_iter().flatten().min();
        self.more && self.under_way.len() <= in_flight_max / 2
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Performs an effect once and records the outcome. Says which effect it was, and when it is due again.
async fn attempt<S: Store + Clone>(outbox: Arc<Outbox<S>>, due: DueEffect) -> (EffectSeq, Option<Instant>) {
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
    let again_at = match state {
        EffectState::Waiting { due_at_ms } => {
            Some(Instant::now() + Duration::from_millis(due_at_ms.saturating_sub(at_ms)))
        }
        EffectState::Done | EffectState::Parked => None,
    };
    let outcome = EffectOutcome { seq: due.seq, attempts, state, what, at_ms };
    // Until it is recorded the effect counts as under way: a full disk must not perform it again and again.
    store::commit_until_taken(&outbox.store, Batch { outcomes: vec![outcome], ..Batch::default() }).await;
    (due.seq, again_at)
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
            let next = retry::next(policy, attempts, *retry_after_ms, jitter);
            EffectState::after_failure(next, attempts, at_ms, what)
        }
    }
}
