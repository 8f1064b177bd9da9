//! How much came in and how fast it was dealt with, step by step over the last hour: what plots are made of. Pure; knows
//! nothing of who samples it, and forgets it all with the host.

#[cfg(test)]
mod tests;
pub mod usage;

use crate::account::AccountRow;
use crate::store::flow::{Flow, Passed};
use crate::store::stats::Stats;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use usage::Asked;

/// The length of a step, in milliseconds.
pub const STEP_MS: u64 = 5_000;
/// Steps that are remembered: an hour.
const STEPS_MAX: usize = 720;
/// Events of one step whose times are looked at: of more, the newest stand for all.
pub const PASSED_MAX: usize = 5_000;
/// Sources that have a line of their own.
const SOURCES_MAX: usize = 64;

/// What happened in one step.
#[derive(Clone, Debug, Default)]
struct Step {
    incoming: u64,
    done: u64,
    effects_done: u64,
    waiting: u64,
    parked: u64,
    ack: Option<(u64, u64)>,
    decide: Option<(u64, u64)>,
    by_source: BTreeMap<String, FromSource>,
    usage: Vec<Asked>,
}

/// What came from one source in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FromSource {
    incoming: u64,
    ack: Option<(u64, u64)>,
}

/// The last hour, in steps.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    steps: VecDeque<Step>,
    before: Option<Stats>,
    usage_before: Vec<AccountRow>,
    at_ms: u64,
    oldest_waiting_ms: Option<u64>,
}

/// The last hour as it travels: one value for each step, the oldest first. Times within a step that nothing came in are
/// `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// The length of a step, in milliseconds.
    pub step_ms: u64,
    /// When the first step began, in milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// What came in within each step.
    pub incoming: Vec<u64>,
    /// What was done within each step.
    pub done: Vec<u64>,
    /// Effects performed within each step.
    pub effects_done: Vec<u64>,
    /// What waited at the end of each step.
    pub waiting: Vec<u64>,
    /// What was parked at the end of each step.
    pub parked: Vec<u64>,
    /// From the edge's accepting a request to the queue's taking it: the median, in milliseconds.
    pub ack_ms_p50: Vec<Option<u64>>,
    /// The same: 99 of a hundred took at most this.
    pub ack_ms_p99: Vec<Option<u64>>,
    /// From the edge's accepting a request to its decision: the median, in milliseconds.
    pub decide_ms_p50: Vec<Option<u64>>,
    /// The same: 99 of a hundred took at most this.
    pub decide_ms_p99: Vec<Option<u64>>,
    /// The same of each source by itself.
    pub by_source: BTreeMap<String, SourceSeries>,
}

/// What came from one source: one value for each step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceSeries {
    /// What came in within each step.
    pub incoming: Vec<u64>,
    /// From the edge's accepting a request to the queue's taking it: the median, in milliseconds.
    pub ack_ms_p50: Vec<Option<u64>>,
    /// The same: 99 of a hundred took at most this.
    pub ack_ms_p99: Vec<Option<u64>>,
}

impl Pace {
    /// Adds a step that ends now, with what the versions cost until now.
    pub fn add(&mut self, stats: Stats, flow: &Flow, accounts: Vec<AccountRow>, now_ms: u64) {
        self.at_ms = now_ms;
        self.oldest_waiting_ms = flow.oldest_waiting_ms;
        let usage = usage::between(&self.usage_before, &accounts);
        self.usage_before = accounts;
        let Some(before) = self.before.replace(stats.clone()) else { return };
        let incoming = stats.incoming.saturating_sub(before.incoming);
        if self.steps.len() >= STEPS_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(Step {
            incoming,
            done: stats.done.saturating_sub(before.done),
            effects_done: stats.effects.done.saturating_sub(before.effects.done),
            waiting: stats.waiting,
            parked: stats.parked,
            ack: spread(flow.passed.iter(), |it| it.queued_at_ms),
            decide: spread(flow.passed.iter(), |it| it.decided_at_ms),
            by_source: by_source(&flow.passed, stats.accepted.sum().saturating_sub(before.accepted.sum())),
            usage,
        });
    }

    /// When the edge accepted the oldest event that waited at the end of the last step.
    #[must_use]
    pub const fn oldest_waiting_ms(&self) -> Option<u64> {
        self.oldest_waiting_ms
    }

    /// The steps as they travel.
    #[must_use]
    pub fn series(&self) -> Series {
        let steps = &self.steps;
        let mut by_source = BTreeMap::new();
        for name in steps.iter().flat_map(|step| step.by_source.keys()) {
            if by_source.len() < SOURCES_MAX && !by_source.contains_key(name) {
                by_source.insert(name.clone(), self.of_source(name));
            }
        }
        Series {
            step_ms: STEP_MS,
            from_ms: self.began_ms(steps.len()),
            incoming: steps.iter().map(|step| step.incoming).collect(),
            done: steps.iter().map(|step| step.done).collect(),
            effects_done: steps.iter().map(|step| step.effects_done).collect(),
            waiting: steps.iter().map(|step| step.waiting).collect(),
            parked: steps.iter().map(|step| step.parked).collect(),
            ack_ms_p50: steps.iter().map(|step| Some(step.ack?.0)).collect(),
            ack_ms_p99: steps.iter().map(|step| Some(step.ack?.1)).collect(),
            decide_ms_p50: steps.iter().map(|step| Some(step.decide?.0)).collect(),
            decide_ms_p99: steps.iter().map(|step| Some(step.decide?.1)).collect(),
            by_source,
        }
    }

    fn of_source(&self, name: &str) -> SourceSeries {
        let line = || self.steps.iter().map(|step| step.by_source.get(name).copied().unwrap_or_default());
        SourceSeries {
            incoming: line().map(|it| it.incoming).collect(),
            ack_ms_p50: line().map(|it| Some(it.ack?.0)).collect(),
            ack_ms_p99: line().map(|it| Some(it.ack?.1)).collect(),
        }
    }

    /// When the last so many steps began.
    fn began_ms(&self, steps: usize) -> u64 {
        self.at_ms.saturating_sub(u64::try_from(steps).unwrap_or_default() * STEP_MS)
    }
}

/// The median and the 99th of a hundred of how long it took until then; `None` of nothing.
fn spread<'a>(
    passed: impl Iterator<Item = &'a Passed>,
    until: impl Fn(&Passed) -> u64,
) -> Option<(u64, u64)> {
    let mut took: Vec<_> = passed.map(|it| until(it).saturating_sub(it.received_at_ms)).collect();
    took.sort_unstable();
    let at = |percent: usize| took.get((took.len().checked_sub(1)?) * percent / 100).copied();
    at(50).zip(at(99))
}

/// What came from each source, of so many in all: counted where all of them were looked at, else by their share.
fn by_source(passed: &[Passed], all: u64) -> BTreeMap<String, FromSource> {
    let mut events: BTreeMap<&str, Vec<&Passed>> = BTreeMap::new();
    for it in passed {
        events.entry(it.source.as_str()).or_default().push(it);
    }
    let count = |len: usize| u64::try_from(len).unwrap_or_default();
    let seen = count(passed.len());
    let is_sample = all > seen && passed.len() >= PASSED_MAX;
    let of = |events: &[&Passed]| FromSource {
        incoming: if is_sample {
            count(events.len()).saturating_mul(all) / seen
        } else {
            count(events.len())
        },
        ack: spread(events.iter().copied(), |it| it.queued_at_ms),
    };
    events.into_iter().map(|(source, events)| (source.to_owned(), of(&events))).collect()
}
