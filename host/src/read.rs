//! From an envelope to an event. Pure; never fails: a body that is not what the sender's documentation
//! says gives an event with less in it.

use crate::event::{Arrival, Asset, Event, Reference};
use crate::finding::{self, Finding};
use crate::scan;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use tidegate_envelope::{Body, Envelope, Header};

/// What an envelope holds.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the larger one is nearly every one: a box would be made for each event"
)]
pub enum Opened {
    /// All of an event.
    Event(Event),
    /// All but the body, which the vault has: fetch it, then [`read_fetched`].
    Elsewhere(Envelope),
}

/// Reads what the envelope says.
#[must_use]
pub fn read(mut envelope: Envelope) -> Opened {
    match &mut envelope.body {
        Body::Vault(_) => Opened::Elsewhere(envelope),
        Body::Inline(body) => {
            let body = std::mem::take(body);
            Opened::Event(read_fetched(envelope, body))
        }
    }
}

/// Reads what the envelope and its body, which came another way, say.
#[must_use]
pub fn read_fetched(envelope: Envelope, body: Vec<u8>) -> Event {
    let profile = envelope.profile.as_deref().and_then(tidegate_source::profile::find);
    let topic =
        profile.map(|profile| profile.topic(&names_and_values(&envelope.headers), &body)).unwrap_or_default();
    let mut scanned = scan::scan(&body);
    let mut fields = serde_json::from_str::<Fields<'_>>(&scanned.text).ok();
    if let Some(inner) = fields.as_ref().and_then(Fields::unwrapped) {
        scanned.findings.push(Finding::new(finding::WRAPPED, "the event stands under a single key"));
        fields = Some(inner);
    }
    if scanned.is_json && fields.is_none() {
        scanned.findings.push(Finding::new(finding::NOT_AN_OBJECT, "JSON, but no object"));
    }
    let kind = topic.kind.or_else(|| text(fields.as_ref()?.event_type)).unwrap_or_default();
    let findings = finding::of(&envelope, &body, scanned.findings);
    let asset = fields.map(|fields| fields.asset());
    let occurred_at_ms = asset.as_ref().and_then(|asset| {
        let stamp = if kind == "asset.create" { &asset.created_at } else { &asset.updated_at };
        stamp.as_deref().or(asset.created_at.as_deref()).and_then(timestamp_ms)
    });
    Event {
        receipt: envelope.receipt,
        source: envelope.source,
        kind,
        subject: topic.subject.or_else(|| asset.as_ref()?.id.clone()).unwrap_or_default(),
        received_at_ms: envelope.received_at_ms,
        occurred_at_ms,
        arrival: Arrival::First,
        content_type: envelope.content_type,
        sha256: envelope.sha256,
        body,
        asset,
        findings,
    }
}

fn names_and_values(headers: &[Header]) -> Vec<(&str, &str)> {
    headers.iter().map(|Header(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The sender's time as milliseconds since the Unix epoch. It writes `2022-09-14 03:03:44.456537` and names
/// no zone; without an offset UTC is assumed.
fn timestamp_ms(text: &str) -> Option<u64> {
    let stamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
    })?;
    u64::try_from(stamp.as_millisecond()).ok()
}

/// The fields of the body that the host reads, each as its own untouched JSON text. Where a key stands
/// twice the last one counts, as for most readers of JSON.
#[derive(Default)]
struct Fields<'a> {
    event_type: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    name: Option<&'a RawValue>,
    asset_type: Option<&'a RawValue>,
    location: Option<&'a RawValue>,
    loanee: Option<&'a RawValue>,
    created_at: Option<&'a RawValue>,
    updated_at: Option<&'a RawValue>,
    field_values: Option<&'a RawValue>,
    /// How many keys there are, known or not, and the value of the last one.
    keys: usize,
    last: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    /// The event inside an object that has nothing else: the sender speaks of "wrapped event types" and shows none.
    fn unwrapped(&self) -> Option<Self> {
        let only = self.last.filter(|_| self.keys == 1 && self.event_type.is_none())?;
        serde_json::from_str::<Self>(only.get()).ok().filter(|inner| inner.event_type.is_some())
    }

    fn asset(&self) -> Asset {
        Asset {
            id: text(self.id),
            name: text(self.name),
            asset_type: reference(self.asset_type),
            location: reference(self.location),
            loanee: reference(self.loanee),
            created_at: text(self.created_at),
            updated_at: text(self.updated_at),
            field_values: self.field_values.map(|raw| raw.get().to_owned()).filter(|json| json != "null"),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    let value: &'de RawValue = map.next_value()?;
                    fields.keys += 1;
                    fields.last = Some(value);
                    let field = match key.as_ref() {
                        "event_type" => &mut fields.event_type,
                        "id" => &mut fields.id,
                        "name" => &mut fields.name,
                        "assettype" => &mut fields.asset_type,
                        "location" => &mut fields.location,
                        "loanee" => &mut fields.loanee,
                        "created_at" => &mut fields.created_at,
                        "updated_at" => &mut fields.updated_at,
                        "field_values" => &mut fields.field_values,
                        _ => continue,
                    };
                    *field = Some(value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A string's content or a number's digits as they stand; anything else is no text.
fn text(raw: Option<&RawValue>) -> Option<String> {
    let raw = raw?.get();
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok(),
        b'-' | b'0'..=b'9' => Some(raw.to_owned()),
        _ => None,
    }
}

fn reference(raw: Option<&RawValue>) -> Option<Reference> {
    let fields: Fields<'_> = serde_json::from_str(raw?.get()).ok()?;
    Some(Reference { id: text(fields.id), name: text(fields.name) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_envelope::{Digest, Receipt, SourceName, VaultBody};

    fn event(body: &[u8]) -> Event {
        read_fetched(envelope(body), body.to_vec())
    }

    fn envelope(body: &[u8]) -> Envelope {
        Envelope {
            receipt: Receipt::new(1_700_000_000_000, 7),
            source: SourceName::new("amj").expect("a valid name"),
            received_at_ms: 1_700_000_000_000,
            method: "POST".into(),
            profile: Some("amj".into()),
            headers: vec![],
            content_type: None,
            sha256: Digest::of(body),
            body: Body::Inline(body.to_vec()),
        }
    }

    #[test]
    fn a_body_in_the_vault_is_read_once_it_is_fetched() {
        let mut envelope = envelope(b"{}");
        envelope.body = Body::Vault(VaultBody { bytes: 8, total_bytes: Some(8), truncated: false });
        let Opened::Elsewhere(envelope) = read(envelope) else { panic!("the vault has it") };
        assert_eq!(read_fetched(envelope, b"{\"id\":1}".to_vec()).subject, "1");
    }

    #[test]
    fn the_senders_sample_is_read_in_full() {
        let event = event(include_bytes!("../../tests/samples/asset-update.json"));
        assert_eq!((event.kind.as_str(), event.subject.as_str()), ("asset.update", "675"));
        assert_eq!(event.occurred_at_ms, Some(1_668_143_107_302));
        let asset = event.asset.expect("the sample is an object");
        assert_eq!(asset.name.as_deref(), Some("Spare-02"));
        assert_eq!(asset.asset_type.and_then(|it| it.name).as_deref(), Some("2 in 3 Laptop"));
        let loanee = asset.loanee.expect("the sample has a loanee");
        assert_eq!((loanee.id.as_deref(), loanee.name.as_deref()), (Some("142"), Some("John Do")));
        assert!(asset.field_values.expect("the sample has field values").starts_with('['));
    }

    #[test]
    fn a_wrapped_event_is_found() {
        for (json, kind, subject) in [
            (r#"{"event":{"event_type":"asset.update","id":675}}"#, "asset.update", "675"),
            (r#"{"event":{"event_type":"asset.update","id":675},"id":1}"#, "", "1"),
            (r#"{"event":{"id":675}}"#, "", ""),
            (r#"{"event_type":{"event_type":"asset.update"}}"#, "", ""),
        ] {
            let event = event(json.as_bytes());
            assert_eq!((event.kind.as_str(), event.subject.as_str()), (kind, subject), "{json}");
            assert_eq!(
                event.findings.iter().any(|it| it.code == "wrapped"),
                kind == "asset.update",
                "{json}"
            );
        }
    }

    #[test]
    fn a_body_that_is_nearly_json_still_says_what_it_is_about() {
        for body in [
            &b"\xef\xbb\xbf{\"id\":675,\"name\":\"a\"}"[..],
            b"{\"id\":675,\"name\":\"\xff\"} and more",
            br#"{"id":675,"name":"\ud800"}"#,
        ] {
            let event = event(body);
            assert_eq!(event.subject, "675", "{}", String::from_utf8_lossy(body));
            assert_eq!(event.body, body);
        }
    }

    #[test]
    fn any_bytes_make_an_event() {
        for body in [&b""[..], b"null", b"[1]", b"\xff\xfe", b"{", b"{\"id\":{}}", b"\"text\""] {
            let event = event(body);
            assert_eq!((event.kind.as_str(), event.subject.as_str()), ("", ""), "{body:?}");
            assert_eq!(event.body, body);
        }
    }

    #[test]
    fn an_id_is_text_whatever_its_type() {
        for (json, subject) in [
            (r#"{"id":675}"#, "675"),
            (r#"{"id":"675"}"#, "675"),
            (r#"{"id":9007199254740993}"#, "9007199254740993"),
            (r#"{"id":1,"id":2}"#, "2"),
            (r#"{"id":null}"#, ""),
            (r#"{"id":[1]}"#, ""),
        ] {
            assert_eq!(event(json.as_bytes()).subject, subject, "{json}");
        }
    }

    #[test]
    fn the_senders_three_forms_of_time_are_read() {
        for (text, ms) in [
            ("2022-11-11 05:05:07.302773", Some(1_668_143_107_302)),
            ("2022-11-11 05:05:07", Some(1_668_143_107_000)),
            ("2022-11-11T06:05:07+01:00", Some(1_668_143_107_000)),
            ("yesterday", None),
            ("1969-01-01 00:00:00", None),
        ] {
            assert_eq!(timestamp_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn a_field_of_a_wrong_type_hides_no_other() {
        let event = event(br#"{"event_type":7,"id":1,"loanee":"Jo","location":{"name":3},"assettype":null}"#);
        let asset = event.asset.expect("an object");
        assert_eq!((event.kind.as_str(), asset.loanee), ("7", None));
        assert_eq!(asset.location, Some(Reference { id: None, name: Some("3".into()) }));
        assert_eq!(asset.asset_type, None);
    }
}
