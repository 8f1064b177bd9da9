//! Which trace an event belongs to, and what of its way is told in it. Pure: all that is told was recorded before, so a span
//! is made afterwards, from what is known; ids follow from receipts, so that what happens later - after a restart, too -
//! finds its place.

mod attribute;
mod context;
mod span;
#[cfg(test)]
mod tests;

pub(crate) use attribute::text;
pub use context::{Context, Sampling, TraceParent};
pub use span::spans;

use crate::effect::{Effect, EffectKey};
use crate::event::Event;
use crate::executor::Outcome;
use crate::fault::Trouble;
use crate::plan::{Plan, Verdict};
use crate::plugin::{PluginName, Version};
use crate::store::{EffectState, Recorded, Replan};
use tidegate_envelope::{Receipt, SourceName};

/// Something that is told in a trace. All times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// An event was decided and recorded.
    Passage(Box<Passage>),
    /// A plugin was asked about an event that was recorded before.
    Revisit(Box<Revisit>),
    /// An effect was attempted.
    Attempted(Box<Attempted>),
}

/// The way of an event from the edge to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    about: About,
    class: &'static str,
    /// The event that led to it, if it is the host's own.
    cause: Option<Receipt>,
    received_at_ms: u64,
    queued_at_ms: u64,
    pulled_at_ms: u64,
    decided_at_ms: u64,
    recorded_at_ms: u64,
    asks: Vec<Asked>,
}

/// A later question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revisit {
    about: About,
    asked: Asked,
    decided_at_ms: u64,
    recorded_at_ms: u64,
}

/// An attempt at an effect, under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    context: Context,
    key: EffectKey,
    /// Which attempt, from 1.
    number: u32,
    method: String,
    /// Scheme, host and port: a path may hold what is nobody's business.
    target: String,
    from_ms: u64,
}

/// An attempt at an effect that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    attempt: Attempt,
    /// What the target answered, if it took it.
    status: Option<u16>,
    /// What happened, for people.
    what: String,
    state: EffectState,
    to_ms: u64,
}

/// Which event something is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct About {
    context: Context,
    receipt: Receipt,
    source: SourceName,
    kind: String,
    subject: String,
}

/// What a plugin was asked, and what came of it. What it said itself may be about a person, and is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    plugin: PluginName,
    version: Version,
    attempt: u32,
    took_us: u64,
    came_to: &'static str,
    trouble: Option<&'static str>,
    effects: usize,
}

impl Passage {
    /// What is told of an event that is about to be recorded; when it was, is not known yet.
    #[must_use]
    pub fn of(recorded: &Recorded, context: Context) -> Self {
        let Recorded { event, queued_at_ms, pulled_at_ms, decided_at_ms, plans, .. } = recorded;
        Self {
            about: About::of(event, context),
            class: event.arrival.name(),
            cause: event.cause.as_ref().map(|cause| cause.receipt),
            received_at_ms: event.received_at_ms,
            queued_at_ms: *queued_at_ms,
            pulled_at_ms: *pulled_at_ms,
            decided_at_ms: *decided_at_ms,
            recorded_at_ms: *decided_at_ms,
            asks: plans.iter().filter_map(Asked::of).collect(),
        }
    }
}

impl Revisit {
    /// What is told of a later plan of this event, which is about to be recorded; `None` when nobody was asked.
    #[must_use]
    pub fn of(event: &Event, replan: &Replan, context: Context) -> Option<Self> {
        Some(Self {
            about: About::of(event, context),
            asked: Asked::of(&replan.plan)?,
            decided_at_ms: replan.decided_at_ms,
            recorded_at_ms: replan.decided_at_ms,
        })
    }
}

impl Told {
    /// The same, durable since this time.
    #[must_use]
    pub fn recorded(mut self, at_ms: u64) -> Self {
        match &mut self {
            Self::Passage(passage) => passage.recorded_at_ms = at_ms,
            Self::Revisit(revisit) => revisit.recorded_at_ms = at_ms,
            Self::Attempted(_) => {}
        }
        self
    }
}

impl Attempt {
    /// An attempt at this effect that begins now.
    #[must_use]
    pub fn begin(effect: &Effect, number: u32, context: Context, now_ms: u64) -> Self {
        let request = effect.request();
        Self {
            context,
            key: effect.key().clone(),
            number,
            method: request.method().to_string(),
            target: request.target().to_string(),
            from_ms: now_ms,
        }
    }

    /// The header that tells the target its place in the trace
    /// (<https://www.w3.org/TR/trace-context/#traceparent-header>).
    #[must_use]
    pub fn traceparent(&self) -> String {
        self.context.traceparent(span::of_attempt(&self.key, self.number))
    }

    /// Its end: what it gave, and what becomes of the effect.
    #[must_use]
    pub fn end(self, outcome: &Outcome, state: EffectState, now_ms: u64) -> Told {
        let (status, what) = match outcome {
            Outcome::Done { status, .. } => (Some(*status), String::new()),
            Outcome::Failed { what, .. } => (None, what.clone()),
        };
        Told::Attempted(Box::new(Attempted { attempt: self, status, what, state, to_ms: now_ms }))
    }
}

impl About {
    fn of(event: &Event, context: Context) -> Self {
        let Event { receipt, source, kind, subject, .. } = event;
        Self {
            context,
            receipt: *receipt,
            source: source.clone(),
            kind: kind.clone(),
            subject: subject.clone(),
        }
    }
}

impl Asked {
    /// `None` of a plugin that was not asked.
    fn of(plan: &Plan) -> Option<Self> {
        let trouble = |why: &str| Trouble::in_reason(why).map_or("plugin", Trouble::name);
        let (came_to, trouble, effects) = match &plan.verdict {
            Verdict::Decided(decided) => ("decided", None, decided.effects.len()),
            Verdict::Skipped => ("skipped", None, 0),
            Verdict::Waiting { why, .. } => ("waiting", Some(trouble(why)), 0),
            Verdict::Held => ("held", None, 0),
            Verdict::Parked { why, .. } => ("parked", Some(trouble(why)), 0),
        };
        let asked = Self {
            plugin: plan.plugin.clone(),
            version: plan.version.clone(),
            attempt: plan.attempt,
            took_us: plan.asked_us,
            came_to,
            trouble,
            effects,
        };
        (plan.attempt > 0).then_some(asked)
    }
}
