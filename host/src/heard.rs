//! Which sources were heard of lately. Written once per batch of events, read by who watches the sources: the
//! pipeline never waits for a watcher.

use crate::event::Event;
use crate::store::Recorded;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidegate_envelope::SourceName;

/// How the name of the asset in an event of `tidegate source test` begins; its id is 0.
pub const TEST_NAME: &str = "Tidegate test";

/// What was heard of a source. All times are the edge's, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When the earliest and the latest of its sender's events were accepted.
    pub events: Option<(u64, u64)>,
    /// When the latest test was: it came from the operator, so it says nothing of the sender.
    pub tested_ms: Option<u64>,
}

/// The sources heard of since this was last asked: one span for each, so as many as there are sources.
#[derive(Debug, Default)]
pub struct Heard(Mutex<HashMap<SourceName, Span>>);

impl Heard {
    /// Takes note of a batch that was recorded. Called once per batch.
    pub fn note(&self, spans: Vec<(SourceName, Span)>) {
        let mut heard = self.lock();
        for (source, span) in spans {
            heard.entry(source).and_modify(|known| *known = known.with(span)).or_insert(span);
        }
    }

    /// What was heard since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<(SourceName, Span)> {
        self.lock().drain().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SourceName, Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Span {
    fn of(event: &Event) -> Self {
        let at_ms = event.received_at_ms;
        let name = event.asset.as_ref().and_then(|asset| asset.name.as_deref()).unwrap_or_default();
        if event.subject == "0" && name.starts_with(TEST_NAME) {
            Self { events: None, tested_ms: Some(at_ms) }
        } else {
            Self { events: Some((at_ms, at_ms)), tested_ms: None }
        }
    }

    fn with(self, other: Self) -> Self {
        let events = match (self.events, other.events) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (one, other) => one.or(other),
        };
        Self { events, tested_ms: self.tested_ms.max(other.tested_ms) }
    }
}

/// The spans of these events, one per source. A batch has few sources: they are looked for one by one.
#[must_use]
pub fn spans(events: &[Recorded]) -> Vec<(SourceName, Span)> {
    let mut spans: Vec<(SourceName, Span)> = Vec::new();
    // What a plugin caused is no sign of life of the sender.
    for Recorded { event, .. } in events.iter().filter(|recorded| recorded.event.cause.is_none()) {
        let span = Span::of(event);
        match spans.iter_mut().find(|(source, _)| *source == event.source) {
            Some((_, known)) => *known = known.with(span),
            None => spans.push((event.source.clone(), span)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_batches_grow_together_until_they_are_taken() {
        let source = |name| SourceName::new(name).expect("a valid name");
        let span = |first_ms, last_ms| Span { events: Some((first_ms, last_ms)), tested_ms: None };
        let test = Span { events: None, tested_ms: Some(12) };
        let heard = Heard::default();
        heard.note(vec![(source("amj"), span(5, 9))]);
        heard.note(vec![(source("amj"), test)]);
        heard.note(vec![(source("amj"), span(3, 4)), (source("gh"), span(7, 7))]);
        let mut taken = heard.take();
        taken.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            taken,
            [(source("amj"), Span { tested_ms: Some(12), ..span(3, 9) }), (source("gh"), span(7, 7))]
        );
        assert!(heard.take().is_empty());
    }
}
