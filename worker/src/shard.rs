//! Which of several queues an event belongs to: all events about one subject go to the same one. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_envelope::{Receipt, spread};
use tidegate_source::Source;

/// Queues at most: the bindings QUEUE, QUEUE_1 to QUEUE_9.
pub const SHARDS_MAX: usize = 10;

/// The place of an event's queue, below `shards`. With one queue nothing is read.
#[must_use]
pub fn choose(
    source: &Source,
    headers: &[(&str, &str)],
    body: &[u8],
    receipt: Receipt,
    shards: usize,
) -> usize {
    if shards <= 1 {
        return 0;
    }
    let hash = match source.profile.topic(headers, body).subject {
        Some(subject) => spread(subject.as_bytes()),
        None => match id(body) {
            Some(id) => spread(id.as_bytes()),
            None => spread(&receipt.to_bytes()),
        },
    };
    let of = u64::try_from(shards).unwrap_or(1);
    usize::try_from(hash.checked_rem(of).unwrap_or_default()).unwrap_or_default()
}

/// The top-level `id` of a JSON object, as text: `675` and `"675"` are one subject.
fn id(body: &[u8]) -> Option<&str> {
    #[derive(Deserialize)]
    struct Subject<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
    }
    // A struct is read from a list as well.
    let object = body.trim_ascii_start().starts_with(b"{").then_some(body)?;
    let subject: Subject<'_> = serde_json::from_slice(object).ok()?;
    Some(subject.id?.get().trim_matches('"'))
}
