//! The secret part of a source's URL. Knows nothing of URLs, requests or configuration.

use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use tidegate_envelope::{Digest, SourceName};

/// Characters in the shortest token: 16 of 64 possible characters are 96 bits, out of reach of guessing.
pub const TOKEN_CHARS_MIN: usize = 16;

/// Characters in the longest token.
pub const TOKEN_CHARS_MAX: usize = 256;

/// A source's name and one of its tokens, kept as one hash.
///
/// The hash is what makes the comparison blind: whatever is presented becomes 32 bytes before it is compared,
/// so neither the length of a token nor where it differs shows in the time, and an unknown source is the same
/// case as an unknown token. The token itself is not kept at all.
#[derive(Clone)]
pub struct TokenKey(Digest);

/// Why a text cannot be a token. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Fewer than [`TOKEN_CHARS_MIN`] characters.
    TooShort,
    /// More than [`TOKEN_CHARS_MAX`] characters.
    TooLong,
    /// A character that a URL's path does not carry as it is.
    NotUrlSafe,
}

impl TokenKey {
    /// The key of a token that was configured for this source.
    ///
    /// # Errors
    /// When the token is too short, too long, or has a character other than `A-Z a-z 0-9 - . _ ~`.
    pub fn new(source: &SourceName, token: &str) -> Result<Self, TokenError> {
        let url_safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if !token.bytes().all(url_safe) {
            Err(TokenError::NotUrlSafe)
        } else if token.len() < TOKEN_CHARS_MIN {
            Err(TokenError::TooShort)
        } else if token.len() > TOKEN_CHARS_MAX {
            Err(TokenError::TooLong)
        } else {
            Ok(Self(Digest::of(format!("{source}/{token}").as_bytes())))
        }
    }

    /// The key of what a request presents: the text `<source>/<token>` as it stands in the path. Any text has one.
    #[must_use]
    pub fn presented(source_and_token: &str) -> Self {
        Self(Digest::of(source_and_token.as_bytes()))
    }
}

impl ConstantTimeEq for TokenKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_bytes().ct_eq(other.0.as_bytes())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(redacted)")
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "is shorter than {TOKEN_CHARS_MIN} characters"),
            Self::TooLong => write!(f, "is longer than {TOKEN_CHARS_MAX} characters"),
            Self::NotUrlSafe => f.write_str("has a character other than A-Z a-z 0-9 - . _ ~"),
        }
    }
}

impl std::error::Error for TokenError {}
