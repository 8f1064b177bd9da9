//! How long things took: counted in buckets, without a lock, many at a time. Pure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the buckets, in milliseconds: from what a person does not notice to an hour.
pub const BOUNDS_MS: [u64; 16] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 600_000, 3_600_000];

/// Counts times as they come.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One per bound, and one for what took longer than all of them.
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_ms: AtomicU64,
}

/// Times that are added at once: those of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    counts: [u32; BOUNDS_MS.len() + 1],
    sum_ms: u64,
}

/// What a histogram counted up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many fell into each bucket and no earlier one; the last has no end.
    pub counts: [u64; BOUNDS_MS.len() + 1],
    /// All times together.
    pub sum: Duration,
}

impl Times {
    /// Adds one, in milliseconds.
    pub fn add(&mut self, took_ms: u64) {
        let bucket = BOUNDS_MS.partition_point(|bound_ms| *bound_ms < took_ms);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
    }
}

impl Histogram {
    /// Adds what a batch took. Called once per batch.
    pub fn add(&self, times: &Times) {
        for (all, more) in self.counts.iter().zip(times.counts).filter(|(_, more)| *more > 0) {
            all.fetch_add(u64::from(more), Ordering::Relaxed);
        }
        self.sum_ms.fetch_add(times.sum_ms, Ordering::Relaxed);
    }

    /// What was counted. While others add, it may be of no single instant.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let counts = std::array::from_fn(|bucket| {
            self.counts.get(bucket).map_or(0, |count| count.load(Ordering::Relaxed))
        });
        Spread { counts, sum: Duration::from_millis(self.sum_ms.load(Ordering::Relaxed)) }
    }
}

impl Spread {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many took at most so long, for each bound; the last entry, without one, is all.
    pub fn up_to(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS_MS.iter().map(|bound_ms| Some(Duration::from_millis(*bound_ms))).chain([None]);
        bounds.zip(self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        }))
    }
}
