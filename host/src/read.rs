//! From an envelope to an event. Pure; never fails: a body that is not what the sender's documentation
//! says gives an event with less in it.

mod id;
#[cfg(test)]
mod tests;

use crate::event::{Arrival, Asset, Event, Reference};
use crate::finding::{self, Finding};
use crate::json;
use crate::scan;
use crate::trace::TraceParent;
use crate::upcoming::OWN_KINDS;
use compact_str::CompactString;
use std::sync::Arc;
use tidegate_envelope::{Body, Envelope, Header};
use tidegate_source::{TOPIC_BYTES_MAX, Topic};

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
    let mut fields = if scanned.is_json { Fields::read(&scanned.text) } else { None };
    if let Some(inner) = fields.as_ref().and_then(Fields::unwrapped) {
        scanned.findings.push(Finding::new(finding::WRAPPED, "the event stands under a single key"));
        fields = Some(inner);
    }
    if scanned.is_json && fields.is_none() {
        scanned.findings.push(Finding::new(finding::NOT_AN_OBJECT, "JSON, but no object"));
    }
    let kind = topic.kind.or_else(|| text(fields.as_ref()?.event_type).map(String::from));
    let asset = fields.map(|fields| fields.asset());
    let subject = topic.subject.or_else(|| asset.as_ref()?.id.clone().map(String::from));
    if [&kind, &subject].into_iter().flatten().any(|text| text.len() > TOPIC_BYTES_MAX) {
        let detail = format!("the kind or the id is longer than {TOPIC_BYTES_MAX} bytes");
        scanned.findings.push(Finding::new(finding::TOO_LONG, detail));
    }
    let topic = Topic::new(kind, subject);
    let mut kind = topic.kind.unwrap_or_default();
    // From outside it would pass for the host's word.
    if kind.starts_with(OWN_KINDS) {
        scanned.findings.push(Finding::new(finding::RESERVED_KIND, kind.as_str()));
        kind.clear();
    }
    let json = scanned.is_json.then(|| Arc::from(&*scanned.text));
    let findings = finding::of(&envelope, &body, scanned.findings);
    let occurred_at_us = asset.as_ref().and_then(|asset| {
        let stamp = if kind == "asset.create" { &asset.created_at } else { &asset.updated_at };
        stamp.as_deref().or(asset.created_at.as_deref()).and_then(timestamp_us)
    });
    Event {
        receipt: envelope.receipt,
        source: envelope.source,
        kind,
        subject: topic.subject.unwrap_or_default(),
        received_at_ms: envelope.received_at_ms,
        occurred_at_us,
        arrival: Arrival::First,
        content_type: envelope.content_type,
        sha256: envelope.sha256,
        body,
        json,
        asset,
        findings,
        previous: None,
        changed: Vec::new(),
        attributes: Vec::new(),
        cause: None,
        trace: envelope
            .headers
            .iter()
            .find(|Header(name, _)| name == "traceparent")
            .and_then(|it| TraceParent::parse(&it.1)),
    }
}

fn names_and_values(headers: &[Header]) -> Vec<(&str, &str)> {
    headers.iter().map(|Header(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The sender's time as microseconds since the Unix epoch. It writes `2022-09-14 03:03:44.456537` and names
/// no zone; without an offset UTC is assumed.
fn timestamp_us(text: &str) -> Option<u64> {
    let stamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
    })?;
    u64::try_from(stamp.as_microsecond()).ok()
}

/// The fields of the body that the host reads, each as its own untouched JSON text. Where a key stands
/// twice the last one counts, as for most readers of JSON.
#[derive(Default)]
struct Fields<'a> {
    event_type: Option<&'a str>,
    id: Option<&'a str>,
    name: Option<&'a str>,
    asset_type: Option<&'a str>,
    location: Option<&'a str>,
    loanee: Option<&'a str>,
    created_at: Option<&'a str>,
    updated_at: Option<&'a str>,
    field_values: Option<&'a str>,
    /// How many keys there are, known or not, and the value of the last one.
    keys: usize,
    last: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// `None` for what is no object.
    fn read(json: &'a str) -> Option<Self> {
        let mut read = Self::default();
        for field in json::each(json)? {
            let (key, value) = field?;
            read.keys += 1;
            read.last = Some(value);
            let field = match key.as_ref() {
                "event_type" => &mut read.event_type,
                "id" => &mut read.id,
                "name" => &mut read.name,
                "assettype" => &mut read.asset_type,
                "location" => &mut read.location,
                "loanee" => &mut read.loanee,
                "created_at" => &mut read.created_at,
                "updated_at" => &mut read.updated_at,
                "field_values" => &mut read.field_values,
                _ => continue,
            };
            *field = Some(value);
        }
        Some(read)
    }

    /// The event inside an object that has nothing else: the sender speaks of "wrapped event types" and shows none.
    fn unwrapped(&self) -> Option<Self> {
        let only = self.last.filter(|_| self.keys == 1 && self.event_type.is_none())?;
        Self::read(only).filter(|inner| inner.event_type.is_some())
    }

    fn asset(&self) -> Asset {
        Asset {
            id: id::read(self.id),
            name: text(self.name),
            asset_type: reference(self.asset_type),
            location: reference(self.location),
            loanee: reference(self.loanee),
            created_at: text(self.created_at),
            updated_at: text(self.updated_at),
            field_values: self.field_values.filter(|json| *json != "null").map(str::to_owned),
        }
    }
}

/// A string's content or a number's digits as they stand; anything else is no text.
fn text(json: Option<&str>) -> Option<CompactString> {
    let json = json?;
    match json.as_bytes().first()? {
        b'"' => json::string(json).map(CompactString::from),
        b'-' | b'0'..=b'9' => Some(json.into()),
        _ => None,
    }
}

fn reference(json: Option<&str>) -> Option<Reference> {
    let fields = Fields::read(json?)?;
    Some(Reference { id: id::read(fields.id), name: text(fields.name) })
}
