//! Whether what was acknowledged is what was decided or parked, and whether the target was told each thing once. Pure.

use crate::target::Target;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use tidegate::store::EventRow;
use tidegate_envelope::Receipt;

/// What the run came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    acknowledged: usize,
    by_state: BTreeMap<String, usize>,
    by_class: BTreeMap<String, usize>,
    effects: usize,
    requests: usize,
    failed: usize,
    kills: usize,
    lost: Vec<String>,
    doubled: Vec<String>,
    /// Of assets that were decided about out of order, or from what was so no longer.
    disordered: Vec<String>,
}

/// Whether all that can happen by itself has: what still waits stands behind something parked.
pub(crate) fn is_over(events: &[EventRow]) -> bool {
    let is_waiting = |event: &EventRow| event.plans.iter().any(|plan| plan.state == "waiting");
    let is_due = |event: &EventRow| event.effects.iter().any(|effect| effect.state == "waiting");
    !events.iter().any(|event| is_waiting(event) || is_due(event))
}

pub(crate) fn judge(
    seen: &HashMap<Receipt, u64>,
    events: &[EventRow],
    target: &Target,
    kills: usize,
) -> Report {
    let mut report = Report { acknowledged: seen.len(), kills, ..Report::default() };
    let rows: HashMap<_, _> = events.iter().map(|event| (event.receipt, event)).collect();
    if rows.len() < events.len() {
        report.doubled.push("an event is recorded twice".to_owned());
    }
    for receipt in seen.keys().filter(|receipt| !rows.contains_key(receipt)) {
        report.lost.push(format!("{receipt} was acknowledged and is not recorded"));
    }
    let mut told = HashSet::new();
    for event in events {
        let state = if event.plans.iter().any(|plan| plan.state == "held") { "held" } else { &event.state };
        *report.by_state.entry(state.to_owned()).or_default() += 1;
        *report.by_class.entry(event.class.clone()).or_default() += 1;
        report.check(event, target, &mut told);
    }
    report.check_lanes(events);
    target.read(|book| {
        (report.requests, report.failed) = (book.requests, book.failed);
        for (receipt, keys) in &book.taken {
            if !told.contains(receipt) {
                report.doubled.push(format!("the target was told of {receipt}, which was not decided"));
            }
            if keys.len() > 1 {
                report.doubled.push(format!("the target was told of {receipt} under {} keys", keys.len()));
            }
        }
    });
    report
}

impl Report {
    fn check(&mut self, event: &EventRow, target: &Target, told: &mut HashSet<String>) {
        let receipt = event.receipt.to_string();
        let asked = usize::from(event.class == "first");
        if event.plans.len() != asked {
            self.doubled.push(format!("{receipt}, {}, has {} plans", event.class, event.plans.len()));
        }
        let decided = event.plans.iter().filter(|plan| plan.state == "decided").count();
        if event.effects.len() != decided {
            self.lost.push(format!("{receipt}: {decided} decided, {} effects", event.effects.len()));
        }
        for effect in &event.effects {
            self.effects += 1;
            told.insert(receipt.clone());
            let times = target.read(|book| book.taken.get(&receipt)?.get(&effect.key).copied());
            if times.is_none() || effect.state != "done" {
                self.lost.push(format!("{receipt}: its effect is {}, told {times:?} times", effect.state));
            }
        }
    }

    /// The plugin counts, in what it remembers of an asset, how often it decided about it, and notes the number: in the order of
    /// arrival each is one more than the one before.
    fn check_lanes(&mut self, events: &[EventRow]) {
        let mut lanes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in events {
            for plan in event.plans.iter().filter(|plan| plan.state == "decided") {
                let number =
                    plan.notes.iter().find_map(|note| note.strip_prefix("count ")?.parse::<usize>().ok());
                lanes.entry((&event.source, &event.subject)).or_default().push((event.cursor, number));
            }
        }
        for ((source, subject), mut numbers) in lanes {
            numbers.sort_unstable();
            let numbers: Vec<_> = numbers.into_iter().map(|(_, number)| number).collect();
            if !numbers.iter().copied().eq((1..=numbers.len()).map(Some)) {
                self.disordered.push(format!("{source}/{subject} was decided in this order: {numbers:?}"));
            }
        }
    }

    fn recorded(&self) -> usize {
        self.by_state.values().sum()
    }

    /// How many were decided, parked, and held behind what is parked.
    fn ends(&self) -> (usize, usize, usize) {
        let count = |state: &str| self.by_state.get(state).copied().unwrap_or(0);
        (count("decided"), count("parked"), count("held"))
    }

    pub(crate) fn is_right(&self) -> bool {
        let (decided, parked, held) = self.ends();
        let is_right = self.lost.is_empty() && self.doubled.is_empty() && self.disordered.is_empty();
        is_right && self.recorded() == decided + parked + held
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (recorded, (decided, parked, held)) = (self.recorded(), self.ends());
        writeln!(f, "the host was killed {} times", self.kills)?;
        writeln!(
            f,
            "acknowledged {}; recorded {recorded} = decided {decided} + parked {parked} + held behind those {held}",
            self.acknowledged
        )?;
        let classes: Vec<_> = self.by_class.iter().map(|(class, count)| format!("{class} {count}")).collect();
        writeln!(f, "as they arrived: {}", classes.join(", "))?;
        writeln!(
            f,
            "effects {}; the target answered {} requests and failed {} of them",
            self.effects, self.requests, self.failed
        )?;
        for what in self.lost.iter().chain(&self.doubled).chain(&self.disordered).take(20) {
            writeln!(f, "  {what}")?;
        }
        let word = if self.is_right() { "ok" } else { "FAILED" };
        let (lost, doubled, disordered) = (self.lost.len(), self.doubled.len(), self.disordered.len());
        writeln!(f, "lost {lost}, doubled {doubled}, lanes out of order {disordered}: {word}")
    }
}
