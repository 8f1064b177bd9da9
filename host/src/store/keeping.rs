//! What is removed with time, and what is erased for a person. Knows nothing of SQL, nor of why.

use super::{EffectSeq, EventSeq, StoreError, UpcomingSeq};
use crate::partition::Partition;
use crate::plugin::PluginName;
use crate::retention::Sized;
use crate::subject::SubjectKey;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::future::Future;
use tidegate_envelope::SourceName;

/// What goes because it is old or too much.
#[derive(Debug, Default)]
pub struct Removal {
    /// Events, with their plans, effects and attempts. One that is needed after all stays.
    pub events: Vec<EventSeq>,
    /// What tells of no event and came before: strays, sent alerts, gaps.
    pub others: Option<Cutoffs>,
    /// At most so many free pages go back to the file system.
    pub pages_max: u32,
}

/// Before when things go, in milliseconds since the Unix epoch. Those without a time stay.
#[derive(Clone, Debug, Default)]
pub struct Cutoffs {
    /// Of sources that are not named, and of what has none.
    pub usual: Option<u64>,
    /// Of these sources.
    pub sources: HashMap<SourceName, Option<u64>>,
}

/// What an event takes in the store.
#[derive(Debug)]
pub struct Stored {
    /// Its place.
    pub seq: EventSeq,
    /// Its size.
    pub size: Sized,
}

/// How large the store is, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// All.
    pub all: u64,
    /// Those with nothing in them.
    pub free: u64,
    /// Bytes of each.
    pub bytes: u64,
}

/// Where something of a person may stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Place {
    /// An event's body, with all that was decided about it.
    Event(EventSeq),
    /// What a plugin said about an event: why, notes, log.
    Plan(EventSeq, PluginName),
    /// What a plugin remembered when it was asked about an event.
    Recalled(EventSeq, PluginName),
    /// Where another version, by its number in the store, would have decided otherwise about an event.
    Drift(EventSeq, PluginName, i64),
    /// A request, and what performing it gave.
    Effect(EffectSeq),
    /// What a plugin remembers of a subject.
    Memory(SubjectKey, PluginName),
    /// What effects wrote to the sender about a subject.
    Expected(SubjectKey),
    /// An event that is to come.
    Upcoming(UpcomingSeq),
    /// A delivery that is no event.
    Stray(i64),
    /// Why a person dropped something.
    Intervention(i64),
}

/// The tables in which something of a person may stand, in the order in which they are erased: events last, because it is
/// their bodies that say who the person is, and erasing may be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// [`Place::Plan`].
    Plans,
    /// [`Place::Recalled`].
    Recalled,
    /// [`Place::Drift`].
    Drifts,
    /// [`Place::Effect`].
    Effects,
    /// [`Place::Memory`].
    Memories,
    /// [`Place::Expected`].
    Expected,
    /// [`Place::Upcoming`].
    Upcoming,
    /// [`Place::Stray`].
    Strays,
    /// [`Place::Intervention`].
    Interventions,
    /// [`Place::Event`].
    Events,
}

impl Table {
    /// All of them, in that order.
    pub const ALL: [Self; 10] = [
        Self::Plans,
        Self::Recalled,
        Self::Drifts,
        Self::Effects,
        Self::Memories,
        Self::Expected,
        Self::Upcoming,
        Self::Strays,
        Self::Interventions,
        Self::Events,
    ];
}

/// What stands at a place.
#[derive(Debug)]
pub struct Payload {
    /// Where.
    pub place: Place,
    /// Whose it is; `None` when that is not known.
    pub source: Option<SourceName>,
    /// What it is about, if anything.
    pub subject: Option<SubjectKey>,
    /// Whoever holds this decides about it; `None` when nobody does.
    pub partition: Option<Partition>,
    /// The texts that may name a person.
    pub texts: Vec<Vec<u8>>,
    /// Whether it came of an event that is erased.
    pub is_of_erased: bool,
}

/// What is to be erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// At these places.
    pub places: Vec<Place>,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// What a person did to the store, for whoever asks later.
#[derive(Debug)]
pub struct Audit {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What, as JSON.
    pub record: String,
}

/// Finds places in the bytes of a file.
pub type Look = std::sync::Arc<dyn Fn(&[u8]) -> Vec<usize> + Send + Sync>;

/// What was found in one file of the store.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Looked {
    /// The file's name.
    pub file: String,
    /// How large it is.
    pub bytes: u64,
    /// How often something was found.
    pub found: u64,
}

/// What keeping and forgetting ask of a store. Each is a bounded piece of work but for [`Keeping::look`].
pub trait Keeping {
    /// What each event after this place takes, in order of arrival.
    fn sizes(
        &self,
        after: Option<EventSeq>,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<Stored>, StoreError>> + Send;

    /// Those of these events that nothing needs any more.
    fn removable(
        &self,
        seqs: Vec<EventSeq>,
    ) -> impl Future<Output = Result<Vec<EventSeq>, StoreError>> + Send;

    /// What people wrote or plugins decided: rows of a table behind this place.
    fn payloads(
        &self,
        table: Table,
        after: Option<Place>,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<Payload>, StoreError>> + Send;

    /// Looks through the bytes of everything that is kept on disk, `anew` after all of it was written anew without what is
    /// free; that may take a second for each hundred megabytes, in which nothing else is written.
    fn look(&self, look: Look, anew: bool) -> impl Future<Output = Result<Vec<Looked>, StoreError>> + Send;

    /// How large the store is.
    fn pages(&self) -> impl Future<Output = Result<Pages, StoreError>> + Send;
}
