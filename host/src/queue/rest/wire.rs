//! Deliveries and settlements as JSON. Reads leniently, writes strictly: the documentation, the official SDKs
//! and what is seen in production do not agree. Knows nothing of connections.

use crate::queue::{Delivery, DeliveryBody, End, Held, Lease, Settle};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// The deliveries of a pull's `result`, and the queue's backlog. The result may be nothing, an object, or (as the
/// oldest SDK has it) the messages themselves.
pub(super) fn deliveries(mut result: Value) -> (Vec<Delivery>, Option<u64>) {
    let backlog = number(&result["message_backlog_count"])
        .or_else(|| number(&result["metadata"]["metrics"]["backlog_count"]));
    let messages = match &mut result {
        Value::Array(messages) => std::mem::take(messages),
        other => match take(other, "messages") {
            Value::Array(messages) => messages,
            _ => vec![],
        },
    };
    (messages.into_iter().filter_map(delivery).collect(), backlog)
}

/// A message without a lease cannot be settled, so it is not worked on: the queue delivers it again.
fn delivery(mut message: Value) -> Option<Delivery> {
    let Value::String(lease) = take(&mut message, "lease_id") else {
        tracing::warn!(message = %message["id"], "the queue delivered a message without a lease");
        return None;
    };
    let raw = take(&mut message, "body");
    let content_type = message["metadata"]["CF-Content-Type"].as_str();
    Some(Delivery {
        lease: Lease(Held::Text(lease)),
        attempts: number(&message["attempts"]).and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(0),
        queued_at_ms: number(&message["timestamp_ms"]).unwrap_or(0),
        body: body(raw, content_type),
    })
}

/// Takes a field out, nothing when there is no such field or the value has none.
pub(super) fn take(value: &mut Value, field: &str) -> Value {
    value.get_mut(field).map(Value::take).unwrap_or_default()
}

/// What a body says, by its content type. The edge sends `text`; a type that is missing is taken for it.
fn body(body: Value, content_type: Option<&str>) -> DeliveryBody {
    let raw = match body {
        Value::String(raw) => raw,
        other => {
            return DeliveryBody::Undecodable {
                reason: "the body is not a string".to_owned(),
                raw: other.to_string(),
            };
        }
    };
    let text = match content_type {
        None | Some("text") => return DeliveryBody::Text(raw),
        Some("json") => json_text(&raw).ok_or("the body is neither JSON nor base64 of JSON".to_owned()),
        Some("bytes") => base64_text(&raw).ok_or("the body is not base64 of UTF-8 text".to_owned()),
        Some(other) => Err(format!("a body of content type `{other}` cannot be read outside a Worker")),
    };
    match text {
        Ok(text) => DeliveryBody::Text(text),
        Err(reason) => DeliveryBody::Undecodable { reason, raw },
    }
}

/// The documentation says base64, its example shows plain JSON, and production has sent both. What starts like an
/// object, a list or a string is no base64; `1234` and `true` could be either and count as base64 only if JSON
/// comes out.
fn json_text(raw: &str) -> Option<String> {
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    let decoded = match raw.trim_start().chars().next() {
        Some('{' | '[' | '"') => None,
        _ => base64_text(raw).filter(|text| is_json(text)),
    };
    decoded.or_else(|| is_json(raw).then(|| raw.to_owned()))
}

fn base64_text(raw: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(raw).ok()?).ok()
}

/// A whole number, also when it is written as `2.0`.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|float| float.fract() == 0.0)?;
        format!("{float:.0}").parse().ok()
    })
}

/// The body of an acknowledgement.
pub(super) fn settlement(settled: &[Settle]) -> Value {
    let mut acks = vec![];
    let mut retries = vec![];
    for Settle { lease, end } in settled {
        let Held::Text(lease_id) = &lease.0 else {
            panic!("a delivery is settled at the queue that made it");
        };
        match (end, end.delay_s()) {
            (End::Ack, _) => acks.push(json!({ "lease_id": lease_id })),
            (End::Retry(_), None) => retries.push(json!({ "lease_id": lease_id })),
            (End::Retry(_), Some(delay_s)) => {
                retries.push(json!({ "lease_id": lease_id, "delay_seconds": delay_s }));
            }
        }
    }
    json!({ "acks": acks, "retries": retries })
}

/// Leases the queue did not take, by its own account: a map from lease to reason, or (in an older SDK) a list of
/// reasons. Their deliveries come again. The lease itself is a right and is not shown.
pub(super) fn log_warnings(result: &Value) {
    let warnings: Vec<&Value> = match &result["warnings"] {
        Value::Object(warnings) => warnings.values().collect(),
        Value::Array(warnings) => warnings.iter().collect(),
        _ => vec![],
    };
    if let Some(first) = warnings.first() {
        tracing::warn!(count = warnings.len(), %first, "the queue did not take some leases");
    }
}
