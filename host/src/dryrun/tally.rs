//! What a dry run found, in numbers and examples; two of them add up. Pure.

use crate::drift::{self, Drift};
use crate::plugin::Version;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tidegate_envelope::{Receipt, SourceName};

/// How what the candidate says of one event stands to what was said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The same in every byte.
    Same,
    /// The same and more.
    Added,
    /// Part of it, or nothing.
    Removed,
    /// Something else.
    Changed,
    /// A fault where there was none.
    NewFault,
    /// A fault where there was another.
    OtherFault,
    /// No fault where there was one.
    FaultGone,
    /// The plugin was not asked about it, and would be.
    NotAskedBefore,
    /// The plugin was asked about it, and would not be any more.
    NotAskedNow,
    /// It cannot be compared: it differs from what was recorded, and so does what the version that decided says now, or one of
    /// them cannot be asked.
    NotReproduced,
    /// Two answers of the candidate differ: it is no pure function.
    Impure,
}

impl Outcome {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 11] = [
        Self::Same,
        Self::Changed,
        Self::Added,
        Self::Removed,
        Self::NewFault,
        Self::OtherFault,
        Self::FaultGone,
        Self::NotAskedBefore,
        Self::NotAskedNow,
        Self::NotReproduced,
        Self::Impure,
    ];

    /// Its words, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::NewFault => "new faults",
            Self::OtherFault => "other faults",
            Self::FaultGone => "faults gone",
            Self::NotAskedBefore => "not asked before",
            Self::NotAskedNow => "not asked any more",
            Self::NotReproduced => "not reproduced",
            Self::Impure => "impure",
        }
    }
}

impl From<drift::Kind> for Outcome {
    fn from(kind: drift::Kind) -> Self {
        match kind {
            drift::Kind::Same => Self::Same,
            drift::Kind::Added => Self::Added,
            drift::Kind::Removed => Self::Removed,
            drift::Kind::Changed => Self::Changed,
            drift::Kind::NewFault => Self::NewFault,
            drift::Kind::OtherFault => Self::OtherFault,
            drift::Kind::FaultGone => Self::FaultGone,
        }
    }
}

/// One event about which the candidate says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What kind of difference.
    pub outcome: Outcome,
    /// The event.
    pub receipt: Receipt,
    /// Its source.
    pub source: SourceName,
    /// Its kind.
    pub event_kind: String,
    /// What it is about.
    pub subject: String,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// The version that decided about it; absent when none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What differs, where two answers could be compared; for an impure one between its own two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
}

/// What one call took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// How long.
    pub took: Duration,
    /// Bytes of memory at its end.
    pub memory_bytes: usize,
}

impl Used {
    /// Of two calls that did the same the shorter, which others disturbed less; and the more of memory.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        let memory_bytes = self.memory_bytes.max(other.memory_bytes);
        Self { took: self.took.min(other.took), memory_bytes }
    }
}

/// What came of one event.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What differs; `None` when nothing does.
    pub difference: Option<Difference>,
    /// What the candidate took; `None` when it was not asked.
    pub candidate: Option<Used>,
    /// What the version that it is compared with took, when that was asked.
    pub base: Option<Used>,
}

/// What was found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// How many events there are of each outcome; none that did not occur.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Differences, the first ones of each outcome.
    pub differences: Vec<Difference>,
    /// What the candidate took.
    pub candidate: Cost,
    /// What the version that it is compared with took, where that was asked: where something differs, and of a sample.
    pub base: Cost,
}

impl Tally {
    /// Adds one event.
    pub fn add(&mut self, judged: Judged, told_max: usize) {
        let Judged { difference, candidate, base } = judged;
        self.candidate.add(candidate);
        self.base.add(base);
        let outcome = difference.as_ref().map_or(Outcome::Same, |difference| difference.outcome);
        let count = self.outcomes.entry(outcome).or_default();
        *count += 1;
        self.tell(difference, told_max);
    }

    /// Adds what was found of other events.
    pub fn merge(&mut self, other: Self, told_max: usize) {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.tell(other.differences, told_max);
        self.candidate.merge(&other.candidate);
        self.base.merge(&other.base);
    }

    fn tell(&mut self, differences: impl IntoIterator<Item = Difference>, told_max: usize) {
        for difference in differences {
            if self.of(difference.outcome).count() < told_max {
                self.differences.push(difference);
            }
        }
    }

    /// How many events were looked at.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// How many had this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or_default()
    }

    /// The differences of this outcome that are told.
    pub fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(move |difference| difference.outcome == outcome)
    }
}

/// What calls took. Times are counted in classes that are an eighth wide, so that those of many pages add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// How many calls.
    pub calls: u64,
    /// Time of all together, in microseconds.
    pub wall_us: u64,
    /// Time of the longest, in microseconds.
    pub wall_us_max: u64,
    /// The most memory that one had, in bytes.
    pub memory_bytes_max: usize,
    /// How many calls there were of each class of time.
    classes: BTreeMap<u16, u64>,
}

impl Cost {
    fn add(&mut self, used: Option<Used>) {
        let Some(Used { took, memory_bytes }) = used else { return };
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.calls += 1;
        self.wall_us = self.wall_us.saturating_add(us);
        self.wall_us_max = self.wall_us_max.max(us);
        self.memory_bytes_max = self.memory_bytes_max.max(memory_bytes);
        *self.classes.entry(class(us)).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.wall_us = self.wall_us.saturating_add(other.wall_us);
        self.wall_us_max = self.wall_us_max.max(other.wall_us_max);
        self.memory_bytes_max = self.memory_bytes_max.max(other.memory_bytes_max);
        for (class, count) in &other.classes {
            *self.classes.entry(*class).or_default() += count;
        }
    }

    /// The mean time of a call, in microseconds.
    #[must_use]
    pub fn mean_us(&self) -> u64 {
        self.wall_us.checked_div(self.calls).unwrap_or_default()
    }

    /// The time that 99 calls of a hundred stay under, in microseconds: up to an eighth more than it was.
    #[must_use]
    pub fn p99_us(&self) -> u64 {
        let mut left = (self.calls * 99).div_ceil(100);
        for (class, count) in &self.classes {
            left = left.saturating_sub(*count);
            if left == 0 {
                return most_of(*class).min(self.wall_us_max);
            }
        }
        self.wall_us_max
    }
}

/// The class of a time: up to 15 its own, then eight to each doubling.
fn class(us: u64) -> u16 {
    let shift = us.max(8).ilog2() - 3;
    let eighth = us >> shift;
    u16::try_from(u64::from(shift) * 8 + eighth).unwrap_or(u16::MAX)
}

/// The longest time of a class.
fn most_of(class: u16) -> u64 {
    if class < 16 {
        return u64::from(class);
    }
    let (shift, eighth) = (u32::from(class) / 8 - 1, u64::from(class) % 8 + 8);
    ((u128::from(eighth) + 1) << shift).saturating_sub(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_time_is_an_eighth_wide_at_most() {
        for us in (0..5_000).chain([1 << 40, (1 << 40) + 12_345, u64::MAX]) {
            let most = most_of(class(us));
            assert!(most >= us && most - us <= us / 8, "{us} {most}");
        }
        assert!((1..100_000_u64).all(|us| class(us - 1) <= class(us)));
    }

    fn used(us: u64) -> Judged {
        let candidate = Some(Used { took: Duration::from_micros(us), memory_bytes: 1 });
        Judged { candidate, ..Judged::default() }
    }

    #[test]
    fn pages_add_up_to_the_whole() {
        let (mut whole, mut pages) = (Tally::default(), Tally::default());
        for page in 0..10_u64 {
            let mut one = Tally::default();
            for us in (1..=100).map(|at| page * 100 + at) {
                whole.add(used(us), 3);
                one.add(used(us), 3);
            }
            pages.merge(one, 3);
        }
        assert_eq!(whole, pages);
        assert_eq!((whole.events(), whole.candidate.mean_us()), (1_000, 500));
        assert!((990..=1_000).contains(&whole.candidate.p99_us()), "{}", whole.candidate.p99_us());
        let text = serde_json::to_string(&whole).expect("plain data");
        assert_eq!(serde_json::from_str::<Tally>(&text).expect("reads back"), whole);
    }
}
