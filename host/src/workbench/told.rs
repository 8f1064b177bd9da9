//! From the bytes of an event's file to the event a plugin is told. Pure: the same file gives the same event, on
//! every machine and every day.

use crate::event::Event;
use crate::read;
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};

/// When a file's event was received unless said otherwise: 2026-01-01T00:00:00Z, in milliseconds since the Unix epoch.
pub const RECEIVED_AT_MS: u64 = 1_767_225_600_000;

/// What is known of a request besides its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which sender it came from.
    pub source: SourceName,
    /// The event's kind, when it is not the one that the body says.
    pub kind: Option<String>,
    /// When the edge accepted it, in milliseconds since the Unix epoch.
    pub received_at_ms: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            source: SourceName::new("amj").expect("a valid name"),
            kind: None,
            received_at_ms: RECEIVED_AT_MS,
        }
    }
}

/// The event of this body, read as the host reads it. Its receipt is made of the time and the body's hash.
#[must_use]
pub fn told(body: Vec<u8>, request: &Request) -> Event {
    let sha256 = Digest::of(&body);
    let mut start = [0; 16];
    start.copy_from_slice(&sha256.as_bytes()[..16]);
    let envelope = Envelope {
        receipt: Receipt::new(request.received_at_ms, u128::from_be_bytes(start)),
        source: request.source.clone(),
        received_at_ms: request.received_at_ms,
        method: "POST".to_owned(),
        profile: Some("amj".to_owned()),
        headers: Vec::new(),
        content_type: Some("application/json".to_owned()),
        sha256,
        body: Body::Inline(Vec::new()),
    };
    let event = read::read_fetched(envelope, body);
    Event { kind: request.kind.clone().unwrap_or(event.kind), ..event }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_file_is_the_same_event_and_another_one_has_another_receipt() {
        let body = br#"{"event_type":"asset.update","id":675}"#.to_vec();
        let event = told(body.clone(), &Request::default());
        assert_eq!(event, told(body, &Request::default()));
        assert_eq!((event.kind.as_str(), event.subject.as_str()), ("asset.update", "675"));
        assert!(event.findings.is_empty(), "{:?}", event.findings);
        assert_ne!(event.receipt, told(b"{}".to_vec(), &Request::default()).receipt);
    }

    #[test]
    fn what_is_said_of_the_request_counts_over_the_body() {
        let request = Request {
            kind: Some("asset.create".into()),
            received_at_ms: 5,
            source: SourceName::new("other").expect("a valid name"),
        };
        let event = told(br#"{"event_type":"asset.update"}"#.to_vec(), &request);
        assert_eq!((event.kind.as_str(), event.source.as_str()), ("asset.create", "other"));
        assert_eq!((event.received_at_ms, event.receipt.timestamp_ms()), (5, 5));
    }
}
