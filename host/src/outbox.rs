//! Performs what was recorded, when it is due, and records what came of it. Knows nothing of plugins.

mod reply;
mod traffic;

pub use traffic::TargetRules;

use crate::executor::{Again, Attempt, Executor, Outcome};
use crate::holding::{Busy, Holding};
use crate::partition::{Partition, Partitions};
use crate::retry::{self, RetryPolicy};
use crate::signal::Signals;
use crate::store::outbox::PauseChange;
use crate::store::{self, Batch, DueEffect, EffectOutcome, EffectSeq, EffectState, Store, StoreError};
use crate::target::{Pass, Pause, Target};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use traffic::{Traffic, Wanted};

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
    /// What each target may be sent.
    pub targets: TargetRules,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// A number in 0..1, another each time.
    pub chance: fn() -> f64,
    /// Tells that effects may have been recorded.
    pub recorded: Arc<Notify>,
    /// What is told of each attempt.
    pub signals: Arc<Signals>,
    /// Which targets are this host's to send to: those of its partitions.
    pub holding: Arc<Holding>,
}

/// The outbox at work.
struct Shared<S> {
    outbox: Outbox<S>,
    traffic: Mutex<Traffic>,
}

/// Performs due effects until told to stop, then finishes those under way.
///
/// Cancel-safe: an effect whose outcome was not recorded is performed again, with the same key.
pub async fn run<S: Store + Clone>(outbox: Outbox<S>, mut stop: watch::Receiver<bool>) {
    let shared = Arc::new(Shared::new(outbox).await);
    let mut work = Work::default();
    let recorded = Arc::clone(&shared.outbox.recorded);
    let mut recorded_next = pin!(recorded.notified());
    recorded_next.as_mut().enable();
    let mut held = shared.outbox.holding.watch();
    let (mut look, mut has_changed) = (true, false);
    while !*stop.borrow() {
        if std::mem::take(&mut has_changed) {
            let now = *held.borrow_and_update();
            shared.take_over(now).await;
        }
        if look {
            work.start_due(&shared).await;
        }
        look = tokio::select! {
            () = &mut recorded_next => {
                // Armed again before the look: what is recorded while looking counts.
                recorded_next.set(recorded.notified());
                recorded_next.as_mut().enable();
                true
            }
            Some(done) = work.attempts.join_next() => work.finish(done, &shared),
            () = sleep_until(work.look_at) => true,
            Ok(()) = held.changed() => {
                has_changed = true;
                true
            }
            _ = stop.wait_for(|stop| *stop) => false,
        };
    }
    while work.attempts.join_next().await.is_some() {}
}

impl<S: Store + Clone> Shared<S> {
    async fn new(outbox: Outbox<S>) -> Self {
        let traffic = Traffic::new(outbox.targets.clone(), outbox.in_flight_max);
        let held = outbox.holding.held().await.partitions;
        let shared = Self { outbox, traffic: Mutex::new(traffic) };
        shared.take_over(held).await;
        shared
    }

    /// Of the targets in these partitions and no others it is known how they are. Which are left alone is remembered over a
    /// restart, and when another host had them.
    async fn take_over(&self, held: Partitions) {
        let paused = self.outbox.store.pauses().await.unwrap_or_else(|error| {
            tracing::error!("failed to read which targets are left alone, each will be tried: {error}");
            Vec::new()
        });
        let is_own = |target: &Target| held.contains(Partition::of_target(target.as_str()));
        self.traffic().take_over(is_own, paused, (self.outbox.now_ms)());
    }
}

impl<S> Shared<S> {
    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt that has ended.
struct Ended {
    seq: EffectSeq,
    target: Target,
    /// When it is due again.
    again_at: Option<Instant>,
}

/// What is being performed, and when to look for more.
#[derive(Default)]
struct Work {
    attempts: JoinSet<Ended>,
    under_way: HashSet<EffectSeq>,
    /// When the clock alone gives a reason to look.
    look_at: Option<Instant>,
    /// What the last look could not start.
    left: Wanted,
}

impl Work {
    /// Starts what is due as far as there is room.
    async fn start_due<S: Store + Clone>(&mut self, shared: &Arc<Shared<S>>) {
        let now_ms = (shared.outbox.now_ms)();
        // Until all of them are under way: no partition is given away whose target is about to be sent something.
        let held = shared.outbox.holding.held().await;
        match self.due(shared, now_ms, held.partitions).await {
            Ok(fresh) => {
                let until_next =
                    self.left.look_at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms)));
                self.look_at = until_next.map(|wait| Instant::now() + wait);
                for due in fresh {
                    let target = due.effect.request().target();
                    self.under_way.insert(due.seq);
                    let pass = shared.traffic().begin(&target, now_ms);
                    let busy = shared.outbox.holding.begin(Partition::of_target(target.as_str()));
                    self.attempts.spawn(attempt(Arc::clone(shared), due, (target, pass), busy));
                }
            }
            Err(error) => {
                tracing::error!("failed to read the outbox: {error}");
                self.look_at = Some(Instant::now() + STORE_RETRY);
            }
        }
    }

    /// The due effects that there is room for.
    async fn due<S: Store + Clone>(
        &mut self,
        shared: &Shared<S>,
        now_ms: u64,
        held: Partitions,
    ) -> Result<Vec<DueEffect>, StoreError> {
        let Outbox { store, in_flight_max, .. } = &shared.outbox;
        // Those under way are still due in the store, so ask for as many more, and one to know of others.
        let mut waiting = store.targets_waiting(now_ms, 2 * in_flight_max + 1).await?;
        waiting.retain(|waiting| held.contains(Partition::of_target(waiting.target.as_str())));
        for waiting in &mut waiting {
            waiting.due.retain(|seq| !self.under_way.contains(seq));
        }
        self.left = shared.traffic().look(waiting, self.under_way.len(), now_ms);
        store.effects(std::mem::take(&mut self.left.seqs)).await
    }

    /// Takes note of an attempt's end, and says whether to look: not for every single one of many.
    fn finish<S>(&mut self, done: Result<Ended, JoinError>, shared: &Shared<S>) -> bool {
        let Ended { seq, target, again_at } = done.expect("performing an effect does not panic");
        self.under_way.remove(&seq);
        self.look_at = [self.look_at, again_at].into_iter().flatten().min();
        let is_half_empty = self.under_way.len() <= shared.outbox.in_flight_max / 2;
        let has_room = self.left.held.contains(&target) && shared.traffic().is_half_empty(&target);
        self.left.is_starved || has_room || (self.left.is_short && is_half_empty)
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Performs an effect once and records the outcome. Until then its target's partition is not given away.
async fn attempt<S: Store + Clone>(
    shared: Arc<Shared<S>>,
    due: DueEffect,
    (target, pass): (Target, Pass),
    _busy: Busy,
) -> Ended {
    let outbox = &shared.outbox;
    let attempts = due.attempts.saturating_add(1);
    let signals = &outbox.signals;
    let told = signals.attempt(&due, attempts, (outbox.now_ms)());
    let attempt = match &told {
        Some(told) => outbox.executor.perform(&due.effect.traced(&told.traceparent())).await,
        None => outbox.executor.perform(&due.effect).await,
    };
    let at_ms = (outbox.now_ms)();
    let (state, what) = judge(&attempt.outcome, &outbox.retry, attempts, at_ms, (outbox.chance)());
    tell(&due, attempts, state, &what);
    let received_at_ms = due.effect.key().receipt().timestamp_ms();
    signals.counts.attempted(&target, state, at_ms.saturating_sub(received_at_ms));
    signals.tell(told.map(|told| told.end(&attempt.outcome, state, at_ms)).into_iter());
    let change = shared.traffic().end(&target, pass, attempt.health, at_ms);
    let pause = change.map(|pause| pause_change(&target, pause, pass, &attempt));
    let again_at = match state {
        EffectState::Waiting { due_at_ms } => {
            Some(Instant::now() + Duration::from_millis(due_at_ms.saturating_sub(at_ms)))
        }
        EffectState::Done | EffectState::Parked => None,
    };
    let reply = reply::reply(&due.effect, due.origin.as_ref(), &attempt, (state, &what), at_ms);
    let is_reply = reply.is_some();
    let outcome = EffectOutcome { seq: due.seq, attempts, state, what, at_ms, reply };
    let batch = Batch { outcomes: vec![outcome], pauses: pause.into_iter().collect(), ..Batch::default() };
    // Until it is recorded the effect counts as under way: a full disk must not perform it again and again.
    store::record(&outbox.store, batch).await;
    if is_reply {
        outbox.recorded.notify_waiters();
    }
    Ended { seq: due.seq, target, again_at }
}

fn tell(due: &DueEffect, attempts: u32, state: EffectState, what: &str) {
    let (receipt, plugin, place) = due.effect.key().parts();
    match state {
        EffectState::Done => tracing::info!(%receipt, %plugin, effect = place, attempts, "performed: {what}"),
        EffectState::Waiting { .. } => {
            tracing::warn!(%receipt, %plugin, effect = place, attempts, "failed to perform, will try again: {what}")
        }
        EffectState::Parked => {
            tracing::error!(%receipt, %plugin, effect = place, attempts, "parked an effect: {what}")
        }
    }
}

/// What is recorded when a target is left alone from now on, or no longer.
fn pause_change(target: &Target, pause: Option<Pause>, pass: Pass, attempt: &Attempt) -> PauseChange {
    let last = match &attempt.outcome {
        Outcome::Failed { what, .. } => what.as_str(),
        Outcome::Done { .. } => "it answers",
    };
    match pause {
        Some(Pause { length_ms, .. }) => {
            tracing::warn!(%target, "the target is left alone for {length_ms} ms: {last}");
        }
        None => tracing::info!(%target, "the target works again"),
    }
    let why = match pass {
        Pass::Usual => format!("it failed again and again, the last time: {last}"),
        Pass::Probe => format!("it was asked once more: {last}"),
    };
    PauseChange { target: target.clone(), pause: pause.map(|pause| (pause, why)) }
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
