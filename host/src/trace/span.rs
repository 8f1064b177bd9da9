//! What is told, as spans of OpenTelemetry.

use super::attribute::{number, text};
use super::{About, Asked, Attempted, Context, Passage, Revisit, Told};
use crate::effect::EffectKey;
use crate::store::EffectState;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tidegate_envelope::Receipt;
use url::Url;

/// The flags of a span that is told: it was sampled.
const SAMPLED: u32 = 1;

/// The spans of what is told.
#[must_use]
pub fn spans(told: &Told) -> Vec<Span> {
    match told {
        Told::Passage(passage) => of_passage(passage),
        Told::Revisit(revisit) => of_revisit(revisit),
        Told::Attempted(it) => vec![attempted(it)],
    }
}

/// The id of the span of an attempt: a restart does not change it.
pub(super) fn of_attempt(key: &EffectKey, attempt: u32) -> [u8; 8] {
    id(key.receipt(), &["effect", key.as_str(), &attempt.to_string()])
}

/// `edge`, the root or a child of the sender's span, and each later step in the one before: `pull` is the time in the
/// queue, `decide` has an `ask` for each plugin, and the `commit`.
fn of_passage(passage: &Passage) -> Vec<Span> {
    let Passage { about, received_at_ms, queued_at_ms, pulled_at_ms, decided_at_ms, recorded_at_ms, .. } =
        passage;
    // A queue may not say when it took a message; and clocks of two machines differ.
    let queued_at_ms = if *queued_at_ms == 0 { *received_at_ms } else { *queued_at_ms };
    let of = |what| id(about.receipt, &[what]);
    let mut attributes = about.attributes();
    attributes.push(text("tidegate.class", passage.class));
    attributes.extend(passage.cause.map(|cause| text("tidegate.cause", cause.to_string())));
    let mut spans = Vec::with_capacity(4 + passage.asks.len());
    let mut step = |name, kind, parent: Option<[u8; 8]>, (from_ms, to_ms)| {
        let (from, to) = (nanos(from_ms), nanos(to_ms));
        let attributes = attributes.clone();
        spans.push(Made { name, kind, id: of(name), parent, from, to, attributes }.span(&about.context));
        Some(of(name))
    };
    let before = if passage.cause.is_none() {
        let edge = step("edge", SpanKind::Server, about.context.parent, (*received_at_ms, queued_at_ms));
        step("pull", SpanKind::Consumer, edge, (queued_at_ms, *pulled_at_ms))
    } else {
        about.context.parent
    };
    let decide = step("decide", SpanKind::Internal, before, (*pulled_at_ms, *decided_at_ms));
    step("commit", SpanKind::Internal, decide, (*decided_at_ms, *recorded_at_ms));
    // They were asked one after the other, the last until the decision.
    let mut to = nanos(*decided_at_ms);
    for asked in passage.asks.iter().rev() {
        let span = ask(about, asked, to);
        to = span.start_time_unix_nano;
        spans.push(span);
    }
    spans
}

fn of_revisit(revisit: &Revisit) -> Vec<Span> {
    let Revisit { about, asked, decided_at_ms, recorded_at_ms } = revisit;
    let ask = ask(about, asked, nanos(*decided_at_ms));
    let commit = Made {
        name: "commit",
        kind: SpanKind::Internal,
        id: id(about.receipt, &["commit", asked.plugin.as_str(), &asked.attempt.to_string()]),
        parent: Some(id(about.receipt, &["decide"])),
        from: nanos(*decided_at_ms),
        to: nanos(*recorded_at_ms),
        attributes: about.attributes(),
    };
    vec![ask, commit.span(&about.context)]
}

fn ask(about: &About, asked: &Asked, to: u64) -> Span {
    let took = Duration::from_micros(asked.took_us).as_nanos();
    let attempt = asked.attempt.to_string();
    let effects = i64::try_from(asked.effects).unwrap_or(i64::MAX);
    let mut attributes = about.attributes();
    attributes.extend([
        text("tidegate.plugin", asked.plugin.as_str()),
        text("tidegate.version", asked.version.as_str()),
        text("tidegate.came_to", asked.came_to),
        number("tidegate.attempt", asked.attempt),
        number("tidegate.effects", effects),
    ]);
    attributes.extend(asked.trouble.map(|trouble| text("tidegate.fault", trouble)));
    let made = Made {
        name: "ask",
        kind: SpanKind::Internal,
        id: id(about.receipt, &["ask", asked.plugin.as_str(), &attempt]),
        parent: Some(id(about.receipt, &["decide"])),
        from: to.saturating_sub(u64::try_from(took).unwrap_or(u64::MAX)),
        to,
        attributes,
    };
    let span = made.span(&about.context);
    match asked.trouble {
        Some(trouble) => failed(span, trouble),
        None => span,
    }
}

fn attempted(attempted: &Attempted) -> Span {
    let Attempted { attempt, status, what, state, to_ms } = attempted;
    let (receipt, plugin, _) = attempt.key.parts();
    let came_to = match state {
        EffectState::Done => "done",
        EffectState::Waiting { .. } => "waiting",
        EffectState::Parked => "parked",
    };
    let mut attributes = vec![
        text("tidegate.receipt", receipt.to_string()),
        text("tidegate.plugin", plugin.as_str()),
        text("tidegate.key", attempt.key.as_str()),
        number("tidegate.attempt", attempt.number),
        text("tidegate.came_to", came_to),
        text("http.request.method", attempt.method.as_str()),
    ];
    if let Ok(target) = Url::parse(&attempt.target) {
        attributes.extend(target.host_str().map(|host| text("server.address", host)));
        attributes.extend(target.port_or_known_default().map(|port| number("server.port", port)));
    }
    attributes.extend(status.map(|status| number("http.response.status_code", status)));
    let made = Made {
        name: "effect",
        kind: SpanKind::Client,
        id: of_attempt(&attempt.key, attempt.number),
        parent: Some(id(receipt, &["decide"])),
        from: nanos(attempt.from_ms),
        to: nanos(*to_ms),
        attributes,
    };
    let span = made.span(&attempt.context);
    if *state == EffectState::Done { span } else { failed(span, what) }
}

/// A span before it has its place in a trace.
struct Made {
    name: &'static str,
    kind: SpanKind,
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    /// In nanoseconds since the Unix epoch.
    from: u64,
    to: u64,
    attributes: Vec<KeyValue>,
}

impl Made {
    fn span(self, context: &Context) -> Span {
        Span {
            trace_id: context.trace_id.to_vec(),
            span_id: self.id.to_vec(),
            parent_span_id: self.parent.map(|id| id.to_vec()).unwrap_or_default(),
            flags: SAMPLED,
            name: self.name.to_owned(),
            kind: self.kind.into(),
            start_time_unix_nano: self.from.min(self.to),
            end_time_unix_nano: self.to,
            attributes: self.attributes,
            ..Span::default()
        }
    }
}

impl About {
    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            text("tidegate.receipt", self.receipt.to_string()),
            text("tidegate.source", self.source.as_str()),
            text("tidegate.kind", self.kind.as_str()),
        ];
        if !self.subject.is_empty() {
            attributes.push(text("tidegate.subject", self.subject.as_str()));
        }
        attributes
    }
}

fn failed(span: Span, why: &str) -> Span {
    let status = Status { message: why.to_owned(), code: StatusCode::Error.into() };
    Span { status: Some(status), ..span }
}

/// The id of what happened to the event with this receipt: the same whoever tells of it, and whenever.
fn id(receipt: Receipt, what: &[&str]) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(receipt.to_bytes());
    for part in what {
        hash.update([0]);
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let id = std::array::from_fn(|place| digest.get(place).copied().unwrap_or_default());
    // Zeros would be no id.
    if id == [0; 8] { [1; 8] } else { id }
}

fn nanos(at_ms: u64) -> u64 {
    at_ms.saturating_mul(1_000_000)
}
