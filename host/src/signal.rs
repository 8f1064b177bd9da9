//! What the parts of the host tell whoever watches it: counts, and the events whose traces are sampled. Telling never waits:
//! what there is no room for is dropped, and counted.

use crate::event::Event;
use crate::metric::count::{BatchCounts, Counts};
use crate::store::outbox::DueEffect;
use crate::store::{Batch, Recorded, Replan};
use crate::trace::{Attempt, Context, Passage, Revisit, Sampling, Told};
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

/// Events and attempts that wait to be told to the collector: some megabytes.
pub const TOLD_MAX: usize = 20_000;

/// What is told. One per host, shared by its parts. Without an exporter nothing is told in traces, and it costs nothing.
#[derive(Debug, Default)]
pub struct Signals {
    /// What is counted.
    pub counts: Counts,
    traces: Option<(Sampling, mpsc::Sender<Told>)>,
}

/// What is told of a batch once it is durable.
#[derive(Debug, Default)]
pub struct BatchSignals {
    counts: BatchCounts,
    told: Vec<Told>,
}

impl Signals {
    /// Signals with traces, of which so many are sampled; and what is told in them.
    #[must_use]
    pub fn with_traces(sampling: Sampling) -> (Self, mpsc::Receiver<Told>) {
        let (sender, told) = mpsc::channel(TOLD_MAX);
        (Self { counts: Counts::default(), traces: Some((sampling, sender)) }, told)
    }

    /// Whether there are traces: else nobody needs to know what the sender's is.
    #[must_use]
    pub const fn has_traces(&self) -> bool {
        self.traces.is_some()
    }

    /// What is told of a batch; made before it is handed over. Called once per batch.
    #[must_use]
    pub fn of_batch(&self, batch: &Batch) -> BatchSignals {
        let passage = |recorded: &Recorded| {
            let context = self.context(&recorded.event)?;
            Some(Told::Passage(Box::new(Passage::of(recorded, context))))
        };
        let told =
            if self.has_traces() { batch.events.iter().filter_map(passage).collect() } else { Vec::new() };
        BatchSignals { counts: BatchCounts::of(&batch.events), told }
    }

    /// What is told of an event whose plugin was asked later.
    #[must_use]
    pub fn of_replan(&self, event: &Event, replan: &Replan) -> Option<Told> {
        let context = self.context(event)?;
        Some(Told::Revisit(Box::new(Revisit::of(event, replan, context)?)))
    }

    /// Tells of a batch that is durable since this time, in milliseconds since the Unix epoch.
    pub fn committed(&self, batch: BatchSignals, at_ms: u64) {
        self.counts.committed(&batch.counts, at_ms);
        self.recorded(batch.told, at_ms);
    }

    /// Tells what is durable since this time, in milliseconds since the Unix epoch.
    pub fn recorded(&self, told: Vec<Told>, at_ms: u64) {
        self.tell(told.into_iter().map(|told| told.recorded(at_ms)));
    }

    /// An attempt at an effect that begins now; `None` when its trace is not told.
    #[must_use]
    pub fn attempt(&self, due: &DueEffect, attempt: u32, now_ms: u64) -> Option<Attempt> {
        let (sampling, _) = self.traces.as_ref()?;
        let (receipt, parent) = (due.effect.key().receipt(), due.trace.as_ref());
        sampling
            .takes(receipt, parent)
            .then(|| Attempt::begin(&due.effect, attempt, Context::of(receipt, parent), now_ms))
    }

    /// Tells these, as far as there is room for them.
    pub fn tell(&self, told: impl ExactSizeIterator<Item = Told>) {
        let (Some((_, sender)), 1..) = (&self.traces, told.len()) else { return };
        let count = told.len();
        match sender.try_reserve_many(count) {
            Ok(places) => places.zip(told).for_each(|(place, told)| place.send(told)),
            Err(_) => self.dropped(count),
        }
    }

    /// Counts what was told and reached nobody.
    pub fn dropped(&self, count: usize) {
        self.counts.untold.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The trace of an event; `None` when it is not told.
    fn context(&self, event: &Event) -> Option<Context> {
        let (sampling, _) = self.traces.as_ref()?;
        let parent = event.trace.as_ref();
        sampling.takes(event.receipt, parent).then(|| Context::of(event.receipt, parent))
    }
}
