//! An event of the host's own that is to come: a wake-up, what a plugin emitted, a reply. Knows nothing of when it is
//! looked for, nor of the store that keeps it.

use crate::event::{Cause, Event};
use crate::partition::Partition;
use crate::plugin::PluginName;
use crate::read;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};

/// The kind of a wake-up.
pub const WAKE: &str = "tidegate.wake";
/// The kind of a response that comes back.
pub const REPLY: &str = "tidegate.reply";
/// What the host's own kinds begin with; no plugin emits one.
pub const OWN_KINDS: &str = "tidegate.";

/// An event that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// Its receipt, made when it was decided: however often it is looked at, it is one event.
    pub receipt: Receipt,
    /// When it is told, in milliseconds since the Unix epoch.
    pub due_at_ms: u64,
    /// The source of what caused it.
    pub source: SourceName,
    /// Its kind.
    pub kind: String,
    /// What it is about; empty when it is about nothing.
    pub subject: String,
    /// What its body is.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
    /// What there is to say beside the body, by name.
    pub attributes: Vec<(String, String)>,
    /// What it came from.
    pub cause: Cause,
}

/// A stored record is not one.
#[derive(Debug, thiserror::Error)]
#[error("read an event that is to come: {0}")]
pub struct UpcomingError(String);

#[derive(Serialize, Deserialize)]
struct Record {
    receipt: Receipt,
    due_at_ms: u64,
    source: SourceName,
    kind: String,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// In base64: it may be any bytes.
    body: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<(String, String)>,
    cause: Receipt,
    depth: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<PluginName>,
}

impl Upcoming {
    /// The receipt of what this decision, or this effect, leads to: the same whenever it is made.
    #[must_use]
    pub fn receipt(at_ms: u64, cause: Receipt, plugin: &PluginName, position: usize, what: &str) -> Receipt {
        let seed = format!("{cause}/{plugin}/{position}/{what}");
        let digest = Digest::of(seed.as_bytes());
        let mut chance = [0; 16];
        chance.copy_from_slice(&digest.as_bytes()[..16]);
        Receipt::new(at_ms, u128::from_be_bytes(chance))
    }

    /// Who holds this tells it.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition::of_event(&self.subject, Some(self.cause.receipt), &Digest::of(&[]))
    }

    /// The event, once its time has come.
    #[must_use]
    pub fn into_event(self) -> Event {
        let envelope = Envelope {
            receipt: self.receipt,
            source: self.source,
            received_at_ms: self.due_at_ms,
            method: String::new(),
            // Not the sender's: what would be odd of it is not of this.
            profile: Some("generic".to_owned()),
            headers: Vec::new(),
            content_type: self.content_type,
            sha256: Digest::of(&self.body),
            body: Body::Inline(Vec::new()),
        };
        Event {
            kind: self.kind,
            subject: self.subject,
            occurred_at_us: None,
            findings: Vec::new(),
            attributes: self.attributes,
            cause: Some(self.cause),
            ..read::read_fetched(envelope, self.body)
        }
    }

    /// The text that is stored.
    #[must_use]
    pub fn to_record(&self) -> String {
        let record = Record {
            receipt: self.receipt,
            due_at_ms: self.due_at_ms,
            source: self.source.clone(),
            kind: self.kind.clone(),
            subject: self.subject.clone(),
            content_type: self.content_type.clone(),
            body: STANDARD.encode(&self.body),
            attributes: self.attributes.clone(),
            cause: self.cause.receipt,
            depth: self.cause.depth,
            audience: self.cause.audience.clone(),
        };
        serde_json::to_string(&record).expect("a record is plain data")
    }

    /// Reads what [`Upcoming::to_record`] wrote.
    ///
    /// # Errors
    /// When the text is no record.
    pub fn from_record(text: &str) -> Result<Self, UpcomingError> {
        let record: Record = serde_json::from_str(text).map_err(|error| UpcomingError(error.to_string()))?;
        let body = STANDARD.decode(&record.body).map_err(|error| UpcomingError(error.to_string()))?;
        Ok(Self {
            receipt: record.receipt,
            due_at_ms: record.due_at_ms,
            source: record.source,
            kind: record.kind,
            subject: record.subject,
            content_type: record.content_type,
            body,
            attributes: record.attributes,
            cause: Cause { receipt: record.cause, depth: record.depth, audience: record.audience },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upcoming() -> Upcoming {
        let plugin = PluginName::new("notice").expect("a valid name");
        let cause = Receipt::new(1_700_000_000_000, 7);
        Upcoming {
            receipt: Upcoming::receipt(1_700_000_005_000, cause, &plugin, 2, "wake"),
            due_at_ms: 1_700_000_005_000,
            source: SourceName::new("amj").expect("a valid name"),
            kind: WAKE.to_owned(),
            subject: "675".to_owned(),
            content_type: None,
            body: vec![0, 255, b'{'],
            attributes: vec![("tag".to_owned(), "remind".to_owned())],
            cause: Cause { receipt: cause, depth: 1, audience: Some(plugin) },
        }
    }

    #[test]
    fn a_record_gives_the_same_event_again() {
        let upcoming = upcoming();
        assert_eq!(Upcoming::from_record(&upcoming.to_record()).expect("a record"), upcoming);
        assert!(Upcoming::from_record("{}").is_err());
    }

    #[test]
    fn the_receipt_is_the_decisions_own() {
        let plugin = PluginName::new("notice").expect("a valid name");
        let of = |position, what| Upcoming::receipt(1, Receipt::new(1, 7), &plugin, position, what);
        assert_eq!(of(2, "wake"), of(2, "wake"));
        assert_ne!(of(2, "wake"), of(3, "wake"));
        assert_ne!(of(2, "wake"), of(2, "emit"));
    }

    #[test]
    fn its_event_is_about_what_it_says_and_not_about_its_body() {
        let mut upcoming = upcoming();
        upcoming.body = br#"{"event_type":"asset.update","id":1}"#.to_vec();
        let event = upcoming.clone().into_event();
        assert_eq!((event.kind.as_str(), event.subject.as_str()), (WAKE, "675"));
        assert_eq!((event.receipt, event.received_at_ms), (upcoming.receipt, upcoming.due_at_ms));
        assert_eq!(event.cause, Some(upcoming.cause));
    }
}
