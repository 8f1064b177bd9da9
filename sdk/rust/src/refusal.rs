//! The plugin's own "no", in one word each. Knows nothing of faults.

use crate::Refusal;

/// This event is none of this plugin's business.
#[must_use]
pub const fn skip() -> Refusal {
    Refusal::Skip
}

/// Ask again after so many milliseconds.
#[must_use]
pub const fn retry_after_ms(after_ms: u64) -> Refusal {
    Refusal::RetryAfterMs(after_ms)
}

/// Out of the way, kept whole, for this reason, until a person looks.
#[must_use]
pub fn park(reason: impl Into<String>) -> Refusal {
    Refusal::Park(reason.into())
}

/// A refusal that a later contract names; treated as [`park`].
#[must_use]
pub fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal::Other(reason.into())
}
