//! A target that fails, is slow, and does what it was asked without saying so; and what performs effects at it. That follows
//! the rules of `outbox`, whose own executor speaks HTTP and nothing else.

use super::world::{self, chance, now_ms, step, tell, up_to_ms};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidegate::effect::Effect;
use tidegate::retry::{self, RetryPolicy};
use tidegate::store::sql::SqlStore;
use tidegate::store::{self, Batch, DueEffect, EffectOutcome, EffectSeq, EffectState, Store as _};
use tokio::task::JoinSet;

/// So many that none is given up: the target comes back.
const RETRY: RetryPolicy = RetryPolicy { attempts_max: 1_000, first_ms: 20, factor: 2, cap_ms: 400 };
/// Effects performed at the same time.
const IN_FLIGHT_MAX: usize = 4;

/// What was asked of the target, by key.
#[derive(Clone, Default)]
pub(crate) struct Target(Arc<Mutex<BTreeMap<String, Asked>>>);

/// One request, however often it was made.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) request: String,
    /// How often it was performed.
    pub(crate) times: u32,
}

impl Target {
    pub(crate) fn asked(&self) -> BTreeMap<String, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn call(&self, effect: &Effect) -> Result<(), &'static str> {
        step("before a request").await;
        let key = effect.key().as_str();
        if world::goes_wrong(250) {
            tell(format!("target: refuses {key}"));
            return Err("connection refused");
        }
        {
            let request = format!("{} {:?}", effect.request().url(), effect.request().body());
            let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = asked.entry(key.to_owned()).or_default();
            world::must(known.times == 0 || known.request == request, || {
                format!("two requests under one key: {key}")
            });
            *known = Asked { request, times: known.times + 1 };
        }
        tell(format!("target: performs {key}"));
        step("after a request was performed").await;
        tokio::time::sleep(up_to_ms(if world::goes_wrong(100) { 900 } else { 5 })).await;
        if world::goes_wrong(200) { Err("no answer: performed or not, nobody knows") } else { Ok(()) }
    }
}

/// Performs what is due, for as long as the host lives.
pub(crate) async fn perform(store: SqlStore, target: Target) {
    let mut under_way: HashSet<EffectSeq> = HashSet::new();
    let mut attempts = JoinSet::new();
    loop {
        let waiting = store.targets_waiting(now_ms(), IN_FLIGHT_MAX + 1).await.expect("reads");
        let due = waiting.into_iter().flat_map(|target| target.due).collect();
        let due = store.effects(due).await.expect("reads");
        let fresh: Vec<_> = due.into_iter().filter(|due| !under_way.contains(&due.seq)).collect();
        for due in fresh.into_iter().take(IN_FLIGHT_MAX.saturating_sub(under_way.len())) {
            under_way.insert(due.seq);
            attempts.spawn(attempt(store.clone(), target.clone(), due));
        }
        tokio::select! {
            biased;
            Some(done) = attempts.join_next() => { under_way.remove(&done.expect("performing does not panic")); }
            () = tokio::time::sleep(Duration::from_millis(40)) => {}
        }
    }
}

async fn attempt(store: SqlStore, target: Target, due: DueEffect) -> EffectSeq {
    let attempts = due.attempts + 1;
    let (state, what) = match target.call(&due.effect).await {
        Ok(()) => (EffectState::Done, "200".to_owned()),
        Err(what) => {
            let next = retry::next(&RETRY, attempts, None, chance());
            EffectState::after_failure(next, attempts, now_ms(), what)
        }
    };
    let outcome = EffectOutcome { seq: due.seq, attempts, state, what, at_ms: now_ms(), reply: None };
    store::record(&store, Batch { outcomes: vec![outcome], ..Batch::default() }).await;
    due.seq
}
