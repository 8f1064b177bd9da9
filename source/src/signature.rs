//! What signatures are made of: keyed hashes, their text forms, the time they were made at. Knows nothing of senders.

mod header;

pub(crate) use header::{HeaderSignature, SignedTime, Template};

use crate::settings::{Settings, SettingsError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq as _};

/// Signatures of one request that are compared; the rest of a longer list is not looked at. A sender that rotates
/// its key sends two.
pub(crate) const SIGNATURES_MAX: usize = 8;

/// Seconds that a signature's time may be off, either way, where the configuration says nothing
/// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
pub(crate) const TOLERANCE_USUAL_S: u64 = 300;

/// The longest tolerance that may be configured: a day.
pub(crate) const TOLERANCE_MAX_S: u64 = 86_400;

/// The hash inside the keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-1: weak as a hash, still sound inside HMAC; some senders have nothing else.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal digits of either case.
    Hex,
    /// RFC 4648 with its usual alphabet, padded.
    Base64,
}

impl Encoding {
    /// The bytes that are written so; `None` when the text is not.
    pub(crate) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
        }
    }
}

/// One secret, made ready once.
#[derive(Clone)]
enum MacKey {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl MacKey {
    fn new(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Sha1 => Self::Sha1(Hmac::new_from_slice(secret).ok()?),
            Algorithm::Sha256 => Self::Sha256(Hmac::new_from_slice(secret).ok()?),
            Algorithm::Sha512 => Self::Sha512(Hmac::new_from_slice(secret).ok()?),
        })
    }

    /// The keyed hash of these parts, one after another.
    fn tag(&self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1(key) => finish(key.clone(), parts),
            Self::Sha256(key) => finish(key.clone(), parts),
            Self::Sha512(key) => finish(key.clone(), parts),
        }
    }
}

fn finish(mut mac: impl Mac, parts: &[&[u8]]) -> Vec<u8> {
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The secrets of one source: any of them may have signed.
pub(crate) struct MacKeys(Vec<MacKey>);

impl MacKeys {
    /// Keys from a source's secrets, taken as the bytes of their text, which is what most senders do.
    ///
    /// # Errors
    /// When there is none, when there are too many, when one is weak or too long.
    pub(crate) fn of_texts(algorithm: Algorithm, settings: &Settings) -> Result<Self, SettingsError> {
        settings.check_secrets(|secret| secret)?;
        Self::new(algorithm, settings.secrets.iter().map(String::as_bytes))
    }

    /// Keys from bytes that were checked already.
    ///
    /// # Errors
    /// When the hash takes no such key; none is known that it does not take.
    pub(crate) fn new<'a>(
        algorithm: Algorithm,
        secrets: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, SettingsError> {
        let keys: Option<_> = secrets.map(|secret| MacKey::new(algorithm, secret)).collect();
        keys.map(Self).ok_or_else(|| SettingsError("a secret is no key for its algorithm".into()))
    }

    /// Whether one of these signatures is that of one of the keys. Each is compared with each, whichever matches and
    /// wherever they differ: the time tells nothing of the right one.
    pub(crate) fn signed(&self, parts: &[&[u8]], signatures: &[Vec<u8>]) -> bool {
        let mut right = Choice::from(0);
        for key in &self.0 {
            let tag = key.tag(parts);
            for signature in signatures.iter().take(SIGNATURES_MAX) {
                right |= tag.as_slice().ct_eq(signature);
            }
        }
        right.into()
    }
}

/// Whether this text is a time, in whole seconds since the Unix epoch, that is no more than the tolerance from now.
///
/// # Errors
/// When it is not; says which of the two.
pub(crate) fn check_time(text: &str, now_s: u64, tolerance_s: u64) -> Result<(), &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let time_s: u64 =
        text.parse().ok().filter(|_| digits).ok_or("the time it was signed at is no number of seconds")?;
    if now_s.abs_diff(time_s) <= tolerance_s {
        Ok(())
    } else {
        Err("the time it was signed at is too far from now")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn hexadecimal_is_read_in_either_case_and_nothing_else() {
        for (text, bytes) in [
            ("", Some(vec![])),
            ("00fF", Some(vec![0, 255])),
            ("0", None),
            ("+f", None),
            (" f", None),
            ("0x", None),
            ("éé", None),
            ("٣٣", None),
        ] {
            assert_eq!(Encoding::Hex.decode(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_time_is_read_strictly() {
        let now_s = 1_614_265_330;
        for (text, right) in [
            ("1614265330", true),
            ("1614265030", true),
            ("1614265029", false),
            ("1614265630", true),
            ("1614265631", false),
            ("0", false),
            ("", false),
            ("NaN", false),
            ("+1614265330", false),
            ("-1614265330", false),
            (" 1614265330", false),
            ("1614265330.0", false),
            ("1.61426533e9", false),
            ("inf", false),
            ("18446744073709551615", false),
            ("999999999999999999999999999999999999", false),
            ("١٦١٤٢٦٥٣٣٠", false),
        ] {
            assert_eq!(check_time(text, now_s, 300).is_ok(), right, "{text}");
        }
        assert!(check_time("0", 0, 0).is_ok());
        assert!(check_time("999999999999999", u64::MAX, 300).is_err());
    }

    /// RFC 2202, test case 2, and RFC 4231, test case 2.
    #[test]
    fn the_keyed_hashes_are_those_of_their_rfcs() {
        for (algorithm, tag) in [
            (Algorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (Algorithm::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                Algorithm::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let keys = MacKeys::new(algorithm, [&b"Jefe"[..]].into_iter()).expect("a key");
            let tag = Encoding::Hex.decode(tag).expect("hex");
            let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
            assert!(keys.signed(&parts, &[vec![], tag.clone()]), "{algorithm:?}");
            assert!(!keys.signed(&parts, &[tag[1..].to_vec()]), "{algorithm:?}");
            assert!(!keys.signed(&parts[1..], &[tag]), "{algorithm:?}");
        }
    }

    #[test]
    fn a_list_of_ten_thousand_signatures_is_bounded() {
        let keys = MacKeys::new(Algorithm::Sha256, [&b"Jefe"[..]].into_iter()).expect("a key");
        let right = keys.0[0].tag(&[b"body"]);
        let mut list = vec![vec![0; 32]; 10_000];
        list[SIGNATURES_MAX - 1] = right.clone();
        assert!(keys.signed(&[b"body"], &list), "the last that is looked at");
        list.swap(SIGNATURES_MAX - 1, SIGNATURES_MAX);
        assert!(!keys.signed(&[b"body"], &list), "the first that is not");
    }
}
