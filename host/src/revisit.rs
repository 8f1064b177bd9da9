//! Looks for what is due and is no delivery: plugins that are to be asked, again or in turn, and events of the host's own.
//! Knows nothing of how either is decided.

use crate::pipeline::{Group, Pipeline};
use crate::store::{DueAsk, Store, StoreError};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Of one plugin and source, what is asked about in one go.
const ASKS_MAX: usize = 16;
/// Events of the host's own told in one go.
const UPCOMING_MAX: usize = 64;
/// How long to stay away from a store that fails.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Does what is due until told to stop, then finishes what is under way.
///
/// Cancel-safe: what was not recorded stays due.
pub async fn run<S: Store>(
    store: S,
    pipeline: Arc<Pipeline<S>>,
    recorded: Arc<Notify>,
    now_ms: fn() -> u64,
    mut stop: watch::Receiver<bool>,
) {
    let mut work =
        Work { store, pipeline, under_way: HashSet::new(), is_telling: false, slices: JoinSet::new() };
    while !*stop.borrow() {
        let woken = recorded.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let next = work.start_due(now_ms()).await.unwrap_or_else(|error| {
            tracing::error!("failed to look for what is due: {error}");
            Some(STORE_RETRY)
        });
        tokio::select! {
            // Whichever it is, the next turn looks for all that is due. In an order, so that a simulated run has one.
            biased;
            Some(ended) = work.slices.join_next() => work.finish(ended.expect("asking does not panic")),
            () = woken => {}
            () = tokio::time::sleep(next.unwrap_or(Duration::MAX)) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    while work.slices.join_next().await.is_some() {}
}

/// One piece of work under way.
enum Slice {
    Asks(Group),
    Telling,
}

struct Work<S> {
    store: S,
    pipeline: Arc<Pipeline<S>>,
    /// Whose events are asked about now: the store still has them as due.
    under_way: HashSet<Group>,
    is_telling: bool,
    slices: JoinSet<Slice>,
}

impl<S: Store> Work<S> {
    /// Starts what is due, a slice for each plugin and source, and says when to look again by the clock alone.
    async fn start_due(&mut self, now_ms: u64) -> Result<Option<Duration>, StoreError> {
        let since = self.pipeline.since().await;
        let within = since.held.partitions;
        let mut due: BTreeMap<Group, Vec<DueAsk>> = BTreeMap::new();
        for ask in self.store.asks_due(now_ms, ASKS_MAX, within).await? {
            due.entry((ask.plugin.clone(), ask.event.source.clone())).or_default().push(ask);
        }
        self.pipeline.retain_slow(|group| due.contains_key(group));
        for (group, asks) in due {
            if self.under_way.insert(group.clone()) {
                let pipeline = Arc::clone(&self.pipeline);
                self.slices.spawn(async move {
                    stay_away_if_failed(pipeline.revisit(asks, since).await).await;
                    Slice::Asks(group)
                });
            }
        }
        if !self.is_telling {
            let upcoming = self.store.upcoming_due(now_ms, UPCOMING_MAX, within).await?;
            if !upcoming.is_empty() {
                self.is_telling = true;
                let pipeline = Arc::clone(&self.pipeline);
                self.slices.spawn(async move {
                    stay_away_if_failed(pipeline.tell(upcoming, since).await).await;
                    Slice::Telling
                });
            }
        }
        let next_at_ms = self.store.next_due_at_ms(now_ms, within).await?;
        Ok(next_at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms))))
    }

    fn finish(&mut self, slice: Slice) {
        match slice {
            Slice::Asks(group) => {
                self.under_way.remove(&group);
            }
            Slice::Telling => self.is_telling = false,
        }
    }
}

/// What failed stays due: not at once again.
async fn stay_away_if_failed(outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::error!("failed to record what was due: {error}");
        tokio::time::sleep(STORE_RETRY).await;
    }
}
