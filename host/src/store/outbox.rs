//! What the outbox reads and writes beside effects: to which targets they wait to go, and which of those are left alone.

use super::EffectSeq;
use crate::target::{Pause, Target};
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseRow {
    /// Until then its target is left alone, in milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// What the target did.
    pub why: String,
}

/// One attempt at an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TryRow {
    /// Which one, from 1.
    pub attempt: u32,
    /// What it gave.
    pub what: String,
    /// When it ended, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}
