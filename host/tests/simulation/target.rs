//! A target that fails, is slow, and does what it was asked without saying so; and what performs effects at it. That follows
//! the rules of `outbox`, whose own executor speaks HTTP and nothing else.

use super::host::Part;
use super::world::{self, chance, now_ms, step, tell, up_to_ms};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidegate::effect::Effect;
use tidegate::holding::Busy;
use tidegate::partition::{Partition, Partitions};
use tidegate::retry::{self, RetryPolicy};
use tidegate::store::group::Group as _;
use tidegate::store::keeping::Audit;
use tidegate::store::sql::{Server, SqlStore};
use tidegate::store::{
    self, Batch, DueEffect, EffectOutcome, EffectSeq, EffectState, Store as _, StoreError,
};
use tokio::task::JoinSet;

/// So many that none is given up: the target comes back.
const RETRY: RetryPolicy = RetryPolicy { attempts_max: 1_000, first_ms: 20, factor: 2, cap_ms: 400 };
/// Effects performed at the same time.
const IN_FLIGHT_MAX: usize = 4;

/// How long to stay away from a store that fails.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What was asked of the target, by key.
#[derive(Clone, Default)]
pub(crate) struct Target {
    asked: Arc<Mutex<BTreeMap<String, Asked>>>,
    /// Where hosts share the store: what says which of them may ask for something.
    server: Option<Arc<Server>>,
}

/// One request, however often it was made.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) request: String,
    /// How often it was performed.
    pub(crate) times: u32,
}

impl Target {
    /// What hosts share that share this.
    pub(crate) fn at(server: &Arc<Server>) -> Self {
        Self { server: Some(Arc::clone(server)), ..Self::default() }
    }

    pub(crate) fn asked(&self) -> BTreeMap<String, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A host whose session stands asks for effects alone whose targets it holds. One that has lost it may not know yet.
    fn check_held(&self, effect: &Effect, host: Option<i64>) {
        let held = self.server.as_ref().zip(host).and_then(|(server, host)| server.held(host));
        let partition = Partition::of_target(effect.request().target().as_str());
        world::must(held.is_none_or(|held| held.contains(partition)), || {
            format!("{} is performed by a host that does not hold its target", effect.key())
        });
    }

    async fn call(&self, effect: &Effect, host: Option<i64>) -> Result<(), &'static str> {
        step("before a request").await;
        self.check_held(effect, host);
        let key = effect.key().as_str();
        if world::goes_wrong(250) {
            tell(format!("target: refuses {key}"));
            return Err("connection refused");
        }
        {
            let request = format!("{} {:?}", effect.request().url(), effect.request().body());
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let known = asked.entry(key.to_owned()).or_default();
            world::must(known.times == 0 || known.request == request, || {
                format!("two requests under one key: {key}")
            });
            *known = Asked { request, times: known.times + 1 };
        }
        tell(format!("target: performs {key}"));
        step("after a request was performed").await;
        tokio::time::sleep(up_to_ms(if world::goes_wrong(100) { 900 } else { 5 })).await;
        self.check_held(effect, host);
        if world::goes_wrong(200) { Err("no answer: performed or not, nobody knows") } else { Ok(()) }
    }
}

/// Performs what is due until told to stop, then finishes what is under way.
pub(crate) async fn perform(part: Part, target: Target) {
    let Part { store, holding, recorded, mut stopped } = part;
    let mut under_way: HashSet<EffectSeq> = HashSet::new();
    let mut attempts = JoinSet::new();
    while !*stopped.borrow() {
        let woken = recorded.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        // Until all of them are under way: no partition is given away whose target is about to be asked for something.
        let held = holding.held().await;
        let wait = match due(&store, held.partitions).await {
            Ok(due) => {
                let fresh: Vec<_> = due.into_iter().filter(|due| !under_way.contains(&due.seq)).collect();
                let wait = if fresh.is_empty() { 1_000 } else { 40 };
                for due in fresh.into_iter().take(IN_FLIGHT_MAX.saturating_sub(under_way.len())) {
                    under_way.insert(due.seq);
                    let busy = holding.begin(Partition::of_target(due.effect.request().target().as_str()));
                    attempts.spawn(attempt(store.clone(), target.clone(), due, busy));
                }
                Duration::from_millis(wait)
            }
            Err(_) => STORE_RETRY,
        };
        drop(held);
        tokio::select! {
            biased;
            Some(done) = attempts.join_next() => { under_way.remove(&done.expect("performing does not panic")); }
            () = woken => {}
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }
    while attempts.join_next().await.is_some() {}
}

async fn due(store: &SqlStore, held: Partitions) -> Result<Vec<DueEffect>, StoreError> {
    let mut waiting = store.targets_waiting(now_ms(), IN_FLIGHT_MAX + 1).await?;
    waiting.retain(|waiting| held.contains(Partition::of_target(waiting.target.as_str())));
    // Targets come in no order.
    let mut seqs: Vec<_> = waiting.into_iter().flat_map(|target| target.due).collect();
    seqs.sort_unstable_by_key(|seq| seq.0);
    store.effects(seqs).await
}

async fn attempt(store: SqlStore, target: Target, due: DueEffect, _busy: Busy) -> EffectSeq {
    let attempts = due.attempts + 1;
    let (state, what) = match target.call(&due.effect, store.own()).await {
        Ok(()) => (EffectState::Done, "200".to_owned()),
        Err(what) => {
            let next = retry::next(&RETRY, attempts, None, chance());
            EffectState::after_failure(next, attempts, now_ms(), what)
        }
    };
    let outcome = EffectOutcome { seq: due.seq, attempts, state, what, at_ms: now_ms(), reply: None };
    // As often as its batch is written: nothing recognises that it is there.
    let noted = Audit { at_ms: now_ms(), record: format!("\"{} {attempts}\"", due.effect.key()) };
    store::record(&store, Batch { outcomes: vec![outcome], audit: vec![noted], ..Batch::default() }).await;
    due.seq
}
