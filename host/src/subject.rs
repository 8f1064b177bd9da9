//! What is known of one asset: its last state, what plugins remember of it, what stands in its lanes. Knows nothing of
//! where that is kept.

use crate::arrival::{Mark, Place};
use crate::echo::Expected;
use crate::plugin::PluginName;
use hashbrown::DefaultHashBuilder;
use indexmap::{Equivalent, IndexSet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidegate_envelope::SourceName;

/// Which asset of which source. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubjectKey {
    /// The source.
    pub source: SourceName,
    /// The asset's id as text, never empty: what is about nothing has no memory and no lane.
    pub subject: Arc<str>,
}

/// A subject's key without one of its own, to look it up by.
#[derive(Clone, Copy, Debug, Hash)]
pub struct SubjectRef<'a> {
    /// The source.
    pub source: &'a SourceName,
    /// The asset's id as text.
    pub subject: &'a str,
}

impl Equivalent<SubjectKey> for SubjectRef<'_> {
    fn equivalent(&self, key: &SubjectKey) -> bool {
        self.subject == &*key.subject && *self.source == key.source
    }
}

/// Subjects in the order in which they were named.
pub type SubjectSet = IndexSet<SubjectKey, DefaultHashBuilder>;

/// What is known of one asset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubjectState {
    /// The event that is its last known state; `None` before the first.
    pub mark: Option<Mark>,
    /// That event's body as JSON text; `None` when it is not JSON.
    pub json: Option<Arc<str>>,
    /// What each plugin remembers of it.
    pub memories: BTreeMap<PluginName, Memory>,
    /// How many events each plugin has not decided; one that is not here has none, and its lane is free.
    pub lanes: BTreeMap<PluginName, u32>,
    /// What our own effects wrote to the sender a short while ago.
    pub expected: Vec<Expected>,
    /// How many effects were decided in which minute since the Unix epoch. Only in memory: it bounds loops, which take
    /// longer than a restart.
    pub effects: (u64, u32),
}

impl SubjectState {
    /// One event fewer stands in this plugin's lane.
    pub fn leave_lane(&mut self, plugin: &PluginName) {
        if let Some(held) = self.lanes.get_mut(plugin) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.lanes.remove(plugin);
            }
        }
    }

    /// Counts so many effects about this subject.
    ///
    /// # Errors
    /// When this minute has too many then: nothing is counted, and the error is when the next begins, in milliseconds
    /// since the Unix epoch.
    pub fn spend(&mut self, effects: usize, per_minute_max: u32, now_ms: u64) -> Result<(), u64> {
        const MINUTE_MS: u64 = 60_000;
        let minute = now_ms / MINUTE_MS;
        let (known, before) = self.effects;
        let before = if known == minute { before } else { 0 };
        let after = before.saturating_add(u32::try_from(effects).unwrap_or(u32::MAX));
        // One answer that is larger than a whole minute's worth is not refused for ever.
        if after > per_minute_max && before > 0 {
            return Err((minute + 1) * MINUTE_MS);
        }
        self.effects = (minute, after);
        Ok(())
    }

    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let memories =
            self.memories.values().map(|memory| memory.body.as_ref().map_or(0, |body| body.len()) + 100);
        size_of::<Self>()
            + self.json.as_ref().map_or(0, |json| json.len())
            + memories.sum::<usize>()
            + self.lanes.len() * 60
    }
}

/// What a plugin remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The event that it was remembered at: an earlier one of the subject, asked about later, does not replace it.
    pub place: Place,
    /// What it remembers; `None` once it has forgotten.
    pub body: Option<Arc<[u8]>>,
}
