//! The raw bytes of a request inside JSON text, and their hash.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::fmt;

/// The SHA-256 of a request's raw bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash as it is written: 64 hexadecimal digits. `None` when the text is none.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a hash is 64 hexadecimal digits"))
    }
}

/// How the raw bytes stand in the envelope's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As they are: they are UTF-8.
    Text,
    /// RFC 4648, with padding: they are not UTF-8, or so full of characters JSON escapes that this is shorter.
    Base64,
}

/// The shorter of the two encodings that can carry these bytes.
pub(crate) fn encode(bytes: &[u8]) -> (Encoding, Cow<'_, str>) {
    match std::str::from_utf8(bytes) {
        Ok(text) if escaped_bytes(bytes) <= bytes.len().div_ceil(3) * 4 => {
            (Encoding::Text, Cow::Borrowed(text))
        }
        _ => (Encoding::Base64, Cow::Owned(STANDARD.encode(bytes))),
    }
}

/// The bytes that were encoded, or `None` when the text is not what the encoding says.
pub(crate) fn decode(encoding: Encoding, text: Cow<'_, str>) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Text => Some(text.into_owned().into_bytes()),
        Encoding::Base64 => STANDARD.decode(text.as_bytes()).ok(),
    }
}

/// Bytes of a JSON string with this content, quotes not counted.
pub(crate) fn escaped_bytes(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0x00..=0x1f => 6,
            _ => 1,
        })
        .sum()
}
