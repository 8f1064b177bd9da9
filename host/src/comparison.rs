//! Compares what one version decided with what another says of the same event: a shadow's answers with the active version's,
//! the active version's with a canary's. Beside the way of the events: nothing comes of it, nothing waits for it, and when
//! there is more than it can do, some is left out.

use crate::drift::{self, Drift, Kind};
use crate::event::Event;
use crate::fingerprint::Fingerprint;
use crate::pipeline::Pipeline;
use crate::plan::Plan;
use crate::plugin::{PluginName, Version};
use crate::registry::{Pair, Registry};
use crate::store::{self, Batch, Recorded, Store};
use std::sync::Arc;
use std::time::Duration;
use tidegate_envelope::Receipt;
use tokio::sync::{mpsc, watch};

/// Comparisons that may wait; each holds an event.
const WAITING_MAX: usize = 1_000;
/// Comparisons recorded in one go, and the longest wait for more.
const TOGETHER_MAX: usize = 100;
const TOGETHER: Duration = Duration::from_millis(500);

/// Where another version would have answered otherwise.
#[derive(Debug)]
pub struct NewDrift {
    /// About which event.
    pub receipt: Receipt,
    /// Of which plugin.
    pub plugin: PluginName,
    /// The version that would have.
    pub version: Version,
    /// How.
    pub drift: Drift,
    /// When that was found, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// What one version decided and another is to be asked about.
pub struct Comparison {
    event: Event,
    attempt: u32,
    memory: Option<Arc<[u8]>>,
    fingerprint: Option<Fingerprint>,
    pair: Pair,
}

/// The way to whoever compares.
pub struct Comparisons(mpsc::Sender<Comparison>);

impl Comparisons {
    /// The way, and its end for [`run`].
    #[must_use]
    pub fn new() -> (Arc<Self>, mpsc::Receiver<Comparison>) {
        let (waiting, end) = mpsc::channel(WAITING_MAX);
        (Arc::new(Self(waiting)), end)
    }

    /// What of this batch is to be compared.
    #[must_use]
    pub fn of(registry: &Registry, batch: &Batch) -> Vec<Comparison> {
        if !registry.is_on_trial() {
            return Vec::new();
        }
        let comparisons = batch.events.iter().flat_map(|recorded| {
            recorded.plans.iter().filter_map(move |plan| Comparison::new(registry, recorded, plan))
        });
        comparisons.collect()
    }

    /// Hands them over; what there is no room for is left out.
    pub fn submit(&self, comparisons: Vec<Comparison>) {
        for comparison in comparisons {
            if self.0.try_send(comparison).is_err() {
                // The others would find no room either.
                return;
            }
        }
    }
}

impl Comparison {
    fn new(registry: &Registry, recorded: &Recorded, plan: &Plan) -> Option<Self> {
        // One that is held, or asked in turn, has not been asked yet.
        let was_asked = plan.attempt > 0;
        let pair = registry.standing(&plan.plugin)?.pair(&plan.version).filter(|_| was_asked)?;
        Some(Self {
            event: recorded.event.clone(),
            attempt: plan.attempt,
            memory: plan.basis.memory.clone(),
            fingerprint: plan.basis.fingerprint,
            pair,
        })
    }
}

/// Compares until told to stop. What waits then is not compared.
pub async fn run<S: Store>(
    store: S,
    pipeline: Arc<Pipeline<S>>,
    mut waiting: mpsc::Receiver<Comparison>,
    now_ms: fn() -> u64,
    mut stop: watch::Receiver<bool>,
) {
    let mut comparisons = Vec::new();
    while !*stop.borrow() {
        tokio::select! {
            taken = waiting.recv_many(&mut comparisons, TOGETHER_MAX) => if taken == 0 { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let work = std::mem::take(&mut comparisons);
        let drifts = pipeline.compare(work, now_ms).await;
        if !drifts.is_empty() {
            store::record(&store, Batch { drifts, ..Batch::default() }).await;
        }
        if waiting.is_empty() {
            // What comes meanwhile is recorded together.
            tokio::select! {
                () = tokio::time::sleep(TOGETHER) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

impl<S: Store> Pipeline<S> {
    /// Asks the other versions, on a thread of its own kind: what differs.
    async fn compare(self: &Arc<Self>, comparisons: Vec<Comparison>, now_ms: fn() -> u64) -> Vec<NewDrift> {
        let this = Arc::clone(self);
        let work = move || comparisons.iter().filter_map(|it| this.compare_one(it, now_ms())).collect();
        tokio::task::spawn_blocking(work).await.expect("asking plugins does not panic")
    }

    fn compare_one(&self, comparison: &Comparison, at_ms: u64) -> Option<NewDrift> {
        let Comparison { event, attempt, memory, fingerprint, pair } = comparison;
        let (call, took) = self.call(&pair.other, event, *attempt, memory.as_deref());
        let is_judged = Arc::ptr_eq(&pair.other, &pair.judged);
        if is_judged {
            pair.other.account.add(&call.answer, &call.usage, took);
        }
        let is_same = match (&call.answer, fingerprint) {
            (Ok(said), Some(known)) => Fingerprint::of(said) == *known,
            _ => false,
        };
        let drift = match is_same {
            true => None,
            // A plugin is a pure function: asked again, it says what it said.
            false => {
                let decided = self.call(&pair.decided, event, *attempt, memory.as_deref()).0.answer;
                let drift = match is_judged {
                    true => drift::compare(&decided, &call.answer),
                    false => drift::compare(&call.answer, &decided),
                };
                Some(drift).filter(|drift| drift.kind != Kind::Same)
            }
        };
        pair.judged.account.add_comparison(drift.is_some());
        let (plugin, version) = (pair.judged.manifest.name.clone(), pair.judged.version.clone());
        drift.map(|drift| NewDrift { receipt: event.receipt, plugin, version, drift, at_ms })
    }
}
