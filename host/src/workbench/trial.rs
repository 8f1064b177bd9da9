//! A plugin asked about events that nobody wrote: the sender's life cycles with everything odd it does, and bodies that
//! were damaged on the way. Holds it to what is true of every plugin: no fault, and the same answer twice. Knows
//! nothing of how an outcome is shown.

use super::Workbench;
use super::case::{self, Outcome};
use super::said::Said;
use super::told::{Request, told};
use std::time::Duration;
use tidegate_sender::life::{Life, LifeOptions, Oddities};
use tidegate_sender::mutate::Mutator;

/// Assets alive at the same time.
const ASSETS: usize = 50;
/// The longest damaged body: most limits of a plugin show with fewer.
const BODY_BYTES_MAX: usize = 64 * 1_024;
/// Failures that are kept: the first show what is wrong.
pub const FAILURES_MAX: usize = 5;

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Events of kinds that the plugin wants, so that it was asked.
    pub asked: u64,
    /// Events of other kinds: a host would not ask.
    pub unwanted: u64,
    /// Answers with decisions.
    pub decided: u64,
    /// Answers without one.
    pub nothing: u64,
    /// Refusals: skipped, to be asked again, or parked.
    pub refused: u64,
    /// Faults, and events with two answers.
    pub failed: u64,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// How long the slowest call took.
    pub slowest: Duration,
    /// The most memory a call had.
    pub memory_bytes_max: usize,
}

/// One event that a plugin failed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its place among the events of this seed, from 0.
    pub number: u64,
    /// The event, as a request's body.
    pub body: Vec<u8>,
    /// A fault, or two answers.
    pub outcome: Outcome,
}

/// Asks about so many events of this seed, each twice in fresh instances. The same seed makes the same events.
#[must_use]
pub fn run(bench: &Workbench, seed: u64, events: u64) -> Trial {
    let mut trial = Trial::default();
    for (number, body) in (0..events).zip(bodies(seed)) {
        let event = told(body.clone(), &Request::default());
        if !bench.plugin().manifest.wants(&event.kind) {
            trial.unwanted += 1;
            continue;
        }
        trial.asked += 1;
        let (one, two) = (case::ask(bench, &event), case::ask(bench, &event));
        trial.slowest = trial.slowest.max(one.took).max(two.took);
        trial.memory_bytes_max =
            trial.memory_bytes_max.max(one.usage.memory_bytes).max(two.usage.memory_bytes);
        match case::agreed(Said::from(&one.answer), Said::from(&two.answer)) {
            Ok(Said::Decisions(decisions)) if decisions.is_empty() => trial.nothing += 1,
            Ok(Said::Decisions(_)) => trial.decided += 1,
            Ok(_) => trial.refused += 1,
            Err(outcome) => {
                trial.failed += 1;
                if trial.failures.len() < FAILURES_MAX {
                    trial.failures.push(Failure { number, body, outcome });
                }
            }
        }
    }
    trial
}

/// Life cycles, and between them what was damaged on the way.
fn bodies(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let life = Life::new(LifeOptions { seed, assets: ASSETS, oddities: Oddities::MANY });
    let damaged = Mutator::new(seed, BODY_BYTES_MAX).map(|request| request.body);
    life.map(|event| event.body.to_vec()).zip(damaged).flat_map(|(whole, damaged)| [whole, damaged])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_bodies_every_time_and_another_seed_makes_others() {
        let some = |seed| bodies(seed).take(100).collect::<Vec<_>>();
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
    }
}
