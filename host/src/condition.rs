//! Whether the host as a whole is in a bad way: from what was measured it concludes what is too much, and says each of it
//! once, and once more when it is over. Pure: knows nothing of clocks, disks, stores, or how an alert is worded.

pub mod missing;
#[cfg(test)]
mod tests;

use missing::Missing;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Looks in a row that must find all well again before it is said: what goes to and fro is one episode.
pub const CALM_LOOKS: u32 = 3;

/// What may be too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// How long the oldest event has waited for a plugin, in milliseconds.
    Waiting,
    /// How much needs a person.
    Parked,
    /// How full the disk of the data directory is, in hundredths.
    Disk,
    /// Bytes of the store's file.
    Store,
    /// Messages in the queue, by its own account.
    Backlog,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Parked, Self::Disk, Self::Store, Self::Backlog];

    /// Its word, as metrics and lists have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Disk => "disk",
            Self::Store => "store",
            Self::Backlog => "backlog",
        }
    }
}

/// What was measured at one moment; `None`: it cannot be said now, and nothing is concluded from that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// How long the oldest event has waited for a plugin, in milliseconds; 0: none waits.
    pub waiting_ms: Option<u64>,
    /// Events and strays that are parked.
    pub parked: Option<u64>,
    /// How full the disk is, in hundredths.
    pub disk_percent: Option<u64>,
    /// Bytes of the store's file and its log.
    pub store_bytes: Option<u64>,
    /// Messages in all queues together.
    pub backlog: Option<u64>,
}

impl Sample {
    const fn of(&self, condition: Condition) -> Option<u64> {
        match condition {
            Condition::Waiting => self.waiting_ms,
            Condition::Parked => self.parked,
            Condition::Disk => self.disk_percent,
            Condition::Store => self.store_bytes,
            Condition::Backlog => self.backlog,
        }
    }
}

/// The most that is well, of each; `None`: any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Of [`Sample::waiting_ms`].
    pub waiting_ms: Option<u64>,
    /// Of [`Sample::parked`].
    pub parked: Option<u64>,
    /// Of [`Sample::disk_percent`].
    pub disk_percent: Option<u64>,
    /// Of [`Sample::store_bytes`].
    pub store_bytes: Option<u64>,
    /// Of [`Sample::backlog`].
    pub backlog: Option<u64>,
    /// How long a host of the group may be missing, in milliseconds.
    pub host_gone_ms: Option<u64>,
}

impl Bounds {
    const fn of(&self, condition: Condition) -> Option<u64> {
        match condition {
            Condition::Waiting => self.waiting_ms,
            Condition::Parked => self.parked,
            Condition::Disk => self.disk_percent,
            Condition::Store => self.store_bytes,
            Condition::Backlog => self.backlog,
        }
    }
}

/// What must outlive a restart, so that nothing is said twice. Version 1 of what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    v: u32,
    open: BTreeMap<Condition, Episode>,
    /// Hosts of the group that are not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    missing: BTreeMap<i64, Missing>,
}

/// A time in which something is too much, from the first look that finds it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Episode {
    since_ms: u64,
    /// Looks in a row that found it well.
    calm: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self { v: 1, open: BTreeMap::new(), missing: BTreeMap::new() }
    }
}

impl Memory {
    /// Reads what was stored.
    ///
    /// # Errors
    /// When it is not a memory.
    pub fn from_record(record: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(record)
    }

    /// The memory as it is stored.
    #[must_use]
    pub fn to_record(&self) -> String {
        serde_json::to_string(self).expect("a memory is plain data")
    }
}

/// Something that begins or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// What.
    pub condition: Condition,
    /// Which of the two.
    pub turn: Turn,
    /// What was measured, in the unit of the condition.
    pub value: u64,
    /// The most that is well.
    pub bound: u64,
    /// When it began, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When this was noticed.
    pub at_ms: u64,
}

/// Whether it begins or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is too much now.
    Begins,
    /// It is well again.
    Over,
}

/// What there is to say of a sample, and what to remember of it.
#[must_use]
pub fn look(memory: &Memory, bounds: &Bounds, sample: &Sample, now_ms: u64) -> (Memory, Vec<News>) {
    let mut next = memory.clone();
    let mut news = Vec::new();
    for condition in Condition::ALL {
        let Some(bound) = bounds.of(condition) else {
            // The operator no longer wants to hear of it.
            next.open.remove(&condition);
            continue;
        };
        let Some(value) = sample.of(condition) else { continue };
        let told = |turn, since_ms| News { condition, turn, value, bound, since_ms, at_ms: now_ms };
        match next.open.get_mut(&condition) {
            None if value > bound => {
                next.open.insert(condition, Episode { since_ms: now_ms, calm: 0 });
                news.push(told(Turn::Begins, now_ms));
            }
            None => {}
            Some(episode) if value > well(condition, bound) => episode.calm = 0,
            Some(episode) => {
                episode.calm += 1;
                if episode.calm >= CALM_LOOKS {
                    news.push(told(Turn::Over, episode.since_ms));
                    next.open.remove(&condition);
                }
            }
        }
    }
    (next, news)
}

/// What it must come down to until it is called well again: less than what it was called too much for.
const fn well(condition: Condition, bound: u64) -> u64 {
    match condition {
        // Said until nothing more is parked than is allowed: a person works through it one by one.
        Condition::Parked => bound,
        Condition::Disk => bound.saturating_sub(2),
        Condition::Waiting | Condition::Store | Condition::Backlog => bound.saturating_sub(bound / 5),
    }
}
