//! How the sources are, as lists show it.

use super::Vigil;
use super::watched::{Level, Watched};
use crate::alert;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_envelope::SourceName;
use tidegate_source::status::{Tally, VaultStatus};

/// What is known of the edge and its sources. All times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourcesReport {
    /// When this was written.
    pub now_ms: u64,
    /// The edge that was asked; absent when no `edge.url` is set.
    pub edge: Option<EdgeReport>,
    /// Every source that the edge has or that an event came from, by name.
    pub sources: Vec<SourceRow>,
}

/// How the edge answers the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EdgeReport {
    /// When it last said how its sources are.
    pub asked_ms: Option<u64>,
    /// What it did instead the last time it was asked.
    pub failure: Option<String>,
    /// What is wrong with sources that are configured and therefore not live.
    pub faults: Vec<String>,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceRow {
    /// Which.
    pub source: SourceName,
    /// The name of its profile; absent while the edge has not said it.
    pub profile: Option<String>,
    /// How it is.
    pub state: SourceState,
    /// Since when it has been failing, cut off or silent.
    pub since_ms: Option<u64>,
    /// When an event last came from it.
    pub last_event_ms: Option<u64>,
    /// What the edge counted; absent when it does not list the source.
    pub tally: Option<Tally>,
    /// Failures in a row after which its sender stops delivering.
    pub cutoff: Option<u32>,
    /// How many more it takes until then.
    pub left: Option<u32>,
    /// What its vault holds.
    pub vault: Option<VaultStatus>,
    /// When it usually speaks.
    pub rhythm: Option<RhythmRow>,
    /// What to do when its sender has stopped delivering; empty while all is well.
    pub steps: Vec<String>,
}

/// How a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceState {
    /// Nothing is known against it.
    Ok,
    /// The edge did not always answer its sender well lately.
    Failing,
    /// Its sender has every reason to have stopped delivering.
    CutOff,
    /// Nothing comes, for longer than its rhythm explains.
    Silent,
    /// The edge cannot be asked, or does not list it.
    Unknown,
}

impl SourceState {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::CutOff => "cut-off",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
        }
    }
}

/// When a source usually speaks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RhythmRow {
    /// Whether there is a week of history: before that its silence surprises nobody.
    pub known: bool,
    /// Of the 2,016 slots of five minutes in a week, those in which something usually comes.
    pub active_slots_per_week: f64,
    /// How surprising it is that nothing came since the last event: the negative logarithm of its chance.
    pub surprise: f64,
    /// The surprise that is too much.
    pub surprise_max: f64,
}

impl Vigil {
    /// How the sources are now, given how the edge answers; `None` when there is none to ask.
    #[must_use]
    pub fn report(&self, edge: Option<EdgeReport>, now_ms: u64) -> SourcesReport {
        let asked = edge.as_ref().map(|edge| edge.failure.is_none() && edge.asked_ms.is_some());
        let rows = self.sources.iter().map(|(name, watched)| row(name, watched, asked, now_ms));
        SourcesReport { now_ms, sources: rows.collect(), edge }
    }
}

/// `asked` says whether the edge, if there is one, answers.
fn row(name: &SourceName, watched: &Watched, asked: Option<bool>, now_ms: u64) -> SourceRow {
    let memory = &watched.memory;
    let status = watched.status.as_ref();
    let (state, since_ms) = match (memory.trouble, memory.silent_since_ms) {
        (Some(episode), _) if episode.level == Level::CutOff => (SourceState::CutOff, Some(episode.since_ms)),
        (_, Some(since_ms)) => (SourceState::Silent, Some(since_ms)),
        (Some(episode), None) => (SourceState::Failing, Some(episode.since_ms)),
        (None, None) if asked == Some(false) || (asked == Some(true) && status.is_none()) => {
            (SourceState::Unknown, None)
        }
        (None, None) => (SourceState::Ok, None),
    };
    let steps = match state {
        SourceState::CutOff | SourceState::Silent => alert::resume_steps(memory.profile.as_deref()),
        SourceState::Ok | SourceState::Failing | SourceState::Unknown => Vec::new(),
    };
    let rhythm = watched.rhythm.as_ref().map(|rhythm| RhythmRow {
        known: rhythm.is_known(now_ms),
        active_slots_per_week: rhythm.active_slots_per_week(),
        surprise: rhythm.surprise(now_ms),
        surprise_max: rhythm.surprise_max(),
    });
    SourceRow {
        source: name.clone(),
        profile: memory.profile.clone(),
        state,
        since_ms,
        last_event_ms: memory.last_ms,
        tally: status.map(|status| status.tally.clone()),
        cutoff: status.and_then(|status| status.cutoff),
        left: status.and_then(|status| status.left),
        vault: status.and_then(|status| status.vault),
        rhythm,
        steps,
    }
}
