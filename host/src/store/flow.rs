//! How events and effects flow, as people watch it. Knows nothing of SQL.

use super::listing::QueryError;
use crate::plugin::PluginName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_envelope::{Receipt, SourceName};

const STATES: [&str; 4] = ["waiting", "done", "parked", "dropped"];

/// An event that came by, as far as its pace is concerned. All times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Which sender it came from.
    pub source: SourceName,
    /// When the edge accepted it.
    pub received_at_ms: u64,
    /// When the queue took it.
    pub queued_at_ms: u64,
    /// When it was decided.
    pub decided_at_ms: u64,
}

/// What was recorded after a place, in the order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// The last place there is.
    pub last: i64,
    /// The newest of what came after the place that was asked for; events of the host's own are not among them.
    pub passed: Vec<Passed>,
    /// When the edge accepted the oldest event that a plugin will be asked about; absent when none waits.
    pub oldest_waiting_ms: Option<u64>,
}

/// Which effects to list, the newest first. All that is given must hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EffectQuery {
    /// Only those before this place; from the last on when it is absent or 0.
    pub before: Option<i64>,
    /// At most so many, and never more than the host's own limit.
    pub rows_max: Option<usize>,
    /// In this state: `waiting`, `done`, `parked`, `dropped`.
    pub state: Option<String>,
    /// Decided by this plugin.
    pub plugin: Option<String>,
}

impl EffectQuery {
    /// Whether it can be answered. Called before the store is asked.
    ///
    /// # Errors
    /// When the state is none: says which there are.
    pub fn check(&self) -> Result<(), QueryError> {
        QueryError::unless("state of an effect", self.state.as_deref(), &STATES)
    }
}

/// Some of the effects that were asked for. Few or none may be in it though more are to come: each page is a bounded piece
/// of work.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EffectsPage {
    /// The effects, the newest first.
    pub effects: Vec<OutboxRow>,
    /// Where to go on: the next page's `before`.
    pub cursor: i64,
    /// Whether nothing is left.
    pub is_end: bool,
}

/// One effect in a list of many events' effects.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OutboxRow {
    /// Its place in the outbox.
    pub cursor: i64,
    /// The receipt of the event that it came of.
    pub receipt: Receipt,
    /// Which plugin decided it.
    pub plugin: PluginName,
    /// Its key: what the target sees as `Idempotency-Key`.
    pub key: String,
    /// Method and URL.
    pub request: String,
    /// `waiting`, `done`, `parked` or `dropped`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// What the last attempt gave.
    pub what: Option<String>,
    /// When the last attempt ended, in milliseconds since the Unix epoch.
    pub at_ms: Option<u64>,
    /// When it is tried next, while it waits.
    pub due_at_ms: Option<u64>,
}
