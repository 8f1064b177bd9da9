//! Whether what the host recorded is what the sender was promised. Pure.

use crate::course::Seen;
use std::collections::{BTreeMap, HashMap, HashSet};
use tidegate::store::EventRow;
use tidegate_envelope::Receipt;

/// What is wrong with the events, in words; nothing when each acknowledged receipt is recorded and each distinct
/// event was decided once. Gives the number of distinct events decided, too.
pub(crate) fn judge(seen: &Seen, events: &[EventRow]) -> (usize, Vec<String>) {
    let mut faults = Faults::default();
    let mut rows = HashMap::new();
    for event in events {
        if rows.insert(event.receipt, event).is_some() {
            faults.add("recorded twice", event.receipt);
        }
        if event.state != "decided" {
            faults.add(&format!("left {}", event.state), event.receipt);
        }
    }
    for receipt in &seen.given_twice {
        faults.add("given for two requests", *receipt);
    }
    // The one event of each number that was decided, and the number of each event that was.
    let (mut decided, mut numbers) = (HashMap::new(), HashMap::new());
    for (receipt, number) in &seen.acked {
        let Some(event) = rows.get(receipt) else {
            faults.add("acknowledged and lost", *receipt);
            continue;
        };
        let first = event.duplicate_of.unwrap_or(event.receipt);
        if *decided.entry(*number).or_insert(first) != first {
            faults.add("decided though the same bytes were decided under another receipt", first);
        }
        if *numbers.entry(first).or_insert(*number) != *number {
            faults.add("taken for a duplicate of other bytes", *receipt);
        }
    }
    for event in events {
        check_class(event, &rows, &mut faults);
    }
    // Only a request that was kept and whose answer was lost makes an event that nobody was told of.
    let untold = events.iter().filter(|event| !seen.acked.contains_key(&event.receipt)).count();
    if untold > seen.refused.len() {
        faults.lines.push(format!("{untold} events are recorded that nobody was given a receipt for"));
    }
    let firsts = events.iter().filter(|event| event.class == "first").count();
    (firsts, faults.lines())
}

/// A first event causes each of its effects once; a duplicate causes nothing and points at what it repeats; what came late
/// causes nothing either, as the plugin did not ask for it.
fn check_class(event: &EventRow, rows: &HashMap<Receipt, &EventRow>, faults: &mut Faults) {
    let receipt = event.receipt;
    match (event.class.as_str(), event.duplicate_of) {
        ("first", None) => {
            let keys: HashSet<_> = event.effects.iter().map(|effect| &effect.key).collect();
            if event.plans.len() > 1 || keys.len() < event.effects.len() {
                faults.add("decided more than once", receipt);
            }
            if event.effects.iter().any(|effect| effect.state != "done") {
                faults.add("left with an effect that is not done", receipt);
            }
        }
        ("duplicate", Some(of)) => {
            if rows.get(&of).is_none_or(|original| original.class == "duplicate") {
                faults.add("a duplicate of nothing", receipt);
            }
            if !event.plans.is_empty() || !event.effects.is_empty() {
                faults.add("a duplicate that was decided", receipt);
            }
        }
        ("stale" | "conflict" | "after-delete", None) => {
            if !event.plans.is_empty() || !event.effects.is_empty() {
                faults.add("came late and was decided", receipt);
            }
        }
        _ => faults.add("of no known class", receipt),
    }
}

/// What is wrong, counted by its kind, with one receipt as an example.
#[derive(Default)]
struct Faults {
    by_kind: BTreeMap<String, (usize, Option<Receipt>)>,
    lines: Vec<String>,
}

impl Faults {
    fn add(&mut self, kind: &str, receipt: Receipt) {
        let (count, example) = self.by_kind.entry(kind.to_owned()).or_default();
        *count += 1;
        example.get_or_insert(receipt);
    }

    fn lines(self) -> Vec<String> {
        let kinds = self.by_kind.into_iter().map(|(kind, (count, example))| {
            let example = example.map(|receipt| receipt.to_string()).unwrap_or_default();
            format!("{count} receipts are {kind}, for example {example}")
        });
        kinds.chain(self.lines).collect()
    }
}

#[cfg(test)]
mod tests;
