//! What a plugin was asked about, and what it would have been: enough to ask again. Knows nothing of SQL.

use crate::event::Event;
use crate::fingerprint::Fingerprint;
use crate::plugin::{Manifest, Version};
use std::sync::Arc;

/// Which events of the past to give, the newest first.
#[derive(Clone, Debug)]
pub struct PastQuery {
    /// Of the plugin with this name: those that it was asked about, whichever version, and those that it would be asked
    /// about under this manifest.
    pub manifest: Arc<Manifest>,
    /// Only those before this place; from the last on when it is absent.
    pub before: Option<i64>,
    /// Only those accepted at this time or later, in milliseconds since the Unix epoch.
    pub since_ms: Option<u64>,
    /// At most so many, and never more than the store's own limit.
    pub events_max: usize,
}

/// Some of the events that were asked for. Few or none may be in it though more are to come: each page is a bounded piece
/// of work.
#[derive(Debug)]
pub struct PastPage {
    /// The events, the newest first.
    pub events: Vec<Past>,
    /// Where to go on: the next page's `before`.
    pub cursor: i64,
    /// Whether nothing is left.
    pub is_end: bool,
}

/// One event of the past.
#[derive(Debug)]
pub struct Past {
    /// Its place in the order of arrival: the next page's `before`.
    pub place: i64,
    /// The event, as the plugin was told of it.
    pub event: Event,
    /// What was recorded of its answer; `None` when it was not asked.
    pub asked: Option<PastAsk>,
}

/// What is known of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastAsk {
    /// Which version answered.
    pub version: Version,
    /// Which time it was asked, from 1.
    pub attempt: u32,
    /// What it remembered of the subject.
    pub memory: Option<Vec<u8>>,
    /// Tells the answer from any other; `None` when there was none, or an older Tidegate recorded it.
    pub fingerprint: Option<Fingerprint>,
    /// Whether nothing kept it from being carried out: no fault, no refusal.
    pub is_decided: bool,
}
