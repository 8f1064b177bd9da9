//! The seam to what is remembered. Durable before acknowledged, recorded before performed: whatever leaves
//! the host was written here first. Knows nothing of SQL.

pub mod access;
pub mod flow;
pub mod group;
pub mod keeping;
pub mod listing;
mod look;
pub mod outbox;
pub mod parked;
pub mod past;
pub mod postgres;
pub mod seal;
pub mod sql;
pub mod sqlite;
pub mod stats;
mod submitted;
pub mod versions;
pub mod watched;

pub use listing::{EffectRow, EventRow, PlanRow};
pub use outbox::{DueEffect, EffectOutcome, EffectState};
pub use parked::ParkedRow;
pub(crate) use submitted::RETRY;
pub use submitted::{Submitted, record};

use crate::access::KeptToken;
use crate::alert::Gap;
use crate::arrival::Mark;
use crate::comparison::NewDrift;
use crate::deployment::Deployment;
use crate::echo::Expected;
use crate::event::Event;
use crate::partition::Partitions;
use crate::plan::Plan;
use crate::plugin::{PluginName, Version};
use crate::subject::{SubjectKey, SubjectState};
use crate::target::{Pause, Target};
use crate::upcoming::Upcoming;
use access::{AuditQuery, AuditRow, TokenChange};
use flow::{EffectQuery, EffectsPage, Flow};
use group::{ErrandSeq, Follows, Group, NewErrand, Said};
use keeping::{Audit, Erasure, Keeping, Removal};
use listing::{EventQuery, EventsPage};
use outbox::{PauseChange, WaitingTarget};
use parked::{Intervention, ParkedDetail, ParkedId, ParkedPage, ParkedQuery};
use past::{PastPage, PastQuery};
use serde::{Deserialize, Serialize};
use stats::Stats;
use std::future::Future;
use tidegate_envelope::{Digest, Receipt, SourceName};
use versions::{DriftRow, KeptVersion, NewVersion, VersionQuery, VersionState};
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
    /// Targets that are left alone from now on, or no longer.
    pub pauses: Vec<PauseChange>,
    /// Versions that are recorded; one that is known stays as it is.
    pub versions: Vec<NewVersion>,
    /// What is at work from now on.
    pub deployments: Vec<Deployment>,
    /// Versions that may be asked no more, or again.
    pub version_states: Vec<(Version, VersionState)>,
    /// Where other versions would have decided otherwise.
    pub drifts: Vec<NewDrift>,
    /// What watching the sources gave.
    pub watched: WatchedBatch,
    /// What a person did about what was parked.
    pub interventions: Vec<Intervention>,
    /// What goes because it is old.
    pub removal: Removal,
    /// What is erased because it names a person.
    pub erasure: Erasure,
    /// What a person did, for whoever asks later.
    pub audit: Vec<Audit>,
    /// Who may ask the admin API from now on.
    pub tokens: Vec<TokenChange>,
    /// What a host decides by.
    pub follows: Option<Follows>,
    /// What other hosts are to do.
    pub errands: Vec<NewErrand>,
    /// What this one was to do and has done.
    pub errands_done: Vec<ErrandSeq>,
    /// What this one says of itself to the others.
    pub said: Option<Said>,
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
    /// What changes in what is known of its subject.
    pub subject: SubjectChange,
    /// The event that was to come and is this one: it is no longer to come.
    pub came: Option<UpcomingSeq>,
}

/// What an event changes in what is known of its subject, beside what plugins remember.
#[derive(Debug, Default)]
pub struct SubjectChange {
    /// The event is the subject's snapshot now.
    pub mark: Option<Mark>,
    /// What our effects wrote, when that has changed; goes with the mark that there is.
    pub expected: Option<Vec<Expected>>,
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
    /// What changes in what is known of its subject.
    pub subject: SubjectChange,
}

/// The place of an event that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpcomingSeq(pub i64);

/// An event whose time has come.
#[derive(Debug)]
pub struct DueUpcoming {
    /// Its place.
    pub seq: UpcomingSeq,
    /// The event.
    pub upcoming: Upcoming,
}

/// An event's place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventSeq(pub i64);

/// An effect's place in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EffectSeq(pub i64);

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
    /// Whether that version is to be asked, and no other.
    pub is_pinned: bool,
    /// How often it was asked before.
    pub attempts: u32,
}

/// The store could not do it: a full disk, a broken file. Nothing of the batch was written. The caller
/// acknowledges nothing and tries again later.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct StoreError(#[from] pub anyhow::Error);

/// What is remembered. Cancel-safe throughout: a write that was handed over happens whole or not at all,
/// whether or not anyone waits for it.
pub trait Store: Keeping + Group + Send + Sync + 'static {
    /// Writes the batch in one transaction; durable when this returns. An event whose receipt is known
    /// already is left as it is, with its plans.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is then.
    fn commit(&self, batch: Batch) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes a batch that must be written: what was decided, what was done. It is tried until the disk takes it, and
    /// nothing that is handed over later is written before it, so whoever decides may go on from what it decided. While
    /// the disk is full this takes a few batches and then waits.
    ///
    /// # Errors
    /// When the store has stopped.
    fn submit(&self, batch: Batch) -> impl Future<Output = Result<Submitted, StoreError>> + Send;

    /// The ticket up to which all that was submitted is durable.
    fn durable(&self) -> u64;

    /// What is known of these subjects, in their order; of one that nothing is known of, nothing.
    fn subjects(
        &self,
        keys: Vec<SubjectKey>,
    ) -> impl Future<Output = Result<Vec<SubjectState>, StoreError>> + Send;

    /// Those of these receipts whose events are recorded.
    fn known(&self, receipts: Vec<Receipt>) -> impl Future<Output = Result<Vec<Receipt>, StoreError>> + Send;

    /// The events of these partitions whose time has come, the first due first.
    fn upcoming_due(
        &self,
        now_ms: u64,
        rows_max: usize,
        within: Partitions,
    ) -> impl Future<Output = Result<Vec<DueUpcoming>, StoreError>> + Send;

    /// The targets that effects wait to go to, in no order that matters, each with at most so many that are due.
    fn targets_waiting(
        &self,
        now_ms: u64,
        each_max: usize,
    ) -> impl Future<Output = Result<Vec<WaitingTarget>, StoreError>> + Send;

    /// Those of these effects that wait, in their order.
    fn effects(
        &self,
        seqs: Vec<EffectSeq>,
    ) -> impl Future<Output = Result<Vec<DueEffect>, StoreError>> + Send;

    /// The targets that are left alone. Called once, at start.
    fn pauses(&self) -> impl Future<Output = Result<Vec<(Target, Pause)>, StoreError>> + Send;

    /// What plugins are due to be asked about at this time in these partitions: of each plugin and source at most so many, the
    /// first due first.
    fn asks_due(
        &self,
        now_ms: u64,
        each_max: usize,
        within: Partitions,
    ) -> impl Future<Output = Result<Vec<DueAsk>, StoreError>> + Send;

    /// When the next thing later than this time is due in these partitions: a plugin to be asked, or an event to come.
    fn next_due_at_ms(
        &self,
        now_ms: u64,
        within: Partitions,
    ) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// Source, content and receipt of the last so many events, of these partitions alone, oldest first. Called when they are
    /// gained.
    fn recent(
        &self,
        events_max: usize,
        within: Partitions,
    ) -> impl Future<Output = Result<Vec<(SourceName, Digest, Receipt)>, StoreError>> + Send;

    /// What is at work of every plugin that was ever deployed, by their names. Called once, at start.
    fn deployments(&self) -> impl Future<Output = Result<Vec<Deployment>, StoreError>> + Send;

    /// The last so many changes of what is at work of a plugin, the newest first.
    fn history(
        &self,
        plugin: PluginName,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<Deployment>, StoreError>> + Send;

    /// The versions asked for.
    fn versions(
        &self,
        query: VersionQuery,
    ) -> impl Future<Output = Result<Vec<KeptVersion>, StoreError>> + Send;

    /// These versions, those that are there.
    fn kept_versions(
        &self,
        versions: Vec<Version>,
    ) -> impl Future<Output = Result<Vec<KeptVersion>, StoreError>> + Send;

    /// The last so many differences between what a plugin's versions said, the newest first.
    fn drifts(
        &self,
        plugin: PluginName,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<DriftRow>, StoreError>> + Send;

    /// The bytes of a version's component.
    fn component(&self, version: Version)
    -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Some of the events that are asked for; a bounded piece of work.
    fn events(&self, query: EventQuery) -> impl Future<Output = Result<EventsPage, StoreError>> + Send;

    /// Some of the events that a plugin was asked about or would have been; a bounded piece of work.
    fn past(&self, query: PastQuery) -> impl Future<Output = Result<PastPage, StoreError>> + Send;

    /// One event, with its story.
    fn event(&self, receipt: Receipt) -> impl Future<Output = Result<Option<EventRow>, StoreError>> + Send;

    /// An event's body, of a large one the first part.
    fn payload(
        &self,
        receipt: Receipt,
    ) -> impl Future<Output = Result<Option<listing::Payload>, StoreError>> + Send;

    /// A page of what is parked, longest parked first.
    fn parked(&self, query: ParkedQuery) -> impl Future<Output = Result<ParkedPage, StoreError>> + Send;

    /// All about one thing that is, or was, parked.
    fn parked_detail(
        &self,
        id: ParkedId,
    ) -> impl Future<Output = Result<Option<ParkedDetail>, StoreError>> + Send;

    /// Some of the effects that are asked for; a bounded piece of work.
    fn effects_listed(
        &self,
        query: EffectQuery,
    ) -> impl Future<Output = Result<EffectsPage, StoreError>> + Send;

    /// What was recorded after this place, at most so many of it, and how long the oldest waits.
    fn flow(&self, after: i64, rows_max: usize) -> impl Future<Output = Result<Flow, StoreError>> + Send;

    /// When the edge accepted the oldest event that a plugin will be asked about, in milliseconds since the Unix epoch.
    fn oldest_waiting_ms(&self) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// All tokens of the admin API. Called once, at start.
    fn tokens(&self) -> impl Future<Output = Result<Vec<KeptToken>, StoreError>> + Send;

    /// A page of what people did, the newest first.
    fn audit(&self, query: AuditQuery) -> impl Future<Output = Result<Vec<AuditRow>, StoreError>> + Send;

    /// How many there are of everything, all at one instant.
    fn stats(&self) -> impl Future<Output = Result<Stats, StoreError>> + Send;

    /// What the last vigil over the sources left. Called once, at start, by each who watches.
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
