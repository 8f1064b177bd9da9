//! Recognises an event that tells of nothing but what an effect of ours wrote to its sender. Pure.
//!
//! The sender says neither who changed an asset nor why, so a plugin that writes to it would be told of its own writing and
//! write again. What was written is kept for a short while and looked for in the events that follow. Where that is not
//! certain, an event is no echo: one time too many a plugin is asked, and no change that a person made is kept from it.

use crate::arrival;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How long an echo is expected, in milliseconds: the sender tries again for a while when the edge cannot be reached.
pub const EXPECTED_MS: u64 = 10 * 60 * 1_000;
/// How many writes about one subject are kept.
pub const EXPECTED_MAX: usize = 16;
/// How long a body may be to be kept, in bytes: it is read with each of the subject's events.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the sender writes into each of its events by itself, as pointers.
const STAMPS: [&str; 2] = ["/updated_at", "/event_type"];

/// What one effect wrote: the next event of the subject is expected to say so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The JSON object that was sent.
    pub fields: Map<String, Value>,
    /// Until when it is expected, in milliseconds since the Unix epoch.
    pub until_ms: u64,
}

/// What is to be expected after this body was written to the sender; `None` when it is no JSON object that says anything,
/// or longer than [`BODY_BYTES_MAX`].
#[must_use]
pub fn expect(body: &[u8], now_ms: u64) -> Option<Expected> {
    if body.len() > BODY_BYTES_MAX {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    (!fields.is_empty()).then(|| Expected { fields, until_ms: now_ms.saturating_add(EXPECTED_MS) })
}

/// Adds one in place of one that says the same, and drops those whose time is over and the oldest over [`EXPECTED_MAX`].
pub fn remember(expected: &mut Vec<Expected>, new: Expected, now_ms: u64) {
    expected.retain(|old| old.until_ms >= now_ms && old.fields != new.fields);
    expected.push(new);
    let excess = expected.len().saturating_sub(EXPECTED_MAX);
    expected.drain(..excess);
}

/// Whether all that has changed is what was expected: the pointers of `changed` lead into `json`, the event's body.
///
/// One write must account for all of it, and the event must say what that write said wherever something has changed. When
/// nothing but the sender's own stamps has changed, the event must say all that was written: a write that changed nothing.
/// When nothing at all has changed, or nothing is known to have, it is no echo; neither is what creates or deletes an asset.
#[must_use]
pub fn is_echo(expected: &[Expected], changed: &[String], json: &str, now_ms: u64) -> bool {
    let mut awaited = expected.iter().filter(|expected| now_ms <= expected.until_ms).peekable();
    if changed.is_empty() || awaited.peek().is_none() {
        return false;
    }
    let Ok(told) = serde_json::from_str::<Map<String, Value>>(json) else { return false };
    let kind = told.get("event_type").and_then(Value::as_str);
    if matches!(kind, Some(arrival::CREATE | arrival::DELETE)) {
        return false;
    }
    let pointers: Vec<_> = changed.iter().filter(|pointer| !STAMPS.contains(&pointer.as_str())).collect();
    awaited.any(|Expected { fields, .. }| match pointers.as_slice() {
        [] => says_all(&told, fields),
        pointers => pointers.iter().all(|pointer| accounts_for(fields, &told, pointer)),
    })
}

/// Whether this write, and the event saying so, is why what the pointer leads to has changed.
fn accounts_for(sent: &Map<String, Value>, told: &Map<String, Value>, pointer: &str) -> bool {
    let mut keys = pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"));
    let Some((key, value)) = keys.next().and_then(|key| sent.get_key_value(&key)) else { return false };
    says(told.get(key), value) && is_written(value, keys)
}

/// Whether these keys lead to something that was written. What is beside a written `id` belongs to what that points at,
/// and changes with it: who writes a location's id is told its name too.
fn is_written(sent: &Value, keys: impl Iterator<Item = String>) -> bool {
    let mut at = sent;
    for key in keys {
        let Value::Object(fields) = at else { return true };
        match fields.get(&key) {
            Some(field) => at = field,
            None => return fields.contains_key("id"),
        }
    }
    true
}

/// Whether the event says what was sent. It may say more of an object, and it may leave out what was sent as null.
fn says(told: Option<&Value>, sent: &Value) -> bool {
    match (told.unwrap_or(&Value::Null), sent) {
        (Value::Object(told), Value::Object(sent)) => says_all(told, sent),
        // Senders write an id one way and read it the other.
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            number.to_string() == *text
        }
        (told, sent) => told == sent,
    }
}

fn says_all(told: &Map<String, Value>, sent: &Map<String, Value>) -> bool {
    sent.iter().all(|(key, value)| says(told.get(key), value))
}

#[cfg(test)]
mod tests;
