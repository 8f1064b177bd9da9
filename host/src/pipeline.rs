//! From a batch of deliveries to its acknowledgement: open, recognise, ask, plan, record, acknowledge.
//! Knows nothing of SQL, HTTP or wasm.

mod elsewhere;

use crate::edge::EdgeClient;
use crate::event::{Arrival, Event};
use crate::fault::Trouble;
use crate::heard::{self, Heard};
use crate::log::{Level, Log};
use crate::plan::{self, Asked, Plan, PlanRules, Verdict};
use crate::queue::{Delivery, DeliveryBody, Lease, Queue, Settle};
use crate::read::{self, Opened};
use crate::recent::{Recent, Seen};
use crate::registry::{Active, Registry, Switchboard};
use crate::sandbox::{Call, Question, Sandbox};
use crate::store::{self, Batch, DueAsk, Recorded, Replan, Store, StoreError, Stray};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidegate_envelope::Envelope;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// Bounds of the pipeline, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct PipelineBounds {
    /// Plugins asked at the same time.
    pub asking_max: usize,
    /// How long one batch may be asked about, in milliseconds; what is left goes back to the queue. Well under
    /// the lease, so that no lease runs out while its batch is recorded.
    pub batch_ms_max: u64,
    /// Events in which the same bytes are recognised.
    pub recent_events_max: usize,
    /// Bodies fetched from the vault at the same time; each may have tens of megabytes.
    pub fetching_max: usize,
}

/// The middle of the host. One value, shared by all batches under way.
pub struct Pipeline<S> {
    store: S,
    sandbox: Arc<Sandbox>,
    switchboard: Arc<Switchboard>,
    rules: PlanRules,
    bounds: PipelineBounds,
    now_ms: fn() -> u64,
    chance: fn() -> f64,
    recent: Mutex<Recent>,
    asking: Semaphore,
    fetching: Semaphore,
    recorded: Arc<Notify>,
    edge: Option<EdgeClient>,
    heard: Arc<Heard>,
}

/// What a pipeline is made of.
pub struct Parts<S> {
    /// Where decisions are recorded.
    pub store: S,
    /// Where plugins are asked.
    pub sandbox: Arc<Sandbox>,
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
    /// Where the bodies are that do not fit in an envelope; `None` when the operator did not say.
    pub edge: Option<EdgeClient>,
    /// Told which sources the events of each batch came from.
    pub heard: Arc<Heard>,
}

/// A batch of deliveries, decided but not yet recorded.
#[derive(Default)]
struct Decided {
    batch: Batch,
    /// Acknowledged once the batch is recorded.
    leases: Vec<Lease>,
    /// Not asked about in time: they go back.
    unasked: Vec<Lease>,
    /// Whose body must be fetched first.
    elsewhere: Vec<Elsewhere>,
}

/// A delivery whose body is in the vault.
struct Elsewhere {
    lease: Lease,
    attempts: u32,
    queued_at_ms: u64,
    pulled_at_ms: u64,
    envelope: Envelope,
    /// The envelope as it came.
    text: String,
}

impl<S: Store> Pipeline<S> {
    /// A pipeline that recognises what the store remembers.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn new(parts: Parts<S>) -> Result<Self, StoreError> {
        let mut recent = Recent::new(parts.bounds.recent_events_max);
        for (source, sha256, receipt) in parts.store.recent(parts.bounds.recent_events_max).await? {
            recent.recorded(&source, &sha256, receipt);
        }
        Ok(Self {
            asking: Semaphore::new(parts.bounds.asking_max),
            fetching: Semaphore::new(parts.bounds.fetching_max),
            store: parts.store,
            sandbox: parts.sandbox,
            switchboard: parts.switchboard,
            rules: parts.rules,
            bounds: parts.bounds,
            now_ms: parts.now_ms,
            chance: parts.chance,
            recent: Mutex::new(recent),
            recorded: parts.recorded,
            edge: parts.edge,
            heard: parts.heard,
        })
    }

    /// The story of a batch. Each delivery is recorded with all that was decided about it in one transaction,
    /// and only then acknowledged: die before and the lease brings it back, die after and its receipt is known.
    ///
    /// Says how many deliveries there was no time to ask about. Cancel-safe: the leases of what was not acknowledged
    /// run out, and it comes again.
    pub async fn process<Q: Queue>(self: &Arc<Self>, queue: &Q, deliveries: Vec<Delivery>) -> usize {
        let mut decided = self.decide(deliveries).await;
        let elsewhere = std::mem::take(&mut decided.elsewhere);
        let unasked = self.record(queue, decided).await;
        // After the others, which need not wait for these.
        for delivery in elsewhere {
            self.process_elsewhere(queue, delivery).await;
        }
        unasked
    }

    /// Records what was decided, then acknowledges it. Says how many deliveries there was no time to ask about.
    async fn record<Q: Queue>(&self, queue: &Q, decided: Decided) -> usize {
        let (claims, spans) = (claims(&decided.batch), heard::spans(&decided.batch.events));
        let unasked = decided.unasked.len();
        // Not put back when the store fails: each time around counts as an attempt, and the queue gives up after some.
        store::commit_until_taken(&self.store, decided.batch).await;
        self.remember(claims);
        self.heard.note(spans);
        self.recorded.notify_waiters();
        let asked = decided.leases.into_iter().map(Lease::ack);
        let settled: Vec<Settle> =
            asked.chain(decided.unasked.into_iter().map(|lease| lease.retry(Duration::ZERO))).collect();
        if let Err(error) = queue.settle(settled).await {
            // The leases run out and the deliveries come again; those recorded are recognised by their receipt.
            tracing::warn!("failed to acknowledge a batch, it will be delivered again: {error}");
        }
        unasked
    }

    /// Asks again about what is due, and records what comes of it.
    ///
    /// # Errors
    /// When the store cannot be read or written; nothing was changed then.
    pub async fn revisit(self: &Arc<Self>, due: Vec<DueAsk>) -> Result<(), StoreError> {
        let replans = self.off_the_runtime(move |this| {
            let registry = this.switchboard.current();
            due.into_iter().map(|due| this.ask_again(&registry, due)).collect()
        });
        self.store.commit(Batch { replans: replans.await, ..Batch::default() }).await?;
        self.recorded.notify_waiters();
        Ok(())
    }

    async fn decide(self: &Arc<Self>, deliveries: Vec<Delivery>) -> Decided {
        // From here on and not from the first question: the leases run while the batch waits for its turn, too.
        let pulled_at_ms = (self.now_ms)();
        let until = Instant::now() + Duration::from_millis(self.bounds.batch_ms_max);
        self.off_the_runtime(move |this| {
            let registry = this.switchboard.current();
            let mut decided = Decided::default();
            for delivery in deliveries {
                if Instant::now() >= until {
                    decided.unasked.push(delivery.lease);
                    continue;
                }
                this.decide_one(&registry, delivery, pulled_at_ms, &mut decided);
            }
            decided
        })
        .await
    }

    fn decide_one(&self, registry: &Registry, delivery: Delivery, pulled_at_ms: u64, decided: &mut Decided) {
        let Delivery { lease, attempts, queued_at_ms, body } = delivery;
        match open(body) {
            Ok((Opened::Event(event), _)) => {
                decided.leases.push(lease);
                self.decide_event(registry, event, [queued_at_ms, pulled_at_ms], &mut decided.batch);
            }
            Ok((Opened::Elsewhere(envelope), text)) => {
                decided.elsewhere.push(Elsewhere {
                    lease,
                    attempts,
                    queued_at_ms,
                    pulled_at_ms,
                    envelope,
                    text,
                });
            }
            Err((body, why)) => {
                tracing::error!("parked a delivery that is no event: {why}");
                decided.leases.push(lease);
                decided.batch.strays.push(Stray { body, why, pulled_at_ms });
            }
        }
    }

    fn decide_event(
        &self,
        registry: &Registry,
        mut event: Event,
        [queued_at_ms, pulled_at_ms]: [u64; 2],
        batch: &mut Batch,
    ) {
        match self.recent().claim(&event.source, &event.sha256, event.receipt) {
            Seen::Redelivered => return,
            Seen::Same(original) => event.arrival = Arrival::Duplicate(original),
            Seen::No => {}
        }
        let plans = match event.arrival {
            Arrival::Duplicate(_) => Vec::new(),
            Arrival::First => registry.route(&event.kind).map(|active| self.ask(active, &event, 1)).collect(),
        };
        batch.events.push(Recorded {
            event,
            queued_at_ms,
            pulled_at_ms,
            decided_at_ms: (self.now_ms)(),
            plans,
        });
    }

    fn ask(&self, active: &Active, event: &Event, attempt: u32) -> Plan {
        let question = Question { event, attempt, settings: &active.settings };
        let asked_at = Instant::now();
        let Call { answer, usage, log } = self.sandbox.call(&active.code, &question, &active.limits);
        let took = asked_at.elapsed();
        active.account.add(&answer, &usage, took);
        let has_decided = matches!(answer, Ok(Ok(_)));
        let asked_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let asked = Asked {
            receipt: event.receipt,
            active,
            attempt,
            asked_us,
            answer,
            log,
            now_ms: (self.now_ms)(),
            jitter: (self.chance)(),
        };
        let plan = plan::plan(asked, &self.rules);
        tell(event, &plan);
        if has_decided && matches!(plan.verdict, Verdict::Parked { .. }) {
            active.account.add_fault(Trouble::NotGranted);
        }
        if let Verdict::Parked { why } | Verdict::Waiting { why, .. } = &plan.verdict {
            tracing::warn!(receipt = %event.receipt, plugin = %plan.plugin, version = plan.version.short(), "{why}");
        }
        plan
    }

    /// The version active now is asked: the one that was asked before did not decide.
    fn ask_again(&self, registry: &Registry, due: DueAsk) -> Replan {
        let attempt = due.attempts.saturating_add(1);
        let plan = match registry.find(&due.plugin) {
            Some(active) => self.ask(active, &due.event, attempt),
            None => Plan {
                verdict: Verdict::Parked { why: "the plugin is no longer deployed".into() },
                plugin: due.plugin,
                version: due.version,
                attempt,
                asked_us: 0,
                log: Log::default(),
            },
        };
        Replan { event: due.seq, plan, decided_at_ms: (self.now_ms)() }
    }

    /// Runs what asks plugins on a thread of its own kind: a plugin may use a core for as long as its limit says.
    async fn off_the_runtime<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let _permit = self.asking.acquire().await.expect("the semaphore is never closed");
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&this)).await.expect("asking plugins does not panic")
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

/// What a plugin wrote, in the host's own log too: its errors where people look, the rest where they look closely.
fn tell(event: &Event, plan: &Plan) {
    let (receipt, plugin, version) = (event.receipt, &plan.plugin, plan.version.short());
    for line in &plan.log.lines {
        let (level, text) = (line.level.name(), &line.text);
        match line.level {
            Level::Info => tracing::debug!(%receipt, %plugin, version, level, "the plugin says: {text}"),
            Level::Error => tracing::info!(%receipt, %plugin, version, level, "the plugin says: {text}"),
        }
    }
}

type Claim = (tidegate_envelope::SourceName, tidegate_envelope::Digest, tidegate_envelope::Receipt);

fn claims(batch: &Batch) -> Vec<Claim> {
    let firsts = batch.events.iter().filter(|recorded| recorded.event.arrival == Arrival::First);
    firsts.map(|Recorded { event, .. }| (event.source.clone(), event.sha256, event.receipt)).collect()
}

/// What is in a delivery, with its text; or the delivery's text and why it is no envelope.
fn open(body: DeliveryBody) -> Result<(Opened, String), (String, String)> {
    match body {
        DeliveryBody::Text(text) => match Envelope::open(&text) {
            Ok(envelope) => Ok((read::read(envelope), text)),
            Err(error) => Err((text, error.to_string())),
        },
        DeliveryBody::Undecodable { raw, reason } => Err((raw, reason)),
    }
}
