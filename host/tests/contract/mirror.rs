//! What a mirror must answer, and where an answer differs. Knows nothing of wasm.

use crate::wit::{
    Arrival, Asset, Decision, Emit, Event, Http, NameValue, OtherDecision, Reference, Refusal, Wake,
};
use std::fmt::Write as _;

/// The bytes around the first difference that are shown.
const SHOWN_BYTES: usize = 120;

/// The answer to an event.
pub(crate) fn reflect(event: &Event) -> Result<Vec<Decision>, Refusal> {
    match event.kind.as_str() {
        "refuse.skip" => return Err(Refusal::Skip),
        "refuse.retry" => return Err(Refusal::RetryAfterMs(event.received_at_ms)),
        "refuse.park" => return Err(Refusal::Park(event.subject.clone())),
        "refuse.other" => return Err(Refusal::Other(event.subject.clone())),
        _ => {}
    }
    Ok(vec![
        Decision::Other(OtherDecision { kind: "mirror".to_owned(), body: dump(event).into_bytes() }),
        Decision::Http(Http {
            method: "PUT".to_owned(),
            url: format!("https://a.example/{}", event.subject),
            headers: event.settings.clone(),
            body: Some(event.body.clone()).filter(|body| !body.is_empty()),
            timeout_ms: Some(event.attempt).filter(|attempt| *attempt != 1),
            reply_tag: event.content_type.clone(),
        }),
        Decision::Emit(Emit {
            kind: "mirror.emitted".to_owned(),
            subject: event.subject.clone(),
            content_type: event.content_type.clone(),
            body: event.body.clone(),
        }),
        Decision::Wake(Wake {
            after_ms: event.occurred_at_ms.unwrap_or(0),
            tag: event.receipt.clone(),
            body: event.memory.clone().unwrap_or_default(),
        }),
        Decision::Remember(event.memory.clone()),
        Decision::Note(event.kind.clone()),
    ])
}

fn dump(event: &Event) -> String {
    let mut dump = Dump(String::new());
    dump.line("receipt", &event.receipt);
    dump.line("source", &event.source);
    dump.line("kind", &event.kind);
    dump.line("subject", &event.subject);
    dump.line("received-at-ms", &event.received_at_ms.to_string());
    dump.optional("occurred-at-ms", event.occurred_at_ms.map(|at| at.to_string()));
    dump.line("arrival", &arrival(&event.arrival));
    dump.line("attempt", &event.attempt.to_string());
    dump.optional("content-type", event.content_type.as_deref());
    dump.line("body", &hex::encode(&event.body));
    match &event.asset {
        None => dump.line("asset", "-"),
        Some(asset) => dump.asset(asset),
    }
    dump.optional("previous", event.previous.as_deref());
    event.changed.iter().for_each(|pointer| dump.line("changed", pointer));
    dump.optional("memory", event.memory.as_deref().map(hex::encode));
    dump.pairs("setting", &event.settings);
    dump.pairs("attribute", &event.attributes);
    dump.0
}

fn arrival(arrival: &Arrival) -> String {
    match arrival {
        Arrival::First => "first".to_owned(),
        Arrival::Duplicate => "duplicate".to_owned(),
        Arrival::Stale => "stale".to_owned(),
        Arrival::Conflict => "conflict".to_owned(),
        Arrival::AfterDelete => "after-delete".to_owned(),
        Arrival::Other(class) => format!("other:{class}"),
    }
}

struct Dump(String);

impl Dump {
    fn line(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "{name}={value}");
    }

    fn optional(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        match value {
            None => self.line(name, "-"),
            Some(value) => self.line(name, &format!("+{}", value.as_ref())),
        }
    }

    fn asset(&mut self, asset: &Asset) {
        self.optional("asset.id", asset.id.as_deref());
        self.optional("asset.name", asset.name.as_deref());
        self.reference("asset.asset-type", asset.asset_type.as_ref());
        self.reference("asset.location", asset.location.as_ref());
        self.reference("asset.loanee", asset.loanee.as_ref());
        self.optional("asset.created-at", asset.created_at.as_deref());
        self.optional("asset.updated-at", asset.updated_at.as_deref());
        self.optional("asset.field-values", asset.field_values.as_deref());
    }

    fn reference(&mut self, name: &str, reference: Option<&Reference>) {
        let Some(reference) = reference else { return self.line(name, "-") };
        self.optional(&format!("{name}.id"), reference.id.as_deref());
        self.optional(&format!("{name}.name"), reference.name.as_deref());
    }

    fn pairs(&mut self, name: &str, pairs: &[NameValue]) {
        pairs.iter().for_each(|pair| self.line(name, &format!("{}={}", pair.name, pair.value)));
    }
}

/// Where two answers part, short enough to be read.
pub(crate) fn difference(
    answer: &Result<Vec<Decision>, Refusal>,
    expected: &Result<Vec<Decision>, Refusal>,
) -> String {
    let (Ok(answer), Ok(expected)) = (answer, expected) else {
        return parting(&format!("{answer:?}"), &format!("{expected:?}"));
    };
    if answer.len() != expected.len() {
        return format!("{} decisions instead of {}", answer.len(), expected.len());
    }
    let mut pairs = answer.iter().zip(expected).enumerate();
    match pairs.find(|(_, (one, other))| one != other) {
        Some((_, (Decision::Other(one), Decision::Other(other)))) if one.kind == other.kind => {
            let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
            format!("the dump: {}", parting(&text(&one.body), &text(&other.body)))
        }
        Some((at, (one, other))) => {
            format!("decision {at}: {}", parting(&format!("{one:?}"), &format!("{other:?}")))
        }
        None => "nothing differs".to_owned(),
    }
}

fn parting(one: &str, other: &str) -> String {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let around = |text: &str| {
        let from = same.saturating_sub(SHOWN_BYTES / 2).min(text.len());
        let to = (same + SHOWN_BYTES / 2).min(text.len());
        String::from_utf8_lossy(&text.as_bytes()[from..to]).into_owned()
    };
    format!("at byte {same}: {:?} instead of {:?}", around(one), around(other))
}
