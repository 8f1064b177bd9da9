//! What the outbox reads and writes beside effects: to which targets they wait to go, and which of those are left alone.

use super::EffectSeq;
use crate::effect::Effect;
use crate::retry::Next;
use crate::target::{Pause, Target};
use crate::trace::TraceParent;
use crate::upcoming::Upcoming;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_envelope::SourceName;

/// A target with effects that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingTarget {
    /// The target.
    pub target: Target,
    /// When the first of them is due, in milliseconds since the Unix epoch.
    pub due_at_ms: u64,
    /// Those that are due, the first due first, up to a bound.
    pub due: Vec<EffectSeq>,
    /// When the first is due that is not due yet.
    pub next_at_ms: Option<u64>,
}

/// The event that an effect came of, as far as a reply is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its source.
    pub source: SourceName,
    /// What it is about.
    pub subject: String,
    /// How many events stand before it, each caused by the one before.
    pub depth: u32,
}

/// A target is left alone from now on, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseChange {
    /// The target.
    pub target: Target,
    /// How long, and why; `None`: no longer.
    pub pause: Option<(Pause, String)>,
}

/// Why an effect that is due is not performed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseRow {
    /// Until then its target is left alone, in milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// What the target did.
    pub why: String,
}

/// One attempt at an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TryRow {
    /// Which one, from 1.
    pub attempt: u32,
    /// What it gave.
    pub what: String,
    /// When it ended, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// An effect whose time has come.
#[derive(Debug)]
pub struct DueEffect {
    /// Its place in the outbox.
    pub seq: EffectSeq,
    /// What to perform.
    pub effect: Effect,
    /// How often it was attempted before.
    pub attempts: u32,
    /// The event it came of; `None` where nobody wants a reply, or the event was forgotten.
    pub origin: Option<Origin>,
    /// Where the event's sender has it in a trace of its own.
    pub trace: Option<TraceParent>,
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
    /// The response, for the plugin that asked for it.
    pub reply: Option<Upcoming>,
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
