//! From a batch of deliveries to its acknowledgement: open, take the subjects, decide, record, acknowledge.
//! Knows nothing of SQL, HTTP or wasm.

mod again;
mod decide;
mod elsewhere;
mod erase;
pub mod intervene;
mod open;
mod share;

use crate::comparison::Comparisons;
use crate::edge::EdgeClient;
use crate::event::{Arrival, Event};
use crate::heard::{self, Heard};
use crate::holding::Holding;
use crate::plan::PlanRules;
use crate::plugin::PluginName;
use crate::queue::{Delivery, Lease, Queue};
use crate::recent::Recent;
use crate::registry::Switchboard;
use crate::sandbox::Sandbox;
use crate::signal::Signals;
use crate::store::parked::Intervention;
use crate::store::{self, Batch, DueUpcoming, Recorded, Store, StoreError, Stray, UpcomingSeq};
use crate::subject::{SubjectKey, SubjectSet};
use crate::subjects::{Subjects, Taken};
use crate::turn::Turn;
use crate::versions::Versions;
use open::{Contents, Elsewhere};
pub use share::Since;
use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidegate_envelope::{Receipt, SourceName};
use tokio::sync::{Notify, Semaphore};

/// Bounds of the pipeline, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct PipelineBounds {
    /// Plugins asked at the same time.
    pub asking_max: usize,
    /// How long one plugin may be asked about one source's events within a batch, in milliseconds. What is left is
    /// recorded and asked about in turn, so that a slow plugin makes no other wait.
    pub share_ms_max: u64,
    /// Effects that may be decided about one subject within a minute.
    pub effects_per_minute_max: u32,
    /// Events in which the same bytes are recognised.
    pub recent_events_max: usize,
    /// Bytes of what is known of subjects that are kept in memory.
    pub subjects_bytes_max: usize,
    /// Bodies fetched from the vault at the same time; each may have tens of megabytes.
    pub fetching_max: usize,
}

impl Default for PipelineBounds {
    fn default() -> Self {
        Self {
            asking_max: 1,
            share_ms_max: 250,
            effects_per_minute_max: 600,
            recent_events_max: 200_000,
            subjects_bytes_max: 64 << 20,
            fetching_max: 4,
        }
    }
}

/// The middle of the host. One value, shared by all batches under way.
pub struct Pipeline<S> {
    store: S,
    sandbox: Arc<Sandbox>,
    switchboard: Arc<Switchboard>,
    versions: Arc<Versions<S>>,
    rules: PlanRules,
    bounds: PipelineBounds,
    now_ms: fn() -> u64,
    chance: fn() -> f64,
    recent: Mutex<Recent>,
    subjects: Arc<Subjects>,
    /// Plugins that take long over a source's events: these are recorded first, and asked about in turn.
    slow: Mutex<hashbrown::HashSet<Group>>,
    /// For batches.
    asking: Semaphore,
    /// For what is asked about in turn: fewer, so that batches never wait for it.
    asking_in_turn: Semaphore,
    fetching: Semaphore,
    /// Held while a person's word about what is parked is carried out: what one finds parked, no other changes.
    intervening: tokio::sync::Mutex<()>,
    /// How often something was erased.
    erasures: AtomicU64,
    recorded: Arc<Notify>,
    holding: Arc<Holding>,
    edge: Option<EdgeClient>,
    heard: Arc<Heard>,
    comparisons: Arc<Comparisons>,
    signals: Arc<Signals>,
    /// How long asking takes, where it does not happen on a thread of its own.
    pause: Option<fn() -> Duration>,
}

/// What a pipeline is made of.
pub struct Parts<S> {
    /// Where decisions are recorded.
    pub store: S,
    /// Where plugins are asked, and which versions can be.
    pub versions: Arc<Versions<S>>,
    /// Which plugins are asked.
    pub switchboard: Arc<Switchboard>,
    /// The rules that plans follow.
    pub rules: PlanRules,
    /// The bounds.
    pub bounds: PipelineBounds,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// A number in 0..1, another each time.
    pub chance: fn() -> f64,
    /// Told after each batch: effects may be due.
    pub recorded: Arc<Notify>,
    /// Which partitions are this host's to decide about.
    pub holding: Arc<Holding>,
    /// Where the bodies are that do not fit in an envelope; `None` when the operator did not say.
    pub edge: Option<EdgeClient>,
    /// Told which sources the events of each batch came from.
    pub heard: Arc<Heard>,
    /// Given what one version decided and another is to be asked about.
    pub comparisons: Arc<Comparisons>,
    /// Told of each batch that is durable.
    pub signals: Arc<Signals>,
}

/// Which plugin, about whose events.
pub type Group = (PluginName, SourceName);

/// An event that is to be decided.
struct Incoming {
    event: Event,
    queued_at_ms: u64,
    pulled_at_ms: u64,
    origin: Origin,
}

/// Where an event is, until it is recorded.
enum Origin {
    /// On a queue, or parked as a stray: in this text.
    Text(String),
    /// Among what was to come, at this place: it is an event of the host's own. It was found when the host had given away
    /// partitions so often.
    ToCome(UpcomingSeq, u64),
}

impl<S: Store> Pipeline<S> {
    /// A pipeline that recognises what the store remembers.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn new(parts: Parts<S>) -> Result<Self, StoreError> {
        let mut recent = Recent::new(parts.bounds.recent_events_max);
        let held = parts.holding.held().await.partitions;
        recent.fill(parts.store.recent(parts.bounds.recent_events_max, held).await?);
        Ok(Self {
            asking: Semaphore::new(parts.bounds.asking_max),
            asking_in_turn: Semaphore::new(parts.bounds.asking_max.div_ceil(2)),
            fetching: Semaphore::new(parts.bounds.fetching_max),
            subjects: Subjects::new(parts.bounds.subjects_bytes_max),
            slow: Mutex::default(),
            intervening: tokio::sync::Mutex::default(),
            erasures: AtomicU64::new(0),
            store: parts.store,
            sandbox: Arc::clone(&parts.versions.sandbox),
            switchboard: parts.switchboard,
            versions: parts.versions,
            rules: parts.rules,
            bounds: parts.bounds,
            now_ms: parts.now_ms,
            chance: parts.chance,
            recent: Mutex::new(recent),
            recorded: parts.recorded,
            holding: parts.holding,
            edge: parts.edge,
            heard: parts.heard,
            comparisons: parts.comparisons,
            signals: parts.signals,
            pause: None,
        })
    }

    /// Asks plugins on the thread that polls, and lets that take as long as `pause` says: for simulated runs, in which
    /// nothing may depend on how fast another thread is.
    #[must_use]
    pub fn on_one_thread(self, pause: fn() -> Duration) -> Self {
        Self { pause: Some(pause), ..self }
    }

    /// The story of a batch. Each delivery is recorded with all that was decided about it in one transaction,
    /// and only then acknowledged: die before and the lease brings it back, die after and its receipt is known.
    ///
    /// A batch takes its subjects when its turn has come. Cancel-safe: the leases of what was not acknowledged run out, and
    /// it comes again.
    pub async fn process<Q: Queue>(self: &Arc<Self>, queue: &Q, deliveries: Vec<Delivery>, turn: Turn) {
        let Contents { incoming, strays, leases, elsewhere } = open::all(deliveries, (self.now_ms)());
        if self.record(incoming, strays, Vec::new(), turn).await.is_ok() {
            self.acknowledge(queue, leases).await;
        }
        // After the others, which need not wait for these.
        for delivery in elsewhere {
            self.process_elsewhere(queue, delivery).await;
        }
    }

    /// Decides events of the host's own whose time has come, and records what was decided.
    ///
    /// # Errors
    /// When the store has stopped.
    pub async fn tell(self: &Arc<Self>, due: Vec<DueUpcoming>, since: Since) -> Result<(), StoreError> {
        let pulled_at_ms = (self.now_ms)();
        let incoming = due.into_iter().map(|DueUpcoming { seq, upcoming }| Incoming {
            queued_at_ms: upcoming.due_at_ms,
            pulled_at_ms,
            event: upcoming.into_event(),
            origin: Origin::ToCome(seq, since.held.losses),
        });
        self.record(incoming.collect(), Vec::new(), Vec::new(), Turn::alone()).await.map(drop)
    }

    /// Decides what is asked about now and writes it down with all the rest; durable when this returns. Says whether all of it
    /// was this host's to decide: the rest was written down for those whose it is.
    async fn record(
        self: &Arc<Self>,
        incoming: Vec<Incoming>,
        strays: Vec<Stray>,
        interventions: Vec<Intervention>,
        mut turn: Turn,
    ) -> Result<bool, StoreError> {
        // Batches that were pulled one after the other: an asset's events are not overtaken by later ones.
        turn.come().await;
        let held = self.holding.held().await;
        let (incoming, errands) = share::out(*held, incoming);
        let incoming = self.without_recorded(incoming).await?;
        let keys = incoming.iter().filter_map(|incoming| subject_key(&incoming.event)).collect();
        let taken = self.take(keys).await;
        drop(turn);
        // The subjects before the permit: whoever has a permit waits for nothing.
        let (mut batch, taken) =
            self.off_the_runtime(&self.asking, move |this| this.decide(incoming, strays, taken)).await;
        let is_own = errands.is_empty();
        (batch.interventions, batch.errands) = (interventions, errands);
        let (claims, spans) = (claims(&batch), heard::spans(&batch.events));
        let signals = self.signals.of_batch(&batch);
        let comparisons = Comparisons::of(&self.switchboard.current(), &batch);
        let submitted = self.store.submit(batch).await?;
        // Before the subjects: whoever takes them next may have a second delivery of the same event.
        self.remember(claims);
        taken.give_back(submitted.ticket, self.store.durable());
        drop(held);
        submitted.durable().await?;
        self.signals.committed(signals, (self.now_ms)());
        self.heard.note(spans);
        self.comparisons.submit(comparisons);
        self.recorded.notify_waiters();
        Ok(is_own)
    }

    /// Leaves out what is there twice, and what was recorded so long ago that the window of recent events has forgotten it.
    async fn without_recorded(&self, mut incoming: Vec<Incoming>) -> Result<Vec<Incoming>, StoreError> {
        let mut receipts = HashSet::with_capacity(incoming.len());
        incoming.retain(|incoming| receipts.insert(incoming.event.receipt));
        let receipts = incoming.iter().map(|incoming| incoming.event.receipt);
        let old: Vec<_> = {
            let recent = self.recent();
            receipts.filter(|receipt| recent.may_have_forgotten(*receipt)).collect()
        };
        if !old.is_empty() {
            let known: HashSet<_> = self.store.known(old).await?.into_iter().collect();
            let is_to_come = |origin: &Origin| matches!(origin, Origin::ToCome(..));
            incoming.retain(|it| is_to_come(&it.origin) || !known.contains(&it.event.receipt));
        }
        Ok(incoming)
    }

    /// Takes subjects, waiting for a store that cannot be read: a lease that runs out meanwhile is harmless.
    async fn take(&self, keys: SubjectSet) -> Taken {
        let (mut wait, wait_max) = store::RETRY;
        loop {
            match self.subjects.take(&self.store, &keys).await {
                Ok(taken) => return taken,
                Err(error) => {
                    tracing::error!("failed to read subjects, will try again in {wait:?}: {error}");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(wait_max);
                }
            }
        }
    }

    /// Runs what asks plugins on a thread of its own kind: a plugin may use a core for as long as its limit says.
    async fn off_the_runtime<T: Send + 'static>(
        self: &Arc<Self>,
        asking: &Semaphore,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let _permit = asking.acquire().await.expect("the semaphore is never closed");
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause()).await;
            return work(self);
        }
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&this)).await.expect("asking plugins does not panic")
    }

    async fn acknowledge<Q: Queue>(&self, queue: &Q, leases: Vec<Lease>) {
        let deliveries = leases.len();
        match queue.settle(leases.into_iter().map(Lease::ack).collect()).await {
            Ok(()) => self.signals.counts.acknowledged(deliveries),
            // The leases run out and the deliveries come again; those recorded are recognised by their receipt.
            Err(error) => {
                tracing::warn!("failed to acknowledge a batch, it will be delivered again: {error}")
            }
        }
    }

    /// Told after each commit.
    pub(crate) fn recorded(&self) -> &Notify {
        &self.recorded
    }

    /// What is told of what happens here.
    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    fn remember(&self, claims: Vec<Claim>) {
        let mut recent = self.recent();
        for (source, sha256, receipt) in &claims {
            recent.recorded(source, sha256, *receipt);
        }
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which subject an event is about; `None` when it is about none.
fn subject_key(event: &Event) -> Option<SubjectKey> {
    let Event { source, subject, .. } = event;
    (!subject.is_empty()).then(|| SubjectKey { source: source.clone(), subject: subject.as_str().into() })
}

type Claim = (SourceName, tidegate_envelope::Digest, Receipt);

fn claims(batch: &Batch) -> Vec<Claim> {
    let claimed = batch.events.iter().filter(|Recorded { event, .. }| {
        event.cause.is_none() && !matches!(event.arrival, Arrival::Duplicate(_))
    });
    claimed.map(|Recorded { event, .. }| (event.source.clone(), event.sha256, event.receipt)).collect()
}
