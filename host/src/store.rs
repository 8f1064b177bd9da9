//! The seam to what is remembered. Durable before acknowledged, recorded before performed: whatever leaves
//! the host was written here first. Knows nothing of SQL.

pub mod sqlite;
pub mod watched;

use crate::alert::Gap;
use crate::effect::Effect;
use crate::event::Event;
use crate::finding::Finding;
use crate::log::Log;
use crate::plan::Plan;
use crate::plugin::{Manifest, PluginName, Version};
use crate::retry::Next;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tidegate_envelope::{Digest, Receipt, SourceName};
use watched::{AlertRow, DueAlert, LastVigil, WatchedBatch};

/// Everything one transaction writes: all of it or none.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events decided, with their plans.
    pub events: Vec<Recorded>,
    /// Deliveries that are no events.
    pub strays: Vec<Stray>,
    /// Plans of events recorded before, whose plugin was asked again.
    pub replans: Vec<Replan>,
    /// What performing effects gave.
    pub outcomes: Vec<EffectOutcome>,
    /// Versions that become active.
    pub deployments: Vec<Deployment>,
    /// What watching the sources gave.
    pub watched: WatchedBatch,
}

/// One event with what was decided about it.
#[derive(Debug)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// When the queue took it, in milliseconds since the Unix epoch.
    pub queued_at_ms: u64,
    /// When the host pulled it.
    pub pulled_at_ms: u64,
    /// When the last plugin had answered.
    pub decided_at_ms: u64,
    /// One plan per plugin that wanted it. None for a duplicate.
    pub plans: Vec<Plan>,
}

/// A delivery that is no event: kept whole, so that a person can see what it was.
#[derive(Debug)]
pub struct Stray {
    /// What stood on the queue.
    pub body: String,
    /// Why it is no event.
    pub why: String,
    /// When it was pulled, in milliseconds since the Unix epoch.
    pub pulled_at_ms: u64,
}

/// A later plan of an event recorded before.
#[derive(Debug)]
pub struct Replan {
    /// The event's place in the store.
    pub event: EventSeq,
    /// The new plan; replaces the waiting one of the same plugin.
    pub plan: Plan,
    /// When it was made, in milliseconds since the Unix epoch.
    pub decided_at_ms: u64,
}

/// A version that becomes its plugin's active one.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The version.
    pub version: Version,
    /// What its manifest says.
    pub manifest: Manifest,
    /// The component's bytes.
    pub component: Vec<u8>,
    /// When, in milliseconds since the Unix epoch.
    pub deployed_at_ms: u64,
}

/// An event's place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventSeq(pub i64);

/// An effect's place in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EffectSeq(pub i64);

/// An effect whose time has come.
#[derive(Debug)]
pub struct DueEffect {
    /// Its place in the outbox.
    pub seq: EffectSeq,
    /// What to perform.
    pub effect: Effect,
    /// How often it was attempted before.
    pub attempts: u32,
}

/// What one attempt at an effect gave.
#[derive(Debug)]
pub struct EffectOutcome {
    /// Which effect.
    pub seq: EffectSeq,
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// What becomes of it.
    pub state: EffectState,
    /// What happened, for people: `200 in 12 ms`, `connection refused`.
    pub what: String,
    /// When the attempt ended, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// What becomes of an effect after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectState {
    /// Performed.
    Done,
    /// To be tried again at this time, in milliseconds since the Unix epoch.
    Waiting {
        /// When.
        due_at_ms: u64,
    },
    /// Given up.
    Parked,
}

impl EffectState {
    /// What becomes of an effect or an alert whose attempt failed at this time, and why, for people. `next` is what the
    /// policy says of it.
    #[must_use]
    pub fn after_failure(next: Next, attempts: u32, at_ms: u64, what: &str) -> (Self, String) {
        match next {
            Next::After(ms) => (Self::Waiting { due_at_ms: at_ms.saturating_add(ms) }, what.to_owned()),
            Next::GiveUp => (Self::Parked, format!("gave up after {attempts} attempts; the last: {what}")),
        }
    }
}

/// A plugin that is due to be asked again.
#[derive(Debug)]
pub struct DueAsk {
    /// The event's place.
    pub seq: EventSeq,
    /// The event.
    pub event: Event,
    /// Which plugin.
    pub plugin: PluginName,
    /// Which version was asked last.
    pub version: Version,
    /// How often it was asked before.
    pub attempts: u32,
}

/// One event as lists and timelines show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventRow {
    /// The id of what was accepted.
    pub receipt: Receipt,
    /// Which sender it came from.
    pub source: SourceName,
    /// What happened; empty when the body does not say.
    pub kind: String,
    /// What it is about; empty when the body does not say.
    pub subject: String,
    /// `first` or `duplicate`.
    pub class: String,
    /// For a duplicate: the receipt of the event it repeats.
    pub duplicate_of: Option<Receipt>,
    /// `waiting`: a plugin will be asked again. `parked`: it needs a person. `decided`: neither.
    pub state: String,
    /// The plugin that decided; the first by name when there are several, absent when none wanted it.
    pub plugin: Option<PluginName>,
    /// The version of `plugin` that decided.
    pub version: Option<Version>,
    /// When the edge accepted it. All times are in milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// When the queue took it.
    pub queued_at_ms: u64,
    /// When the host pulled it.
    pub pulled_at_ms: u64,
    /// When it was decided.
    pub decided_at_ms: u64,
    /// When the last of its effects was performed; absent while there is none.
    pub performed_at_ms: Option<u64>,
    /// What is odd about the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What each plugin that wanted it came to.
    pub plans: Vec<PlanRow>,
    /// Its effects.
    pub effects: Vec<EffectRow>,
}

/// One plan as lists and timelines show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanRow {
    /// Which plugin.
    pub plugin: PluginName,
    /// Which version.
    pub version: Version,
    /// `decided`, `skipped`, `waiting` or `parked`.
    pub state: String,
    /// Which time it was asked.
    pub attempt: u32,
    /// How long the answer took, in microseconds.
    pub asked_us: u64,
    /// Why it waits or is parked.
    pub why: Option<String>,
    /// Lines the plugin left.
    pub notes: Vec<String>,
    /// What it wrote when it was asked last.
    #[serde(default, skip_serializing_if = "Log::is_empty")]
    pub log: Log,
}

/// One effect as lists and timelines show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EffectRow {
    /// Its key: what the target sees as `Idempotency-Key`.
    pub key: String,
    /// Method and URL.
    pub request: String,
    /// `waiting`, `done` or `parked`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// What the last attempt gave.
    pub what: Option<String>,
    /// When the last attempt ended, in milliseconds since the Unix epoch.
    pub at_ms: Option<u64>,
}

/// Something out of the way that needs a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ParkedRow {
    /// `event` (a plugin's plan), `effect`, `stray` or `alert`.
    pub what: String,
    /// The event's receipt; absent for a stray and an alert.
    pub receipt: Option<Receipt>,
    /// Which plugin; absent for a stray and an alert.
    pub plugin: Option<PluginName>,
    /// For an effect: its key.
    pub key: Option<String>,
    /// Why it is parked.
    pub why: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Which events to list: a page of them.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Those after this place, oldest first; `None` from the first.
    pub after: Option<EventSeq>,
    /// At most so many.
    pub rows_max: usize,
}

/// The store could not do it: a full disk, a broken file. Nothing of the batch was written. The caller
/// acknowledges nothing and tries again later.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct StoreError(#[from] pub anyhow::Error);

/// The first wait before a commit is tried again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// Commits, trying again until the store takes it: durable when this returns. While the disk is full nothing is
/// decided or performed anew, and the permits that the caller holds keep it from beginning more.
///
/// Cancel-safe, as [`Store::commit`].
pub async fn commit_until_taken<S: Store>(store: &S, batch: Batch) {
    let (mut wait, wait_max) = RETRY;
    let batch = Arc::new(batch);
    while let Err(error) = store.commit(Arc::clone(&batch)).await {
        tracing::error!(events = batch.events.len(), "failed to record, will try again in {wait:?}: {error}");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(wait_max);
    }
}

/// What is remembered. Cancel-safe throughout: a write that was handed over happens whole or not at all,
/// whether or not anyone waits for it.
pub trait Store: Send + Sync + 'static {
    /// Writes the batch in one transaction; durable when this returns. An event whose receipt is known
    /// already is left as it is, with its plans.
    fn commit(
        &self,
        batch: impl Into<Arc<Batch>> + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The effects due at this time, oldest first.
    fn effects_due(
        &self,
        now_ms: u64,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<DueEffect>, StoreError>> + Send;

    /// The plugins due to be asked again at this time, oldest first.
    fn asks_due(
        &self,
        now_ms: u64,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<DueAsk>, StoreError>> + Send;

    /// When the first effect later than this time is due, in milliseconds since the Unix epoch.
    fn next_effect_at_ms(&self, now_ms: u64) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// When the first plugin later than this time is due to be asked again.
    fn next_ask_at_ms(&self, now_ms: u64) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// Source, content and receipt of the last so many events, oldest first. Called once, at start.
    fn recent(
        &self,
        events_max: usize,
    ) -> impl Future<Output = Result<Vec<(SourceName, Digest, Receipt)>, StoreError>> + Send;

    /// The active version of every plugin. Called once, at start.
    fn active(&self) -> impl Future<Output = Result<Vec<Deployment>, StoreError>> + Send;

    /// A page of events in order of arrival, with the place of the last one.
    fn events(
        &self,
        page: Page,
    ) -> impl Future<Output = Result<(Vec<EventRow>, Option<EventSeq>), StoreError>> + Send;

    /// One event.
    fn event(&self, receipt: Receipt) -> impl Future<Output = Result<Option<EventRow>, StoreError>> + Send;

    /// What is parked, oldest first.
    fn parked(&self, rows_max: usize) -> impl Future<Output = Result<Vec<ParkedRow>, StoreError>> + Send;

    /// What the last vigil over the sources left. Called once, at start.
    fn last_vigil(&self) -> impl Future<Output = Result<LastVigil, StoreError>> + Send;

    /// The alerts due at this time, oldest first.
    fn alerts_due(
        &self,
        now_ms: u64,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<DueAlert>, StoreError>> + Send;

    /// When the first alert later than this time is due, in milliseconds since the Unix epoch.
    fn next_alert_at_ms(&self, now_ms: u64) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// The last so many alerts, oldest first.
    fn alerts(&self, rows_max: usize) -> impl Future<Output = Result<Vec<AlertRow>, StoreError>> + Send;

    /// The last so many gaps, oldest first.
    fn gaps(&self, rows_max: usize) -> impl Future<Output = Result<Vec<Gap>, StoreError>> + Send;
}
