//! What the host counts while it works: once per batch, pull or attempt, and never in a way that anyone waits for. Pure; what
//! is in the store is counted there. All of it begins anew with the host.

use super::histogram::{Histogram, Spread, Times};
use crate::store::{EffectState, Recorded};
use crate::target::Target;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidegate_envelope::SourceName;

/// Names of one kind that have labels of their own: the first so many in their order. The rest is `other`.
pub const LABELS_MAX: usize = 64;
/// Names that are told apart while counting.
const NAMES_MAX: usize = 1_024;
/// What those are counted under that get no label of their own. No source and no target has this name.
pub const OTHER: &str = "(other)";
/// A backlog that the queue does not tell.
const UNKNOWN: u64 = u64::MAX;

/// All that is counted. One per host, shared by its parts.
#[derive(Debug, Default)]
pub struct Counts {
    accepted: Named<1>,
    queued: Histogram,
    decided: Histogram,
    committed: Histogram,
    performed: Histogram,
    acknowledged: AtomicU64,
    in_flight: AtomicU64,
    attempts: Named<3>,
    queues: Mutex<Vec<Arc<QueueCounts>>>,
    /// What was told to the collector of traces, and what could not be.
    pub told: AtomicU64,
    /// As `told`.
    pub untold: AtomicU64,
}

/// What one queue gave.
#[derive(Debug)]
pub struct QueueCounts {
    delivered: AtomicU64,
    pulls: AtomicU64,
    pulls_empty: AtomicU64,
    pulls_failed: AtomicU64,
    backlog: AtomicU64,
    /// What it last said itself, however long ago.
    said: AtomicU64,
}

/// What is counted of a batch: made before it is handed over, added when it is durable.
#[derive(Debug, Default)]
pub struct BatchCounts {
    sources: Vec<(SourceName, u64)>,
    queued: Times,
    decided: Times,
    decided_at_ms: Vec<u64>,
}

/// What was counted up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Events that the edge accepted, by source.
    pub accepted: Vec<(String, [u64; 1])>,
    /// From the edge's accepting to the queue's taking.
    pub queued: Spread,
    /// From the edge's accepting to the decision.
    pub decided: Spread,
    /// From the decision to its being durable.
    pub committed: Spread,
    /// From the edge's accepting to the end of an effect.
    pub performed: Spread,
    /// Deliveries acknowledged.
    pub acknowledged: u64,
    /// Attempts at effects by target: done, to be tried again, parked.
    pub attempts: Vec<(String, [u64; 3])>,
    /// The queues, in the order of the configuration.
    pub queues: Vec<QueueCounted>,
    /// Events and attempts that the collector of traces took.
    pub told: u64,
    /// Those that it did not.
    pub untold: u64,
}

/// What one queue gave up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounted {
    /// Deliveries.
    pub delivered: u64,
    /// Pulls that it answered.
    pub pulls: u64,
    /// Of those, pulls that gave nothing.
    pub pulls_empty: u64,
    /// Pulls that failed.
    pub pulls_failed: u64,
    /// What it held beside what was pulled, by its own account; `None` when it does not say.
    pub backlog: Option<u64>,
}

impl BatchCounts {
    /// What is counted of these events. Those that plugins caused came from no edge.
    #[must_use]
    pub fn of(events: &[Recorded]) -> Self {
        let mut counts = Self { decided_at_ms: Vec::with_capacity(events.len()), ..Self::default() };
        for recorded in events {
            counts.decided_at_ms.push(recorded.decided_at_ms);
            let event = &recorded.event;
            if event.cause.is_some() {
                continue;
            }
            if recorded.queued_at_ms > 0 {
                counts.queued.add(recorded.queued_at_ms.saturating_sub(event.received_at_ms));
            }
            counts.decided.add(recorded.decided_at_ms.saturating_sub(event.received_at_ms));
            // A batch has few sources: they are looked for one by one.
            match counts.sources.iter_mut().find(|(source, _)| *source == event.source) {
                Some((_, count)) => *count += 1,
                None => counts.sources.push((event.source.clone(), 1)),
            }
        }
        counts
    }
}

impl Counts {
    /// Adds a batch that is durable since this time, in milliseconds since the Unix epoch. Called once per batch.
    pub fn committed(&self, batch: &BatchCounts, at_ms: u64) {
        let mut committed = Times::default();
        batch
            .decided_at_ms
            .iter()
            .for_each(|decided_at_ms| committed.add(at_ms.saturating_sub(*decided_at_ms)));
        self.queued.add(&batch.queued);
        self.decided.add(&batch.decided);
        self.committed.add(&committed);
        for (source, count) in &batch.sources {
            self.accepted.add(source.as_str(), [*count]);
        }
    }

    /// Adds deliveries that were acknowledged. Called once per batch.
    pub fn acknowledged(&self, deliveries: usize) {
        self.acknowledged.fetch_add(number(deliveries), Ordering::Relaxed);
    }

    /// So many deliveries were pulled and are worked on. Called once per batch.
    pub fn begun(&self, deliveries: usize) {
        self.in_flight.fetch_add(number(deliveries), Ordering::Relaxed);
    }

    /// So many of them are acknowledged or given back. Called once per batch.
    pub fn ended(&self, deliveries: usize) {
        self.in_flight.fetch_sub(number(deliveries), Ordering::Relaxed);
    }

    /// Deliveries that are worked on.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Adds an attempt at an effect, which ended so long after its event was accepted, in milliseconds. Called once per
    /// attempt.
    pub fn attempted(&self, target: &Target, state: EffectState, after_ms: u64) {
        let kinds = match state {
            EffectState::Done => [1, 0, 0],
            EffectState::Waiting { .. } => [0, 1, 0],
            EffectState::Parked => [0, 0, 1],
        };
        self.attempts.add(target.as_str(), kinds);
        if state == EffectState::Done {
            let mut performed = Times::default();
            performed.add(after_ms);
            self.performed.add(&performed);
        }
    }

    /// The counts of one more queue.
    #[must_use]
    pub fn queue(&self) -> Arc<QueueCounts> {
        let queue = Arc::new(QueueCounts::new());
        lock(&self.queues).push(Arc::clone(&queue));
        queue
    }

    /// Messages in all queues together, by what each last said, those included that are under way; `None` while none has
    /// said it.
    #[must_use]
    pub fn backlog(&self) -> Option<u64> {
        let queues = lock(&self.queues);
        let said = queues.iter().map(|queue| queue.said.load(Ordering::Relaxed));
        said.filter(|said| *said != UNKNOWN).reduce(u64::saturating_add)
    }

    /// All of it.
    #[must_use]
    pub fn read(&self) -> Counted {
        Counted {
            accepted: self.accepted.read(),
            queued: self.queued.spread(),
            decided: self.decided.spread(),
            committed: self.committed.spread(),
            performed: self.performed.spread(),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            attempts: self.attempts.read(),
            queues: lock(&self.queues).iter().map(|queue| queue.read()).collect(),
            told: self.told.load(Ordering::Relaxed),
            untold: self.untold.load(Ordering::Relaxed),
        }
    }
}

impl QueueCounts {
    const fn new() -> Self {
        Self {
            delivered: AtomicU64::new(0),
            pulls: AtomicU64::new(0),
            pulls_empty: AtomicU64::new(0),
            pulls_failed: AtomicU64::new(0),
            backlog: AtomicU64::new(UNKNOWN),
            said: AtomicU64::new(UNKNOWN),
        }
    }

    /// Adds what a pull gave. A queue counts as its backlog what was pulled and is not acknowledged, too: these deliveries, and
    /// those that were under way before.
    pub fn pulled(&self, deliveries: usize, backlog: Option<u64>, under_way: usize) {
        self.pulls.fetch_add(1, Ordering::Relaxed);
        self.pulls_empty.fetch_add(u64::from(deliveries == 0), Ordering::Relaxed);
        self.delivered.fetch_add(number(deliveries), Ordering::Relaxed);
        if let Some(said) = backlog {
            self.said.store(said.min(UNKNOWN - 1), Ordering::Relaxed);
        }
        let held = number(deliveries.saturating_add(under_way));
        let behind = backlog.map(|backlog| backlog.saturating_sub(held));
        self.backlog.store(behind.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Adds a pull that gave nothing but an error.
    pub fn failed(&self) {
        self.pulls_failed.fetch_add(1, Ordering::Relaxed);
        self.backlog.store(UNKNOWN, Ordering::Relaxed);
    }

    /// It is another host's to pull from: what it said last is soon true no longer.
    pub fn rests(&self) {
        self.said.store(UNKNOWN, Ordering::Relaxed);
        self.backlog.store(UNKNOWN, Ordering::Relaxed);
    }

    fn read(&self) -> QueueCounted {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        QueueCounted {
            delivered: read(&self.delivered),
            pulls: read(&self.pulls),
            pulls_empty: read(&self.pulls_empty),
            pulls_failed: read(&self.pulls_failed),
            backlog: Some(read(&self.backlog)).filter(|backlog| *backlog != UNKNOWN),
        }
    }
}

/// Counts under names, of which there is no bound but this.
#[derive(Debug, Default)]
struct Named<const N: usize>(Mutex<BTreeMap<String, [u64; N]>>);

impl<const N: usize> Named<N> {
    fn add(&self, name: &str, more: [u64; N]) {
        let mut counts = lock(&self.0);
        let name = if counts.len() < NAMES_MAX || counts.contains_key(name) { name } else { OTHER };
        match counts.get_mut(name) {
            Some(known) => sum(known, more),
            None => drop(counts.insert(name.to_owned(), more)),
        }
    }

    fn read(&self) -> Vec<(String, [u64; N])> {
        let counts = lock(&self.0);
        let named = || counts.iter().filter(|(name, _)| *name != OTHER);
        let mut read: Vec<_> = named().take(LABELS_MAX).map(|(name, count)| (name.clone(), *count)).collect();
        let mut other = counts.get(OTHER).copied().unwrap_or([0; N]);
        named().skip(LABELS_MAX).for_each(|(_, count)| sum(&mut other, *count));
        if other != [0; N] {
            read.push((OTHER.to_owned(), other));
        }
        read
    }
}

fn sum<const N: usize>(all: &mut [u64; N], more: [u64; N]) {
    all.iter_mut().zip(more).for_each(|(all, more)| *all += more);
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Counts are right whoever panicked beside them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
