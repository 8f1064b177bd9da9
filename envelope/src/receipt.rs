//! The id of what was accepted.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use ulid::Ulid;

/// The id of one accepted request, made at the edge: a ULID, 26 characters that sort by time of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(Ulid);

/// The text is not a ULID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a receipt: a receipt is 26 characters of 0-9 and A-Z without I, L, O, U")]
pub struct ReceiptError(String);

impl Receipt {
    /// A receipt from the time of arrival and 80 random bits (the upper 48 bits of `random` are ignored).
    #[must_use]
    pub const fn new(received_at_ms: u64, random: u128) -> Self {
        Self(Ulid::from_parts(received_at_ms, random))
    }

    /// When the edge accepted the request, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp_ms(self) -> u64 {
        self.0.timestamp_ms()
    }

    /// The receipt as 16 bytes that sort as the text does.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// The receipt whose bytes these are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Ulid::from_bytes(bytes))
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ReceiptError(text.chars().take(40).collect());
        let parsed = Ulid::from_string(text).map_err(|_| error())?;
        // Crockford's base 32 has aliases (lower case, `O` for 0): one receipt has one spelling.
        if parsed.array_to_str(&mut [0; ulid::ULID_LEN]) == text { Ok(Self(parsed)) } else { Err(error()) }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({})", self.0)
    }
}

impl Serialize for Receipt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Receipt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
