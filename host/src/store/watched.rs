//! What is remembered of watching sources: alerts and their sending, gaps, rhythms. Knows nothing of SQL.

use super::EffectState;
use crate::alert::{Alert, Gap};
use crate::condition;
use crate::rhythm::Rhythm;
use crate::vigil::{Changes, Memory};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_envelope::SourceName;

/// What one look at the sources gave, and what sending alerts gave.
#[derive(Debug, Default)]
pub struct WatchedBatch {
    /// Alerts that were raised; a gap that one of them tells of is kept for itself, too.
    pub alerts: Vec<Alert>,
    /// Whether they are to be sent.
    pub sending: Sending,
    /// What the vigil must remember.
    pub changes: Changes,
    /// What must be remembered of how the host is, if that changed.
    pub conditions: Option<condition::Memory>,
    /// What attempts to send earlier ones gave.
    pub outcomes: Vec<AlertOutcome>,
}

/// Whether alerts are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sending {
    /// They are: the outbox of alerts has them from now on.
    On,
    /// There is nobody to send them to: they are only listed.
    #[default]
    Off,
}

/// An alert's place in its outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlertSeq(pub i64);

/// An alert whose time has come.
#[derive(Debug)]
pub struct DueAlert {
    /// Its place in the outbox.
    pub seq: AlertSeq,
    /// Its id: the same at each attempt.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The body to send, JSON.
    pub payload: String,
    /// How often it was attempted before.
    pub attempts: u32,
}

/// What one attempt at sending an alert gave.
#[derive(Debug)]
pub struct AlertOutcome {
    /// Which alert.
    pub seq: AlertSeq,
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// What becomes of it.
    pub state: EffectState,
    /// What happened, for people.
    pub what: String,
    /// When the attempt ended, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// One alert as lists show it. All times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AlertRow {
    /// Its id, as the receiver sees it in `webhook-id`.
    pub id: String,
    /// Its type: `source.cut_off`.
    pub kind: String,
    /// The source it is about.
    pub source: Option<SourceName>,
    /// When it was raised.
    pub raised_at_ms: u64,
    /// `waiting`, `done`, `parked`; `logged` when there was nobody to send it to.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// What the last attempt gave.
    pub what: Option<String>,
    /// When that ended.
    pub at_ms: Option<u64>,
    /// What was sent, or would have been.
    pub payload: Value,
}

/// What the last vigil left. Read once, at start.
#[derive(Debug, Default)]
pub struct LastVigil {
    /// Its memory.
    pub memory: Memory,
    /// The rhythms it knew.
    pub rhythms: Vec<(SourceName, Rhythm)>,
    /// What was said of the host as a whole.
    pub conditions: condition::Memory,
}

/// The gap that an alert tells of.
pub(super) const fn gap_of(alert: &Alert) -> Option<&Gap> {
    match alert {
        Alert::Resumed { gap, .. } => Some(gap),
        _ => None,
    }
}
