//! Which sources were heard of lately. Written once per batch of events, read by who watches the sources: the
//! pipeline never waits for a watcher.

use crate::store::Recorded;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tidegate_envelope::SourceName;

/// From when to when the edge accepted a source's events, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The earliest.
    pub first_ms: u64,
    /// The latest.
    pub last_ms: u64,
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
    fn with(self, other: Self) -> Self {
        Self { first_ms: self.first_ms.min(other.first_ms), last_ms: self.last_ms.max(other.last_ms) }
    }
}

/// The spans of these events, one per source. A batch has few sources: they are looked for one by one.
#[must_use]
pub fn spans(events: &[Recorded]) -> Vec<(SourceName, Span)> {
    let mut spans: Vec<(SourceName, Span)> = Vec::new();
    for Recorded { event, .. } in events {
        let span = Span { first_ms: event.received_at_ms, last_ms: event.received_at_ms };
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
        let span = |first_ms, last_ms| Span { first_ms, last_ms };
        let heard = Heard::default();
        heard.note(vec![(source("amj"), span(5, 9))]);
        heard.note(vec![(source("amj"), span(3, 4)), (source("gh"), span(7, 7))]);
        let mut taken = heard.take();
        taken.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(taken, [(source("amj"), span(3, 9)), (source("gh"), span(7, 7))]);
        assert!(heard.take().is_empty());
    }
}
