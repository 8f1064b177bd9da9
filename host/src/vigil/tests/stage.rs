//! A source on a stage: what happens to it, step by step, with what was stored between.

use crate::alert::Alert;
use crate::rhythm::Rhythm;
use crate::vigil::{Memory, Vigil, VigilRules};
use std::collections::BTreeMap;
use tidegate_envelope::SourceName;
use tidegate_source::status::{SourceStatus, Status, Tally};

/// When the vigil begins.
pub(super) const START_MS: u64 = 1_772_409_600_000;
pub(super) const SECOND_MS: u64 = 1_000;
pub(super) const MINUTE_MS: u64 = 60_000;

pub(super) fn amj() -> SourceName {
    SourceName::new("amj").expect("a valid name")
}

/// One thing that happens, at so many seconds after the start.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The edge says: failures in a row, and when the last failure and the last success were.
    Edge {
        in_row: u32,
        failed_s: Option<u64>,
        answered_s: Option<u64>,
    },
    /// An event that the edge accepted at this time is recorded.
    Event(u64),
    Unreachable,
    /// A test of the operator's is recorded, which the edge accepted at this time.
    Test(u64),
    Tick,
    /// The host is stopped and started: what was stored is all that is left.
    Restart,
}
pub(super) use Step::{Edge, Event, Restart, Test, Tick, Unreachable};

pub(super) const fn well(answered_s: u64) -> Step {
    Edge { in_row: 0, failed_s: None, answered_s: Some(answered_s) }
}

pub(super) const fn failing(in_row: u32, failed_s: u64) -> Step {
    // The last answer before the failures was at 5 s.
    let answered_s = if failed_s > 5 { Some(5) } else { None };
    Edge { in_row, failed_s: Some(failed_s), answered_s }
}

pub(super) const fn recovered(failed_s: u64, answered_s: u64) -> Step {
    Edge { in_row: 0, failed_s: Some(failed_s), answered_s: Some(answered_s) }
}

pub(super) struct Stage {
    pub(super) vigil: Vigil,
    rules: VigilRules,
    stored: Memory,
    rhythms: BTreeMap<SourceName, Rhythm>,
}

impl Stage {
    pub(super) fn new(rules: VigilRules) -> Self {
        let vigil = Vigil::new(rules, START_MS, Memory::default(), []);
        Self { vigil, rules, stored: Memory::default(), rhythms: BTreeMap::new() }
    }

    pub(super) fn step(&mut self, at_s: u64, step: Step) -> Vec<Alert> {
        let now_ms = START_MS + at_s * SECOND_MS;
        let alerts = match step {
            Edge { in_row, failed_s, answered_s } => {
                self.vigil.polled(&status(in_row, failed_s, answered_s), now_ms)
            }
            Event(at_s) => {
                let at_ms = START_MS + at_s * SECOND_MS;
                self.vigil.recorded(&amj(), at_ms, at_ms, now_ms)
            }
            Test(at_s) => {
                self.vigil.tested(&amj(), START_MS + at_s * SECOND_MS);
                Vec::new()
            }
            Unreachable => self.vigil.unreachable("connection refused", now_ms),
            Tick => self.vigil.tick(now_ms),
            Restart => {
                let memory = Memory::from_record(&self.stored.to_record()).expect("reads what was stored");
                self.vigil = Vigil::new(self.rules, now_ms, memory, self.rhythms.clone());
                Vec::new()
            }
        };
        let changes = self.vigil.changes();
        assert!(
            alerts.is_empty() || changes.memory.is_some(),
            "an alert is stored with what keeps it single"
        );
        if let Some(memory) = changes.memory {
            self.stored = memory;
        }
        self.rhythms.extend(changes.rhythms);
        alerts
    }
}

pub(super) fn status(in_row: u32, failed_s: Option<u64>, answered_s: Option<u64>) -> Status {
    let ms = |s: u64| START_MS + s * SECOND_MS;
    let tally = Tally {
        failures_in_row: in_row,
        failures: u64::from(in_row),
        last_success_ms: answered_s.map(ms),
        last_failure_ms: failed_s.map(ms),
        last_failure: failed_s.map(|_| "503 no store confirmed".into()),
        tokens_used_ms: vec![],
    };
    let left = Some(3_u32.saturating_sub(in_row));
    let source =
        SourceStatus { source: amj(), profile: "amj".into(), tally, cutoff: Some(3), left, vault: None };
    Status { v: 1, now_ms: START_MS, sources: vec![source], faults: vec![] }
}
