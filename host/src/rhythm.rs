//! When a source usually speaks, and so how surprising its silence is. Pure: knows nothing of clocks, stores or
//! what is done about it.
//!
//! Time is cut into slots of five minutes; a slot is active when at least one event came in it. For each hour of
//! the week the share of active slots is learned, with slow forgetting. A silence is as surprising as the slots it
//! spans were likely to be active: nights and weekends add nothing, a busy hour adds much.
//!
//! Two things make an honest guess of it. Of an hour and its two neighbours the quietest counts, because a working
//! day starts a little later at times, and summer time moves it by an hour. And what people cause comes in bursts:
//! the longest silences that ended by themselves are remembered, and a new one must be longer than they were.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Length of a slot, in milliseconds.
pub const SLOT_MS: u64 = 300_000;
/// The least that must be known of a source before its silence can surprise: a week, in milliseconds.
pub const HISTORY_MS_MIN: u64 = 7 * 24 * HOUR_MS;
/// The least silence that can surprise, in milliseconds.
pub const SILENCE_MS_MIN: u64 = 600_000;
/// A silence surprises when its chance is below `exp(-14)`, one in a million: a source that is active in every
/// second slot is then called silent by mistake once in some twenty years.
pub const SURPRISE_MIN: f64 = 14.0;

const HOUR_MS: u64 = 3_600_000;
const HOURS: usize = 168;
/// Hours from Monday, 0:00 UTC to the Unix epoch, which was a Thursday.
const EPOCH_HOUR: u64 = 72;
const SLOTS_PER_HOUR: f64 = 12.0;
/// What is left of an hour's weight when a week has passed: five weeks count as much as all before them.
const KEPT_PER_WEEK: f64 = 0.8;
/// What is left per week of the longest silence that ended by itself.
const LONGEST_KEPT_PER_WEEK: f64 = 0.95;
/// How much longer than that a silence must be to surprise.
const LONGEST_MARGIN: f64 = 1.25;
/// What one silence can add to the longest, as a multiple of what surprises already: an outage that nobody named
/// as one must not make the next one go unnoticed.
const LONGEST_GROWTH: f64 = 1.5;
/// No slot is taken to be surer than this.
const CHANCE_MAX: f64 = 0.991;
/// Slots that are looked at one by one: four weeks. What is longer is not learned from.
const SLOTS_MAX: u64 = 4 * 7 * 24 * 12;

/// What a silence before an event teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The source had nothing to say: its slots were not active.
    Natural,
    /// Events may have been lost, or nobody looked: nothing is learned.
    Unknown,
}

/// The rhythm of one source. Version 1 of what is stored; readers ignore fields they do not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rhythm {
    v: u32,
    /// When the first event came, in milliseconds since the Unix epoch.
    first_ms: u64,
    /// The last active slot, counted from the epoch.
    slot: u64,
    /// When the last event came.
    last_ms: u64,
    /// Per hour of the week, from Monday 0:00 UTC: slots that were active, and slots that were looked at.
    hours: Vec<Hour>,
    /// The greatest surprise of a silence that ended by itself.
    longest: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Hour {
    active: f64,
    seen: f64,
}

impl Rhythm {
    /// The rhythm of a source whose first event came at this time.
    #[must_use]
    pub fn new(at_ms: u64) -> Self {
        let mut rhythm = Self {
            v: 1,
            first_ms: at_ms,
            slot: at_ms / SLOT_MS,
            last_ms: at_ms,
            hours: vec![Hour::default(); HOURS],
            longest: 0.0,
        };
        rhythm.learn(at_ms / SLOT_MS, 1.0);
        rhythm
    }

    /// Reads a stored rhythm.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_record(record: &str) -> Result<Self, serde_json::Error> {
        let mut rhythm: Self = serde_json::from_str(record)?;
        rhythm.hours.resize(HOURS, Hour::default());
        Ok(rhythm)
    }

    /// The rhythm as it is stored, two kilobytes or so.
    #[must_use]
    pub fn to_record(&self) -> String {
        serde_json::to_string(self).expect("a rhythm is plain data")
    }

    /// When the last event came, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// Takes note of an event. Says whether a new slot began: then the rhythm is worth storing. Events out of order
    /// change nothing.
    pub fn event(&mut self, at_ms: u64, before: Silence) -> bool {
        if at_ms <= self.last_ms {
            return false;
        }
        let slot = at_ms / SLOT_MS;
        if slot == self.slot {
            self.last_ms = at_ms;
            return false;
        }
        let passed = slot - self.slot - 1;
        if before == Silence::Natural && passed <= SLOTS_MAX {
            let surprise = self.surprise(at_ms).min(self.surprise_max() * LONGEST_GROWTH);
            self.longest = self.longest.max(surprise);
            for silent in self.slot + 1..slot {
                self.learn(silent, 0.0);
            }
        }
        self.learn(slot, 1.0);
        (self.slot, self.last_ms) = (slot, at_ms);
        true
    }

    /// How surprising it is that nothing came since the last event, at this time: the negative logarithm of its
    /// chance. 0 while there is too little history.
    #[must_use]
    pub fn surprise(&self, now_ms: u64) -> f64 {
        if now_ms.saturating_sub(self.first_ms) < HISTORY_MS_MIN || self.last_ms < self.first_ms {
            return 0.0;
        }
        let end_ms = now_ms.min(self.last_ms.saturating_add(SLOTS_MAX * SLOT_MS));
        let mut surprise = 0.0;
        let mut from_ms = self.last_ms;
        // A piece of the silence per hour of the clock: 672 of them at most.
        while from_ms < end_ms {
            let to_ms = end_ms.min((from_ms / HOUR_MS + 1) * HOUR_MS);
            let slots = Duration::from_millis(to_ms - from_ms).as_secs_f64()
                / Duration::from_millis(SLOT_MS).as_secs_f64();
            surprise -= slots * (1.0 - self.chance(hour_of(from_ms))).ln();
            from_ms = to_ms;
        }
        surprise
    }

    /// The surprise that is too much for this source.
    #[must_use]
    pub fn surprise_max(&self) -> f64 {
        SURPRISE_MIN.max(self.longest * LONGEST_MARGIN)
    }

    /// Whether a source that has been silent until now is quiet beyond what its rhythm explains.
    #[must_use]
    pub fn is_quiet(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.last_ms) >= SILENCE_MS_MIN && self.surprise(now_ms) > self.surprise_max()
    }

    /// Active slots in a usual week, of 2,016.
    #[must_use]
    pub fn active_slots_per_week(&self) -> f64 {
        self.hours
            .iter()
            .filter(|hour| hour.seen > 0.0)
            .map(|hour| SLOTS_PER_HOUR * hour.active / hour.seen)
            .sum()
    }

    /// Whether there is enough history to be surprised.
    #[must_use]
    pub const fn is_known(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.first_ms) >= HISTORY_MS_MIN
    }

    fn learn(&mut self, slot: u64, active: f64) {
        if slot.is_multiple_of(7 * 24 * 12) {
            self.longest *= LONGEST_KEPT_PER_WEEK;
        }
        let first_of_hour = slot.is_multiple_of(12);
        let Some(hour) = self.hours.get_mut(hour_of(slot * SLOT_MS)) else { return };
        if first_of_hour {
            hour.active *= KEPT_PER_WEEK;
            hour.seen *= KEPT_PER_WEEK;
        }
        hour.active += active;
        hour.seen += 1.0;
    }

    /// The chance that a slot of this hour is active: the least of it and its neighbours.
    fn chance(&self, hour: usize) -> f64 {
        let near = [(hour + HOURS - 1) % HOURS, hour, (hour + 1) % HOURS];
        let known = near.into_iter().filter_map(|hour| self.hours.get(hour));
        known.map(|hour| hour.active / (hour.seen + 0.5)).fold(CHANCE_MAX, f64::min)
    }
}

/// The hour of the week, from Monday 0:00 UTC.
fn hour_of(at_ms: u64) -> usize {
    let hour = (at_ms / HOUR_MS + EPOCH_HOUR) % 168;
    usize::try_from(hour).expect("less than 168")
}

#[cfg(test)]
mod tests;
