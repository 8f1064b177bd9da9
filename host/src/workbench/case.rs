//! A plugin's own cases: `events/NAME.json` and what is expected of it in `expected/NAME.json`. Knows nothing of
//! how an outcome is shown.

use super::said::{FaultSaid, Said};
use super::told::{Request, told};
use super::{Measured, Workbench};
use crate::event::Event;
use crate::log::Log;
use anyhow::{Context as _, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The directory of events, each a request's body.
pub const EVENTS: &str = "events";
/// The directory of what is expected of them.
pub const EXPECTED: &str = "expected";

/// Times a call is made that ends in a fault which may pass, as a host would make it again: the machine may be busy.
const ASKS_MAX: usize = 3;

/// One event's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The file's name without `.json`.
    pub name: String,
    /// Where the event is.
    pub event: PathBuf,
    /// Where what is expected is, or would be.
    pub expected: PathBuf,
}

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Same,
    /// What was said is now what is expected.
    Written,
    /// Nothing is expected yet.
    Missing {
        /// What was said, as its file would be.
        said: String,
    },
    /// Something else is expected.
    Differs {
        /// What is expected, in the same form as `said`.
        expected: String,
        /// What was said.
        said: String,
    },
    /// Asked twice, it said two things.
    Impure {
        /// What it said at first.
        first: String,
        /// What it said then.
        second: String,
    },
    /// It broke a limit or the contract. That is never expected.
    Fault(FaultSaid),
}

/// One case's outcome, and what it cost.
#[derive(Clone, Debug)]
pub struct Tried {
    /// How it went.
    pub outcome: Outcome,
    /// How long the slower of the two calls took.
    pub took: Duration,
    /// The most memory one of them had.
    pub memory_bytes: usize,
    /// What it wrote in the first call.
    pub log: Log,
}

/// The cases of the plugin in this directory, by name.
///
/// # Errors
/// When there are none, or a file is expected of no event.
pub fn find(dir: &Path) -> anyhow::Result<Vec<Case>> {
    let (events, expected) = (dir.join(EVENTS), dir.join(EXPECTED));
    let names = names(&events)?;
    ensure!(
        !names.is_empty(),
        "there are no events in {}: save a request's body there, as NAME.json",
        events.display()
    );
    for name in self::names(&expected)? {
        ensure!(
            names.contains(&name),
            "{EXPECTED}/{name}.json is expected of no event: there is no {EVENTS}/{name}.json; remove it, or add the event"
        );
    }
    let case = |name: String| Case {
        event: events.join(format!("{name}.json")),
        expected: expected.join(format!("{name}.json")),
        name,
    };
    Ok(names.into_iter().map(case).collect())
}

/// The names of the directory's `.json` files, sorted; none when there is no such directory.
fn names(dir: &Path) -> anyhow::Result<Vec<String>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let path = entry.with_context(|| format!("list {}", dir.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap_or_default().to_str();
            names.push(name.with_context(|| format!("read the name of {}", path.display()))?.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

impl Case {
    /// The event of its file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn event(&self) -> anyhow::Result<Event> {
        let body = fs::read(&self.event).with_context(|| format!("read {}", self.event.display()))?;
        Ok(told(body, &Request::default()))
    }

    /// Asks the plugin twice and compares with what is expected; with `update`, what it said becomes that.
    ///
    /// # Errors
    /// When a file cannot be read or written, or what is expected is no answer.
    pub fn attempt(&self, bench: &Workbench, update: Update) -> anyhow::Result<Tried> {
        let event = self.event()?;
        let (one, two) = (ask(bench, &event), ask(bench, &event));
        let outcome = match agreed(Said::from(&one.answer), Said::from(&two.answer)) {
            Ok(said) => self.compare(&said, update)?,
            Err(outcome) => outcome,
        };
        let memory_bytes = one.usage.memory_bytes.max(two.usage.memory_bytes);
        Ok(Tried { outcome, took: one.took.max(two.took), memory_bytes, log: one.log })
    }

    fn compare(&self, said: &Said, update: Update) -> anyhow::Result<Outcome> {
        let expected = match fs::read_to_string(&self.expected) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("read {}", self.expected.display())),
        };
        let read = expected.map(|text| serde_json::from_str::<Said>(&text));
        if let Some(Ok(expected)) = &read
            && expected == said
        {
            return Ok(Outcome::Same);
        }
        if update == Update::Write {
            self.write(said)?;
            return Ok(Outcome::Written);
        }
        let expected = read
            .transpose()
            .with_context(|| format!("read {} (`--update` writes it anew)", self.expected.display()))?;
        let said = said.to_pretty();
        Ok(match expected {
            Some(expected) => Outcome::Differs { expected: expected.to_pretty(), said },
            None => Outcome::Missing { said },
        })
    }

    fn write(&self, said: &Said) -> anyhow::Result<()> {
        if let Some(dir) = self.expected.parent() {
            fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        }
        fs::write(&self.expected, said.to_pretty())
            .with_context(|| format!("write {}", self.expected.display()))
    }
}

/// What was said both times.
///
/// # Errors
/// The outcome, when that was a fault or two things.
pub(super) fn agreed(first: Said, second: Said) -> Result<Said, Outcome> {
    match (first, second) {
        (Said::Fault(fault), _) | (_, Said::Fault(fault)) => Err(Outcome::Fault(fault)),
        (first, second) if first == second => Ok(first),
        (first, second) => Err(Outcome::Impure { first: first.to_pretty(), second: second.to_pretty() }),
    }
}

/// Asks, and again after a fault that may pass.
pub(super) fn ask(bench: &Workbench, event: &Event) -> Measured {
    let mut measured = bench.ask(event);
    for _ in 1..ASKS_MAX {
        match &measured.answer {
            Err(fault) if fault.is_passing() => measured = bench.ask(event),
            _ => break,
        }
    }
    measured
}

/// Whether what was said becomes what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Compare.
    Compare,
    /// Write what differs.
    Write,
}

impl Outcome {
    /// Whether the case passes.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Same | Self::Written)
    }

    /// Its name in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Written => "written",
            Self::Missing { .. } => "missing",
            Self::Differs { .. } => "differs",
            Self::Impure { .. } => "impure",
            Self::Fault(_) => "fault",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::said::Refusal;

    #[test]
    fn two_answers_to_one_event_are_impure_and_a_fault_is_no_answer() {
        // No guest can do this while the sandbox keeps its word; the test of it must not depend on one that does not.
        let skip = Said::Refusal(Refusal::Skip);
        let fault = FaultSaid { name: "trap".into(), text: "t".into(), functions: Vec::new() };
        assert_eq!(agreed(skip.clone(), skip.clone()), Ok(skip.clone()));
        let other = agreed(skip.clone(), Said::Decisions(Vec::new())).expect_err("two answers");
        assert!(matches!(&other, Outcome::Impure { first, .. } if first.contains("skip")), "{other:?}");
        for (first, second) in
            [(skip.clone(), Said::Fault(fault.clone())), (Said::Fault(fault.clone()), skip)]
        {
            let outcome = agreed(first, second).expect_err("a fault");
            assert_eq!(outcome, Outcome::Fault(fault.clone()));
            assert!(!outcome.is_good() && !other.is_good());
        }
    }
}
