//! What a manifest may ask for where the operator has the last word. Pure.

use crate::retry::RetryPolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A class of arrival that a plugin may want to be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is explained where it is found, in `Arrival`")]
pub enum ArrivalAsked {
    Stale,
    Conflict,
    AfterDelete,
    Echo,
}

/// When a plugin wants to be asked again; what it does not name is the operator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryAsked {
    /// How often it is asked in all; never more often than the operator allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The wait after the first time, in milliseconds, before jitter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// The longest wait, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_ms: Option<u64>,
}

impl RetryAsked {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The schedule that holds under the operator's.
    #[must_use]
    pub fn under(&self, operator: &RetryPolicy) -> RetryPolicy {
        RetryPolicy {
            attempts_max: self
                .attempts
                .map_or(operator.attempts_max, |asked| asked.clamp(1, operator.attempts_max)),
            first_ms: self.first_ms.unwrap_or(operator.first_ms),
            factor: operator.factor,
            cap_ms: self.cap_ms.unwrap_or(operator.cap_ms),
        }
    }
}

/// The limits a manifest names; what it does not name is the operator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each is explained where it is enforced, in `Limits`")]
pub struct LimitsAsked {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_time_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_growths: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_elements: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostcall_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<usize>,
}
