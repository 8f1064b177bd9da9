//! One event asked about again: what the candidate says, and how that stands to what was said before.

use super::tally::{Difference, Judged, Outcome, Used};
use crate::drift::{self, Drift};
use crate::event::Event;
use crate::fault::Fault;
use crate::fingerprint::Fingerprint;
use crate::plan::{self, PlanRules};
use crate::plugin::Version;
use crate::registry::Active;
use crate::sandbox::{Answer, Call, Question, Sandbox};
use crate::store::past::{Past, PastAsk};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::Instant;

/// Of so many events one is asked of the earlier version though nothing differs: so that its time and memory are known,
/// measured as the candidate's are.
const SAMPLED: u8 = 16;

/// What asks.
pub(super) struct Asking<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) rules: &'a PlanRules,
    pub(super) candidate: &'a Active,
}

/// What the candidate's answers are compared with.
pub(super) struct Against {
    /// The answers of this version.
    pub(super) version: Option<Arc<Active>>,
    /// Else what was recorded: the versions that decided, those that can be asked.
    pub(super) recorded: HashMap<Version, Arc<Active>>,
}

impl Asking<'_> {
    /// What comes of one event.
    pub(super) fn about(&self, past: &Past, against: &Against) -> Judged {
        let mut judged = Judged::default();
        if !self.candidate.manifest.is_for(&past.event) {
            let was_asked = match &against.version {
                Some(version) => version.manifest.is_for(&past.event),
                None => past.asked.is_some(),
            };
            judged.difference = was_asked.then(|| difference(past, Outcome::NotAskedNow, None));
            return judged;
        }
        let (first, used) = self.ask(self.candidate, past);
        let (second, used_again) = self.ask(self.candidate, past);
        judged.candidate = Some(used.least(used_again));
        // What ran out of time on a busy machine has said nothing.
        let answer = match (first, second) {
            (Err(fault), second) if fault.is_passing() => second,
            (first, Err(fault)) if fault.is_passing() => first,
            (first, second) => {
                let drift = drift::compare(&first, &second);
                if drift.kind != drift::Kind::Same {
                    judged.difference = Some(difference(past, Outcome::Impure, Some(drift)));
                    return judged;
                }
                first
            }
        };
        if matches!(answer, Err(Fault::Host(_))) {
            // It could not be asked, which says nothing about it.
            let drift = drift::compare(&Ok(Ok(Vec::new())), &answer);
            judged.difference = Some(difference(past, Outcome::NotReproduced, Some(drift)));
            return judged;
        }
        let print = answer.as_ref().ok().map(Fingerprint::of);
        let answer = self.granted(self.candidate, &past.event, answer);
        judged.difference = match (&against.version, &past.asked) {
            (Some(version), _) => self.against_version(version, past, &answer, &mut judged.base),
            (None, Some(asked)) => {
                self.against_recorded(against, (past, asked), (&answer, print), &mut judged.base)
            }
            (None, None) => Some(unasked(past, &answer)),
        };
        judged
    }

    fn against_version(
        &self,
        version: &Active,
        past: &Past,
        answer: &Answer,
        base: &mut Option<Used>,
    ) -> Option<Difference> {
        if !version.manifest.is_for(&past.event) {
            return Some(unasked(past, answer));
        }
        let (before, used) = self.ask(version, past);
        *base = Some(used);
        differing(past, &self.granted(version, &past.event, before), answer)
    }

    fn against_recorded(
        &self,
        against: &Against,
        (past, asked): (&Past, &PastAsk),
        (answer, print): (&Answer, Option<Fingerprint>),
        base: &mut Option<Used>,
    ) -> Option<Difference> {
        let is_same = asked.is_decided && answer.is_ok() && print.is_some() && print == asked.fingerprint;
        if is_same && !is_sampled(&past.event) {
            return None;
        }
        let Some(version) = against.recorded.get(&asked.version) else {
            return if is_same { None } else { Some(difference(past, Outcome::NotReproduced, None)) };
        };
        let (before, used) = self.ask(version, past);
        *base = Some(used);
        if is_same {
            return None;
        }
        let now = before.as_ref().ok().map(Fingerprint::of);
        // What an older Tidegate recorded as decided has no fingerprint.
        let is_known = asked.fingerprint.is_some() || !asked.is_decided;
        let before = self.granted(version, &past.event, before);
        if is_known && now != asked.fingerprint {
            let drift = drift::compare(&before, answer);
            return Some(difference(past, Outcome::NotReproduced, Some(drift)));
        }
        differing(past, &before, answer)
    }

    fn ask(&self, whom: &Active, past: &Past) -> (Answer, Used) {
        let asked = past.asked.as_ref();
        let question = Question {
            event: &past.event,
            attempt: asked.map_or(1, |asked| asked.attempt),
            settings: &whom.settings,
            memory: asked.and_then(|asked| asked.memory.as_deref()),
        };
        let code = match self.sandbox.load(&whom.code) {
            Ok(code) => code,
            Err(error) => return (Err(Fault::Host(error.to_string())), Used::default()),
        };
        let asked_at = Instant::now();
        let Call { answer, usage, .. } = self.sandbox.call(&code, &question, &whom.limits);
        (answer, Used { took: asked_at.elapsed(), memory_bytes: usage.memory_bytes })
    }

    /// The answer, or the fault that one of its decisions is not granted to the plugin.
    fn granted(&self, whom: &Active, event: &Event, answer: Answer) -> Answer {
        if let Ok(Ok(decisions)) = &answer {
            // Nothing that is granted depends on when: a time to come is cut, and never refused.
            let asking =
                plan::Asking { event, active: whom, rules: self.rules, now_ms: event.received_at_ms };
            for (position, decision) in decisions.iter().enumerate() {
                asking.grant(position, decision)?;
            }
        }
        answer
    }
}

fn is_sampled(event: &Event) -> bool {
    let bytes = event.receipt.to_bytes();
    bytes.last().is_some_and(|last| last % SAMPLED == 0)
}

fn differing(past: &Past, before: &Answer, after: &Answer) -> Option<Difference> {
    let drift = drift::compare(before, after);
    let outcome = Outcome::from(drift.kind);
    (outcome != Outcome::Same).then(|| difference(past, outcome, Some(drift)))
}

/// The plugin was never asked about it: all that the candidate decides is new.
fn unasked(past: &Past, answer: &Answer) -> Difference {
    let drift = drift::compare(&Ok(Ok(Vec::new())), answer);
    let outcome = match drift.kind {
        drift::Kind::NewFault => Outcome::NewFault,
        _ => Outcome::NotAskedBefore,
    };
    difference(past, outcome, Some(drift))
}

fn difference(past: &Past, outcome: Outcome, drift: Option<Drift>) -> Difference {
    let Past { event, asked, .. } = past;
    Difference {
        outcome,
        receipt: event.receipt,
        source: event.source.clone(),
        event_kind: event.kind.clone(),
        subject: event.subject.clone(),
        received_at_ms: event.received_at_ms,
        version: asked.as_ref().map(|asked| asked.version.clone()),
        drift,
    }
}
