//! The reader: any body is an event, and no spelling of the same thing makes another one of it.

use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use tidegate::event::Event;
use tidegate::{read, scan};
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};

/// The largest integer up to which all integers are floats, so that a float can be the judge of one.
const EXACT_MAX: u64 = 1 << 53;

/// Takes a request's body.
///
/// # Panics
/// When what was read is not what was sent.
pub fn check(body: &[u8]) {
    let event = read_event(receipt(), body);
    assert_eq!(event.body, body, "the body is untouched");
    assert!(event.kind.len() <= tidegate_source::TOPIC_BYTES_MAX, "the kind is bounded");
    assert!(event.subject.len() <= tidegate_source::TOPIC_BYTES_MAX, "the subject is bounded");
    assert!(!event.kind.starts_with("tidegate."), "nobody outside speaks for the host");
    let codes: BTreeSet<_> = event.findings.iter().map(|finding| &finding.code).collect();
    assert_eq!(codes.len(), event.findings.len(), "each thing is found once: {:?}", event.findings);
    scanned(body, &event);
    subject(&event.subject);
    if let Ok(text) = std::str::from_utf8(body) {
        number(text);
    }
}

/// The scanned text is JSON exactly when that is said of it, and then it is the same event with nothing left to mend.
fn scanned(body: &[u8], event: &Event) {
    let scanned = scan::scan(body);
    let is_json = serde_json::from_str::<IgnoredAny>(&scanned.text).is_ok();
    assert_eq!(scanned.is_json, is_json, "{:?}", scanned.findings);
    if serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        assert!(is_json, "what is JSON by its grammar is not denied to be: {:?}", scanned.findings);
    }
    if !is_json {
        return;
    }
    let again = read_event(receipt(), scanned.text.as_bytes());
    assert_eq!(again.kind, event.kind);
    assert_eq!(again.subject, event.subject);
    assert_eq!(again.occurred_at_us, event.occurred_at_us);
    assert_eq!(again.asset, event.asset);
    for code in ["bom", "trailing", "not-utf8", "not-json"] {
        assert!(!again.findings.iter().any(|finding| finding.code == code), "{code} was mended");
    }
}

/// A subject is one whether it is sent as a text or, where it has the form of one, as a number.
fn subject(subject: &str) {
    let as_text = serde_json::to_string(subject).expect("a text is JSON");
    assert_eq!(subject_of(&as_text), subject);
    let is_plain = subject.parse::<u64>().is_ok_and(|number| number.to_string() == subject);
    if is_plain {
        assert_eq!(subject_of(subject), subject);
    }
}

/// A number that is taken for a whole one is worth just that.
fn number(text: &str) {
    let Ok(float) = serde_json::from_str::<f64>(text) else { return };
    let subject = subject_of(text);
    assert!(
        !subject.is_empty() || text.len() > tidegate_source::TOPIC_BYTES_MAX,
        "a number is an id: {text}"
    );
    if subject.parse::<i64>().is_ok_and(|whole| whole.unsigned_abs() <= EXACT_MAX) {
        let worth: f64 = subject.parse().expect("digits are a float");
        assert!((float - worth).abs() <= f64::EPSILON * worth.abs(), "{text} became {subject}");
    }
}

fn subject_of(id: &str) -> String {
    read_event(receipt(), format!("{{\"id\":{id}}}").as_bytes()).subject
}

fn receipt() -> Receipt {
    Receipt::new(1_700_000_000_000, 7)
}

/// The event of this body, sent by the sender of asset events.
pub(crate) fn read_event(receipt: Receipt, body: &[u8]) -> Event {
    let envelope = Envelope {
        receipt,
        source: SourceName::new("amj").expect("a valid name"),
        received_at_ms: 1_700_000_000_000,
        method: "POST".into(),
        profile: Some("amj".into()),
        headers: vec![],
        content_type: Some("application/json".into()),
        sha256: Digest::of(body),
        body: Body::Inline(vec![]),
    };
    read::read_fetched(envelope, body.to_vec())
}
