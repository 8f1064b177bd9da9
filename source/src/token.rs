//! The secret part of a source's URL. Knows nothing of URLs, requests or configuration.

use crate::strength;
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use tidegate_envelope::{Digest, SourceName};

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
    /// It can be guessed: it has about so many bits, fewer than [`strength::BITS_MIN`].
    Weak(usize),
    /// More than [`TOKEN_CHARS_MAX`] characters.
    TooLong,
    /// A character that a URL's path does not carry as it is.
    NotUrlSafe,
}

impl TokenKey {
    /// The key of a token that was configured for this source.
    ///
    /// # Errors
    /// When the token can be guessed, is too long, or has a character other than `A-Z a-z 0-9 - . _ ~`.
    pub fn new(source: &SourceName, token: &str) -> Result<Self, TokenError> {
        let url_safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if !token.bytes().all(url_safe) {
            Err(TokenError::NotUrlSafe)
        } else if token.len() > TOKEN_CHARS_MAX {
            Err(TokenError::TooLong)
        } else {
            match strength::bits(token) {
                bits @ ..strength::BITS_MIN => Err(TokenError::Weak(bits)),
                _ => Ok(Self(Digest::of(format!("{source}/{token}").as_bytes()))),
            }
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
            Self::Weak(bits) => write!(
                f,
                "can be guessed: about {bits} bits, at least {} are needed; make one with: {}",
                strength::BITS_MIN,
                strength::REMEDY
            ),
            Self::TooLong => write!(f, "is longer than {TOKEN_CHARS_MAX} characters"),
            Self::NotUrlSafe => {
                write!(
                    f,
                    "has a character other than A-Z a-z 0-9 - . _ ~; make one with: {}",
                    strength::REMEDY
                )
            }
        }
    }
}

impl std::error::Error for TokenError {}
