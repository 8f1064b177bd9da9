//! What is out of the way and needs a person: how it is named, asked for, and what a person does about it. Knows nothing of
//! SQL.

use super::EventRow;
use super::listing::{InterventionRow, QueryError};
use crate::effect::EffectKey;
use crate::plugin::{PluginName, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use tidegate_envelope::{Receipt, SourceName};

/// What something that is parked is called: the same for as long as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ParkedId {
    /// What a plugin was to decide about an event: `RECEIPT/PLUGIN`.
    Plan(Receipt, PluginName),
    /// An effect, by its key: `RECEIPT/PLUGIN/POSITION`.
    Effect(EffectKey),
    /// A delivery that is no event: `stray/7`.
    Stray(i64),
    /// An alert: `alert/3`.
    Alert(i64),
}

/// The text names nothing that could be parked.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` names nothing that could be parked: it is RECEIPT/PLUGIN, RECEIPT/PLUGIN/POSITION, stray/N or alert/N, as \
     `tidegate parked list` prints it"
)]
pub struct ParkedIdError(String);

impl FromStr for ParkedId {
    type Err = ParkedIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParkedIdError(text.chars().take(80).collect());
        let (first, rest) = text.split_once('/').ok_or_else(error)?;
        match first {
            "stray" => rest.parse().map(Self::Stray).map_err(|_| error()),
            "alert" => rest.parse().map(Self::Alert).map_err(|_| error()),
            _ if rest.contains('/') => text.parse().map(Self::Effect).map_err(|_| error()),
            receipt => {
                let receipt = receipt.parse().map_err(|_| error())?;
                Ok(Self::Plan(receipt, PluginName::new(rest).map_err(|_| error())?))
            }
        }
    }
}

impl TryFrom<String> for ParkedId {
    type Error = ParkedIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ParkedId> for String {
    fn from(id: ParkedId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ParkedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(receipt, plugin) => write!(f, "{receipt}/{plugin}"),
            Self::Effect(key) => write!(f, "{key}"),
            Self::Stray(seq) => write!(f, "stray/{seq}"),
            Self::Alert(seq) => write!(f, "alert/{seq}"),
        }
    }
}

/// Something out of the way that needs a person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ParkedRow {
    /// Its name.
    pub id: ParkedId,
    /// `event` (a plugin's plan), `effect`, `stray` or `alert`.
    pub what: String,
    /// The event's receipt; absent for a stray and an alert.
    pub receipt: Option<Receipt>,
    /// The event's source, or what the alert is about; absent for a stray.
    #[serde(default)]
    pub source: Option<SourceName>,
    /// The event's subject; absent where there is none.
    #[serde(default)]
    pub subject: Option<String>,
    /// Which plugin; absent for a stray and an alert.
    pub plugin: Option<PluginName>,
    /// Which version of it was asked last, or decided.
    #[serde(default)]
    pub version: Option<Version>,
    /// For an effect: its key.
    pub key: Option<String>,
    /// Why it is parked.
    pub why: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// What of all that is parked is meant. All that is given must hold. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParkedQuery {
    /// What has this name.
    pub id: Option<ParkedId>,
    /// Of the event with this receipt.
    pub receipt: Option<Receipt>,
    /// About this subject.
    pub subject: Option<String>,
    /// Of this source.
    pub source: Option<String>,
    /// Of this plugin.
    pub plugin: Option<String>,
    /// `event`, `effect`, `stray` or `alert`.
    pub what: Option<String>,
    /// Whose reason contains this, in whatever case.
    pub reason: Option<String>,
    /// Parked at this time or later.
    pub since_ms: Option<u64>,
    /// Parked before this time.
    pub until_ms: Option<u64>,
    /// After this place, a page's `next`.
    pub after: Option<String>,
    /// At most so many, and never more than the host's own limit.
    pub rows_max: Option<usize>,
}

impl ParkedQuery {
    /// Whether it can be answered. Called before the store is asked.
    ///
    /// # Errors
    /// When `what` is nothing that could be parked: says what there is.
    pub fn check(&self) -> Result<(), QueryError> {
        let known = &["event", "effect", "stray", "alert"];
        QueryError::unless("kind of what is parked", self.what.as_deref(), known)?;
        match self.after.as_deref().map(place_of) {
            Some(None) => Err(QueryError::Place),
            _ => Ok(()),
        }
    }
}

/// Behind which row a page begins: time, kind, place, plugin.
pub(super) type Place = (i64, usize, i64, String);

/// What a page's `next` means.
pub(super) fn place_of(text: &str) -> Option<Place> {
    let mut parts = text.splitn(4, '.');
    let mut number = || parts.next()?.parse().ok();
    let (at_ms, kind, seq) = (number()?, number()?, number()?);
    Some((at_ms, usize::try_from(kind).ok()?, seq, parts.next()?.to_owned()))
}

/// A page of what is parked, longest parked first.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ParkedPage {
    /// What is parked.
    pub rows: Vec<ParkedRow>,
    /// The next page's `after`; absent when this is the last.
    pub next: Option<String>,
}

/// All that there is to say about something that is or was parked.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ParkedDetail {
    /// Its name.
    pub id: ParkedId,
    /// `parked`, or what it is now.
    pub state: String,
    /// Why it is, or was, parked.
    pub why: Option<String>,
    /// The event that it is about, with its timeline.
    pub event: Option<EventRow>,
    /// An effect's request.
    pub request: Option<RequestRow>,
    /// A stray's text, or what an alert says.
    pub body: Option<String>,
    /// What people did about it before, for a stray and an alert; an event's timeline has it already.
    pub interventions: Vec<InterventionRow>,
}

/// An effect's request. Where it has a secret, that is its mark and not the secret.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RequestRow {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Names and values of headers.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body; absent when it has none.
    pub body_bytes: Option<usize>,
    /// The time that one attempt may take, where the plugin said so, in milliseconds.
    pub timeout_ms: Option<u32>,
}

/// What a person does about something that is parked. When it is not parked any more, nothing happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervention {
    /// What is meant.
    pub id: ParkedId,
    /// What is done.
    pub action: Action,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// What a person may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// As if it had not been tried: a plan is asked about, an effect is performed under the same key, an alert is sent. A
    /// stray goes: what is in it is recorded in the same batch.
    Redrive {
        /// The version that a plan is asked of; else whichever decides then.
        version: Option<Version>,
    },
    /// It needs nothing more. It is kept and counts as done.
    Drop {
        /// Why, where the person said so.
        reason: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_thing_and_is_written_as_it_is_read() {
        let receipt = Receipt::new(1, 7);
        for name in ["stray/7", "alert/3", &format!("{receipt}/notice"), &format!("{receipt}/notice/0")] {
            assert_eq!(name.parse::<ParkedId>().expect("a name").to_string(), name);
        }
        for name in ["", "stray", "stray/x", "alert/", "x/notice", &format!("{receipt}/notice/00")] {
            assert!(name.parse::<ParkedId>().is_err(), "{name}");
        }
    }
}
