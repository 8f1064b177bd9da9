//! Who may ask the admin API, and what was done through it, as they are kept. Knows nothing of SQL.

use crate::access::KeptToken;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows of the audit in one page at most.
const ROWS_MAX: usize = 500;

/// A change of the tokens.
#[derive(Clone, Debug)]
pub enum TokenChange {
    /// This one is new, or takes the place of the one of its name.
    Put(KeptToken),
    /// The one of this name goes.
    Remove(String),
}

/// Which of the audit to list, the newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Only what is before this place; from the last on when it is absent or 0.
    pub before: Option<i64>,
    /// At most so many, and never more than the host's own limit.
    pub rows_max: Option<usize>,
}

impl AuditQuery {
    /// How many rows are meant.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows_max.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX)
    }
}

/// Something that somebody did.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AuditRow {
    /// Its place: the next page's `before`.
    pub cursor: i64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What: `who` did, or was refused, or saw what.
    pub record: serde_json::Value,
}
