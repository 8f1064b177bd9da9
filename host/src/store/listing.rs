//! Which events people and programs ask for, and what they get. Knows nothing of SQL.

use super::outbox::{PauseRow, TryRow};
use crate::finding::Finding;
use crate::log::Log;
use crate::plugin::{PluginName, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_envelope::{Receipt, SourceName};

/// Which events to list. All that is given must hold. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Those after this place, oldest first; from the first on when neither this nor `before` is given.
    pub after: Option<i64>,
    /// Those before this place, newest first; `0` is after the last.
    pub before: Option<i64>,
    /// At most so many, and never more than the host's own limit.
    pub rows_max: Option<usize>,
    /// Of this source.
    pub source: Option<String>,
    /// About this subject.
    pub subject: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// That this plugin wanted.
    pub plugin: Option<String>,
    /// That stood so to those before: `first`, `duplicate`, `stale`, `conflict`, `after-delete`, `echo`.
    pub class: Option<String>,
    /// In this state: `waiting`, `decided`, `parked`.
    pub state: Option<String>,
    /// Accepted at this time or later.
    pub since_ms: Option<u64>,
    /// Accepted before this time.
    pub until_ms: Option<u64>,
    /// Whose payload holds these bytes.
    pub text: Option<String>,
    /// Whether the payload comes with each.
    pub payload: Option<bool>,
}

/// The words for a class and for a state.
const CLASSES: [&str; 6] = ["first", "duplicate", "stale", "conflict", "after-delete", "echo"];
const STATES: [&str; 3] = ["waiting", "decided", "parked"];

/// What is asked for is nothing that there could be.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A word is none of those that are known.
    #[error("`{given}` is no {what}; there are {}", .known.join(", "))]
    Word {
        /// What it should be.
        what: &'static str,
        /// What it is.
        given: String,
        /// What there is.
        known: &'static [&'static str],
    },
    /// A place is none.
    #[error("`after` is no page's `next`")]
    Place,
}

impl QueryError {
    /// Whether this word is one of those that are known; no word is.
    pub(super) fn unless(
        what: &'static str,
        given: Option<&str>,
        known: &'static [&'static str],
    ) -> Result<(), Self> {
        match given.filter(|given| !known.contains(given)) {
            None => Ok(()),
            Some(given) => Err(Self::Word { what, given: given.chars().take(40).collect(), known }),
        }
    }
}

impl EventQuery {
    /// Whether it can be answered. Called before the store is asked.
    ///
    /// # Errors
    /// When a class or a state is none: says which there are.
    pub fn check(&self) -> Result<(), QueryError> {
        QueryError::unless("class of an event", self.class.as_deref(), &CLASSES)?;
        QueryError::unless("state of an event", self.state.as_deref(), &STATES)
    }
}

/// Some of the events that were asked for. Few or none may be in it though more are to come: each page is a bounded piece
/// of work.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventsPage {
    /// The events, in the order that was asked for.
    pub events: Vec<EventRow>,
    /// Where to go on: the next page's `after`, or `before`.
    pub cursor: i64,
    /// Whether nothing is left for now in this direction.
    pub is_end: bool,
}

/// What a request's body was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payload {
    /// What the sender called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `text` when it is UTF-8, else `base64`.
    pub encoding: String,
    /// The body in that encoding.
    pub content: String,
    /// How many more bytes it had, when it is a large one and was asked for by itself.
    #[serde(default, skip_serializing_if = "is_none")]
    pub left_out_bytes: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_none(bytes: &usize) -> bool {
    *bytes == 0
}

impl Payload {
    /// These bytes, as they can be written into JSON.
    #[must_use]
    pub fn new(content_type: Option<String>, bytes: Vec<u8>) -> Self {
        let (encoding, content) = match String::from_utf8(bytes) {
            Ok(text) => ("text", text),
            Err(error) => ("base64", STANDARD.encode(error.as_bytes())),
        };
        Self { content_type, encoding: encoding.to_owned(), content, left_out_bytes: 0 }
    }

    /// The other way.
    ///
    /// # Errors
    /// When the encoding is unknown, or the content is not in it.
    pub fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        match self.encoding.as_str() {
            "text" => Ok(self.content.clone().into_bytes()),
            "base64" => Ok(STANDARD.decode(&self.content)?),
            other => anyhow::bail!("`{other}` is no encoding that this host knows"),
        }
    }
}

/// What lists leave out of an event.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Story {
    /// JSON pointers to what differs from the snapshot before.
    pub changed: Vec<String>,
    /// Events that it led to.
    pub caused: Vec<CausedRow>,
    /// What people did about what was parked, oldest first.
    pub interventions: Vec<InterventionRow>,
}

/// An event of the host's own that another led to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CausedRow {
    /// Its receipt.
    pub receipt: Receipt,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Its source.
    pub source: SourceName,
    /// When it was told, or will be, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// `upcoming` while it is still to come, else its state.
    pub state: String,
}

/// What a person did about something that was parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterventionRow {
    /// What was parked, as `tidegate parked` names it.
    pub id: String,
    /// `redriven` or `dropped`.
    pub action: String,
    /// Why, where somebody said so.
    pub reason: Option<String>,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// One event as lists and timelines show it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventRow {
    /// Its place in the order of arrival: lists can go on after it.
    #[serde(default)]
    pub cursor: i64,
    /// The id of what was accepted.
    pub receipt: Receipt,
    /// Which sender it came from.
    pub source: SourceName,
    /// What happened; empty when the body does not say.
    pub kind: String,
    /// What it is about; empty when the body does not say.
    pub subject: String,
    /// `first`, `duplicate`, `stale`, `conflict`, `after-delete` or `echo`.
    pub class: String,
    /// For a duplicate: the receipt of the event it repeats.
    pub duplicate_of: Option<Receipt>,
    /// The receipt of what was the subject's snapshot when it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Receipt>,
    /// For an event of the host's own: the receipt of the event that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Receipt>,
    /// `waiting`: a plugin will be asked, again or at all. `parked`: it needs a person. `decided`: neither.
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
    /// What stands on the timeline of a single event, and in no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<Story>,
    /// Its body, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// The body of `previous`, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_payload: Option<Payload>,
}

/// One plan as lists and timelines show it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlanRow {
    /// Which plugin.
    pub plugin: PluginName,
    /// Which version.
    pub version: Version,
    /// `decided`, `skipped`, `waiting`, `held` (behind another event of its subject), `parked`, or `dropped` by a person.
    pub state: String,
    /// When that came of it, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub at_ms: u64,
    /// When the plugin will be asked, when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at_ms: Option<u64>,
    /// How often it was asked.
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EffectRow {
    /// Its key: what the target sees as `Idempotency-Key`.
    pub key: String,
    /// Method and URL.
    pub request: String,
    /// `waiting`, `done`, `parked`, or `dropped` by a person.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// What the last attempt gave.
    pub what: Option<String>,
    /// When the last attempt ended, in milliseconds since the Unix epoch.
    pub at_ms: Option<u64>,
    /// Every attempt, the first first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<TryRow>,
    /// While it waits: why its target is left alone, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseRow>,
}
