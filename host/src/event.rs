//! What a plugin is told. Knows nothing of queues, stores or wasm.

use crate::finding::Finding;
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
    /// When the sender says it happened, in milliseconds since the Unix epoch.
    pub occurred_at_ms: Option<u64>,
    /// How this delivery stands to those before it.
    pub arrival: Arrival,
    /// The request's content type.
    pub content_type: Option<String>,
    /// The SHA-256 of `body`.
    pub sha256: Digest,
    /// The raw bytes, exactly as sent.
    pub body: Vec<u8>,
    /// A typed view of the body, when it is a JSON object.
    pub asset: Option<Asset>,
    /// What is odd about the request.
    pub findings: Vec<Finding>,
}

/// How a delivery stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Not seen before.
    First,
    /// The same bytes from the same source as the event with this receipt: nobody is asked again.
    Duplicate(Receipt),
}

/// A typed view of an asset event's body. The sender promises no field, so each may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asset {
    /// The asset's id as text, whatever JSON type it had.
    pub id: Option<String>,
    /// The asset's name.
    pub name: Option<String>,
    /// The asset's type.
    pub asset_type: Option<Reference>,
    /// Where it is.
    pub location: Option<Reference>,
    /// Who has it on loan.
    pub loanee: Option<Reference>,
    /// As the sender wrote it.
    pub created_at: Option<String>,
    /// As the sender wrote it.
    pub updated_at: Option<String>,
    /// The sender's custom fields: their JSON text, untouched.
    pub field_values: Option<String>,
}

/// A thing the asset points at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// The sender's id as text, whatever JSON type it had.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}
