//! What a plugin is told. Knows nothing of queues, stores or wasm.

use crate::change;
use crate::finding::Finding;
use crate::partition::Partition;
use crate::plugin::PluginName;
use crate::trace::TraceParent;
use compact_str::CompactString;
use std::sync::Arc;
use tidegate_envelope::{Digest, Receipt, SourceName};

/// One accepted request, read: an event as the host and its plugins speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The id of what was accepted.
    pub receipt: Receipt,
    /// Which sender it came from.
    pub source: SourceName,
    /// What happened, in the sender's words (`asset.update`); empty when the body does not say.
    pub kind: String,
    /// What it is about: the asset's id as text; empty when the body does not say.
    pub subject: String,
    /// When the edge accepted it, in milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// When the sender says it happened, in microseconds since the Unix epoch: it writes that many digits, and two
    /// changes may be less than a millisecond apart.
    pub occurred_at_us: Option<u64>,
    /// How this delivery stands to those before it.
    pub arrival: Arrival,
    /// The request's content type.
    pub content_type: Option<String>,
    /// The SHA-256 of `body`.
    pub sha256: Digest,
    /// The raw bytes, exactly as sent.
    pub body: Vec<u8>,
    /// The body as JSON text, without what only some readers would understand; `None` when it is not JSON.
    pub json: Option<Arc<str>>,
    /// A typed view of the body, when it is a JSON object.
    pub asset: Option<Asset>,
    /// What is odd about the request.
    pub findings: Vec<Finding>,
    /// The subject's snapshot when the event arrived; `None` when none is kept.
    pub previous: Option<Snapshot>,
    /// JSON pointers (RFC 6901) to what differs from `previous`.
    pub changed: Vec<String>,
    /// What the host has to say beside the body, by name; `wit/README.md` lists the names.
    pub attributes: Vec<(String, String)>,
    /// Why there is this event, when a plugin caused it.
    pub cause: Option<Cause>,
    /// Where its sender has it in a trace of its own, when traces are told. No plugin is told of it.
    pub trace: Option<TraceParent>,
}

impl Event {
    /// Who holds this decides about it.
    #[must_use]
    pub fn partition(&self) -> Partition {
        let cause = self.cause.as_ref().map(|cause| cause.receipt);
        Partition::of_event(&self.subject, cause, &self.sha256)
    }

    /// When the sender says it happened, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn occurred_at_ms(&self) -> Option<u64> {
        self.occurred_at_us.map(|at_us| at_us / 1_000)
    }

    /// Takes note of what its subject was before, and what differs. The body of an event that a plugin caused is no state
    /// of the subject, so nothing differs in it.
    pub fn come_after(&mut self, previous: Snapshot) {
        self.changed = match (&self.cause, &self.json) {
            (None, Some(json)) => change::changed(&previous.json, json),
            _ => Vec::new(),
        };
        self.previous = Some(previous);
    }
}

/// The last known state of a subject. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The event that it is.
    pub receipt: Receipt,
    /// Its body as JSON text.
    pub json: Arc<str>,
}

/// What an event that a plugin caused came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The event that was decided.
    pub receipt: Receipt,
    /// How many causes stand before this event: 1 for what an event of the sender led to.
    pub depth: u32,
    /// The one plugin it is for; `None` when it is for all that want its kind.
    pub audience: Option<PluginName>,
}

/// How a delivery stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Not seen before.
    First,
    /// The same bytes from the same source as the event with this receipt: nobody is asked again.
    Duplicate(Receipt),
    /// Older than what is known of the subject.
    Stale,
    /// Claims to be the event that is known last, with other bytes.
    Conflict,
    /// About a subject that was deleted.
    AfterDelete,
    /// Tells of nothing but what an effect of ours wrote.
    Echo,
}

impl Arrival {
    /// The word for it, in the contract and on every list.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Duplicate(_) => "duplicate",
            Self::Stale => "stale",
            Self::Conflict => "conflict",
            Self::AfterDelete => "after-delete",
            Self::Echo => "echo",
        }
    }

    /// The other way, but for a duplicate: its word does not say of what.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let all = [Self::First, Self::Stale, Self::Conflict, Self::AfterDelete, Self::Echo];
        all.into_iter().find(|arrival| arrival.name() == word)
    }
}

/// A typed view of an asset event's body. The sender promises no field, so each may be absent. What is mostly short is kept
/// without an allocation of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asset {
    /// The asset's id as text, whatever JSON type it had.
    pub id: Option<CompactString>,
    /// The asset's name.
    pub name: Option<CompactString>,
    /// The asset's type.
    pub asset_type: Option<Reference>,
    /// Where it is.
    pub location: Option<Reference>,
    /// Who has it on loan.
    pub loanee: Option<Reference>,
    /// As the sender wrote it.
    pub created_at: Option<CompactString>,
    /// As the sender wrote it.
    pub updated_at: Option<CompactString>,
    /// The sender's custom fields: their JSON text, untouched.
    pub field_values: Option<String>,
}

/// A thing the asset points at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// The sender's id as text, whatever JSON type it had.
    pub id: Option<CompactString>,
    /// Its name.
    pub name: Option<CompactString>,
}
