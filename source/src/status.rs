//! What the edge tells the host about its sources: the answer to `GET /status`.

use crate::profile::Punishment;
use crate::sources::Source;
use serde::{Deserialize, Serialize};
use tidegate_envelope::SourceName;

/// The edge's own view of its sources. Version 1; readers ignore fields they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// 1.
    pub v: u32,
    /// When this was written, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Every live source.
    pub sources: Vec<SourceStatus>,
    /// What is wrong with sources that are configured and therefore not live.
    pub faults: Vec<String>,
}

/// One source: how its sender has been answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Which.
    pub source: SourceName,
    /// The name of its profile.
    pub profile: String,
    /// What was counted.
    pub tally: Tally,
    /// Failures in a row after which the sender stops delivering; `None` when it does not work so.
    pub cutoff: Option<u32>,
    /// How many more failures in a row it takes until then.
    pub left: Option<u32>,
    /// What its vault holds; `None` when the vault did not say.
    pub vault: Option<VaultStatus>,
}

impl SourceStatus {
    /// The status of a source, from what was counted; how its sender punishes, its profile says.
    #[must_use]
    pub fn of(source: &Source, tally: Tally, vault: Option<VaultStatus>) -> Self {
        let cutoff = match source.profile.punishment() {
            Punishment::Consecutive(failures) => Some(failures),
            Punishment::Other(_) | Punishment::None => None,
        };
        Self {
            source: source.name.clone(),
            profile: source.profile.name().to_owned(),
            left: cutoff.map(|cutoff| cutoff.saturating_sub(tally.failures_in_row)),
            tally,
            cutoff,
            vault,
        }
    }
}

/// What was counted of a source's answers, by the vault and by the Worker that was asked. A success is written down
/// every ten seconds at most and after each failure, so the time of the last one may be that much older than true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tally {
    /// Answers since the last 2xx that were not 2xx. Attempts, not events: which of the two its sender counts is
    /// not known, and this is the worse.
    pub failures_in_row: u32,
    /// Answers that were not 2xx, ever.
    pub failures: u64,
    /// When a 2xx was given last, in milliseconds since the Unix epoch.
    pub last_success_ms: Option<u64>,
    /// When an answer was last not 2xx.
    pub last_failure_ms: Option<u64>,
    /// Why it was not: its status and its text.
    pub last_failure: Option<String>,
    /// When each token of the source was used last, the first token first; 0 for never.
    pub tokens_used_ms: Vec<u64>,
}

/// What one source's vault holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VaultStatus {
    /// Envelopes that the queue has not taken yet.
    pub messages: u64,
    /// When the oldest of them was put there, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<u64>,
    /// Bodies that the host has not taken yet.
    pub bodies: u64,
    /// Their bytes.
    pub body_bytes: u64,
}
