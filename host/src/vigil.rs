//! Watches over sources: from what the edge says and what arrives it concludes which of them is failing, nearly cut
//! off, cut off, or silent, and says each of it once. Pure: knows nothing of clocks, stores, HTTP, or how an alert
//! is worded.

pub mod report;
mod watched;

use crate::alert::Alert;
use crate::rhythm::{self, Rhythm};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tidegate_envelope::SourceName;
use tidegate_source::status::Status;
use watched::{SourceMemory, Watched};

/// Polls of the edge that must fail in a row before it is called unreachable.
pub const EDGE_FAILURES_MIN: u32 = 3;
/// How long a source must have been answered well until its next failure is news again, in milliseconds.
pub const RECOVERED_MS: u64 = 600_000;

/// How long after a cut-off has ended a failure among successes still belongs to it, in milliseconds.
pub const STRAGGLE_MS: u64 = 5_000;

/// How long the first event of a source that is answered again is waited for, in milliseconds: it dates the end of
/// the gap better than the edge's word does, but it must come through the queue.
pub const RESUME_WAIT_MS: u64 = 60_000;

/// How long after a test the edge's word on its last 2xx is taken to be about that test, in milliseconds: the edge
/// writes a 2xx down every ten seconds at most.
pub const TEST_ECHO_MS: u64 = 10_000;

/// What the operator may set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VigilRules {
    /// A silence longer than this is called one whatever the source's rhythm, in milliseconds; `None`: only the
    /// rhythm decides, and a source without enough history is never called silent.
    pub silence_max_ms: Option<u64>,
}

/// What must outlive a restart, so that no alert is raised twice. Version 1 of what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    v: u32,
    edge: EdgeMemory,
    sources: BTreeMap<SourceName, SourceMemory>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct EdgeMemory {
    /// Since when the edge does not answer, once that was said.
    unreachable_since_ms: Option<u64>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { v: 1, edge: EdgeMemory::default(), sources: BTreeMap::new() }
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

/// What must be stored together with the alerts that were raised.
#[derive(Debug, Default)]
pub struct Changes {
    /// The memory, if it changed.
    pub memory: Option<Memory>,
    /// The rhythms of the sources in which a new slot began.
    pub rhythms: Vec<(SourceName, Rhythm)>,
}

/// The watch over all sources. Fed from one loop.
#[derive(Debug)]
pub struct Vigil {
    rules: VigilRules,
    started_ms: u64,
    edge: EdgeMemory,
    /// Polls that failed in a row, and when the first of them did.
    edge_failures: u32,
    edge_failing_since_ms: u64,
    sources: BTreeMap<SourceName, Watched>,
    /// What was stored last, and whose rhythms were not.
    stored: Memory,
    rhythms_changed: BTreeSet<SourceName>,
}

impl Vigil {
    /// A vigil that begins now, with what the last one left.
    #[must_use]
    pub fn new(
        rules: VigilRules,
        started_ms: u64,
        memory: Memory,
        rhythms: impl IntoIterator<Item = (SourceName, Rhythm)>,
    ) -> Self {
        let mut rhythms: BTreeMap<_, _> = rhythms.into_iter().collect();
        let remembered = memory.sources.clone().into_iter();
        let sources = remembered
            .map(|(name, memory)| {
                let rhythm = rhythms.remove(&name);
                (name.clone(), Watched::new(name, memory, rhythm, started_ms))
            })
            .collect();
        Self {
            rules,
            started_ms,
            edge: memory.edge.clone(),
            edge_failures: 0,
            edge_failing_since_ms: started_ms,
            sources,
            stored: memory,
            rhythms_changed: BTreeSet::new(),
        }
    }

    /// The edge accepted an event of this source at this time, before anybody watched.
    pub fn remember(&mut self, source: &SourceName, at_ms: u64) {
        let memory = &mut self.watched(source).memory;
        memory.last_ms = memory.last_ms.max(Some(at_ms));
    }

    /// Events of this source were recorded: the edge accepted the first and the last of them at these times.
    pub fn recorded(&mut self, source: &SourceName, first_ms: u64, last_ms: u64, now_ms: u64) -> Vec<Alert> {
        let watched = self.watched(source);
        let alerts = [first_ms, last_ms].map(|at_ms| watched.event(at_ms, now_ms));
        self.note_rhythms();
        alerts.into_iter().flatten().collect()
    }

    /// The operator sent a test through this source, which the edge accepted at this time.
    pub fn tested(&mut self, source: &SourceName, at_ms: u64) {
        self.watched(source).tested(at_ms);
    }

    /// The edge said how its sources are.
    pub fn polled(&mut self, status: &Status, now_ms: u64) -> Vec<Alert> {
        self.edge_failures = 0;
        self.edge.unreachable_since_ms = None;
        let mut alerts = Vec::new();
        for watched in self.sources.values_mut() {
            watched.unlist();
        }
        for source in &status.sources {
            alerts.extend(self.watched(&source.source).polled(source, now_ms));
        }
        self.note_rhythms();
        alerts
    }

    /// The edge did not say it.
    pub fn unreachable(&mut self, why: &str, now_ms: u64) -> Vec<Alert> {
        if self.edge_failures == 0 {
            self.edge_failing_since_ms = now_ms;
        }
        self.edge_failures = self.edge_failures.saturating_add(1);
        if self.edge_failures < EDGE_FAILURES_MIN || self.edge.unreachable_since_ms.is_some() {
            return Vec::new();
        }
        let since_ms = self.edge_failing_since_ms;
        self.edge.unreachable_since_ms = Some(since_ms);
        vec![Alert::EdgeUnreachable { since_ms, why: why.to_owned(), at_ms: now_ms }]
    }

    /// Time passed.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Alert> {
        // While the edge cannot be reached it may be us whom nothing reaches.
        let may_be_ours = self.edge_failures > 0;
        let watched_ms = now_ms.saturating_sub(self.started_ms);
        let (rules, mut alerts) = (self.rules, Vec::new());
        for watched in self.sources.values_mut() {
            watched.recover(now_ms);
            if !may_be_ours {
                alerts.extend(watched.silence(&rules, watched_ms, now_ms));
            }
        }
        alerts
    }

    /// What changed since this was asked last: to be stored in one transaction with the alerts.
    pub fn changes(&mut self) -> Changes {
        let rhythms = std::mem::take(&mut self.rhythms_changed);
        let rhythms = rhythms.into_iter().filter_map(|name| {
            let rhythm = self.sources.get(&name)?.rhythm.clone()?;
            Some((name, rhythm))
        });
        let rhythms: Vec<_> = rhythms.collect();
        let memory = self.memory();
        // That an event came is worth a write once a slot, a change of state at once.
        let changed = !rhythms.is_empty() || !memory.same_but_for_times(&self.stored);
        if changed {
            self.stored = memory.clone();
        }
        Changes { memory: changed.then_some(memory), rhythms }
    }

    /// Everything that the next vigil needs, for the last write before a stop.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let sources = self.sources.iter().map(|(name, watched)| (name.clone(), watched.memory.clone()));
        Memory { v: 1, edge: self.edge.clone(), sources: sources.collect() }
    }

    fn watched(&mut self, source: &SourceName) -> &mut Watched {
        let started_ms = self.started_ms;
        let new = || Watched::new(source.clone(), SourceMemory::default(), None, started_ms);
        self.sources.entry(source.clone()).or_insert_with(new)
    }

    fn note_rhythms(&mut self) {
        let changed =
            self.sources.iter_mut().filter_map(|(name, it)| it.rhythm_changed().then(|| name.clone()));
        self.rhythms_changed.extend(changed);
    }
}

impl Memory {
    fn same_but_for_times(&self, other: &Self) -> bool {
        self.edge == other.edge
            && self.sources.len() == other.sources.len()
            && self.sources.iter().zip(&other.sources).all(|((name, memory), (other_name, other))| {
                name == other_name && memory.same_but_for_times(other)
            })
    }
}

/// The least time that a silence must have been watched before it counts.
fn watched_ms_min(rules: &VigilRules) -> u64 {
    rules.silence_max_ms.map_or(rhythm::SILENCE_MS_MIN, |max_ms| max_ms.min(rhythm::SILENCE_MS_MIN))
}

#[cfg(test)]
mod tests;
