//! The name of a sender.

use crate::limit::SOURCE_NAME_BYTES_MAX;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The name of one sender: lower-case letters, digits and hyphens, as in a host name. It stands in the
/// request URL, so it is not a secret. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(Arc<str>);

/// Whether a text is a label as in a host name, in lower case: what sources and plugins are named by.
#[must_use]
pub fn is_label(text: &str) -> bool {
    (1..=SOURCE_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The text cannot be a source's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a source: use 1 to 63 of a-z, 0-9 and -, not first or last a -")]
pub struct SourceNameError(String);

impl SourceName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// When the text is empty, longer than 63 bytes, or has a character that a name may not have.
    pub fn new(text: &str) -> Result<Self, SourceNameError> {
        if is_label(text) {
            Ok(Self(text.into()))
        } else {
            Err(SourceNameError(text.chars().take(80).collect()))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SourceName {
    type Error = SourceNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceName({})", self.0)
    }
}
