//! The mirror of the contract in Rust: tells every field it was given, and gives every case there is.

use std::fmt::Write as _;
use tidegate_plugin::{
    Arrival, Asset, Decision, Emit, Event, Http, NameValue, Reference, Refusal, Wake, forget, note, other,
    park, refuse, remember, retry_after_ms, skip,
};

fn main() {
    tidegate_plugin::run(handle);
}

fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
    match event.kind.as_str() {
        "refuse.skip" => return Err(skip()),
        "refuse.retry" => return Err(retry_after_ms(event.received_at_ms)),
        "refuse.park" => return Err(park(event.subject)),
        "refuse.other" => return Err(refuse(event.subject)),
        _ => {}
    }
    let mirrored = other("mirror", dump(&event));
    let mut put = Http::put(format!("https://a.example/{}", event.subject));
    for NameValue { name, value } in event.settings {
        put = put.header(name, value);
    }
    if !event.body.is_empty() {
        put = put.body(event.body.clone());
    }
    if event.attempt != 1 {
        put = put.timeout_ms(event.attempt);
    }
    if let Some(content_type) = &event.content_type {
        put = put.reply_tag(content_type);
    }
    let emit = Emit::new("mirror.emitted").subject(event.subject);
    let emit = emit.body(event.body, event.content_type.as_deref());
    let wake = Wake::after_ms(event.occurred_at_ms.unwrap_or(0)).tag(event.receipt);
    let wake = wake.body(event.memory.clone().unwrap_or_default());
    let memory = event.memory.map_or_else(forget, remember);
    Ok(vec![mirrored, put.into(), emit.into(), wake.into(), memory, note(event.kind)])
}

fn dump(event: &Event) -> String {
    let mut dump = Dump(String::new());
    dump.line("receipt", &event.receipt);
    dump.line("source", &event.source);
    dump.line("kind", &event.kind);
    dump.line("subject", &event.subject);
    dump.line("received-at-ms", &event.received_at_ms.to_string());
    dump.optional("occurred-at-ms", event.occurred_at_ms.map(|at| at.to_string()).as_deref());
    let arrival = match &event.arrival {
        Arrival::First => "first",
        Arrival::Duplicate => "duplicate",
        Arrival::Stale => "stale",
        Arrival::Conflict => "conflict",
        Arrival::AfterDelete => "after-delete",
        Arrival::Other(class) => &format!("other:{class}"),
    };
    dump.line("arrival", arrival);
    dump.line("attempt", &event.attempt.to_string());
    dump.optional("content-type", event.content_type.as_deref());
    dump.line("body", &hex(&event.body));
    match &event.asset {
        None => dump.line("asset", "-"),
        Some(asset) => dump.asset(asset),
    }
    dump.optional("previous", event.previous.as_deref());
    event.changed.iter().for_each(|pointer| dump.line("changed", pointer));
    dump.optional("memory", event.memory.as_deref().map(hex).as_deref());
    dump.pairs("setting", &event.settings);
    dump.pairs("attribute", &event.attributes);
    dump.0
}

struct Dump(String);

impl Dump {
    fn line(&mut self, name: &str, value: &str) {
        self.0.extend([name, "=", value, "\n"]);
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        match value {
            None => self.line(name, "-"),
            Some(value) => self.line(name, &format!("+{value}")),
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
        match reference {
            None => self.line(name, "-"),
            Some(reference) => {
                self.optional(&format!("{name}.id"), reference.id.as_deref());
                self.optional(&format!("{name}.name"), reference.name.as_deref());
            }
        }
    }

    fn pairs(&mut self, name: &str, pairs: &[NameValue]) {
        pairs.iter().for_each(|pair| self.line(name, &format!("{}={}", pair.name, pair.value)));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
