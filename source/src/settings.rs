//! What the configuration says of one source besides its tokens: the entry's `signing`. Knows nothing of profiles.

use crate::json;
use crate::signature::{Algorithm, Encoding, TOLERANCE_MAX_S};
use crate::strength;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt;

/// Secrets of one source at most: two while one is being rotated, and room for a mistake.
pub const SECRETS_MAX: usize = 4;

/// Characters in the longest secret.
pub const SECRET_CHARS_MAX: usize = 256;

/// Characters in the longest header name, prefix and template.
const TEXT_CHARS_MAX: usize = 128;

/// The keys of `signing`.
pub const KEYS: [&str; 6] = ["secrets", "header", "algorithm", "encoding", "prefix", "timestamp"];

/// The keys of `signing.timestamp`.
pub const TIMESTAMP_KEYS: [&str; 3] = ["header", "tolerance_s", "template"];

/// An entry's `signing`. Written, it is what it was read from.
#[derive(Clone, Default, Serialize)]
pub struct Settings {
    /// What its sender signs with; several while one is being rotated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The header that the signature stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The hash inside the keyed hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// How the signature is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// What stands before the signature in its header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The time that is signed with the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampSettings>,
}

/// The time that is signed with the body: `signing.timestamp`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TimestampSettings {
    /// The header that the time stands in, in seconds since the Unix epoch.
    pub header: String,
    /// Seconds that it may be off, either way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance_s: Option<u64>,
    /// How time and body stand in what is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// Why settings are not what a profile needs. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub String);

impl Settings {
    /// Reads an entry's `signing`.
    ///
    /// # Errors
    /// When it is not an object, has a key that there is not, or a value of another kind than its key's.
    pub fn read(text: &str) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        for (key, value) in object("signing", text, &KEYS)? {
            match key.as_str() {
                "secrets" => settings.secrets = get("signing.secrets", value, "a list of texts")?,
                "header" => settings.header = Some(header_name("signing.header", value)?),
                "algorithm" => {
                    settings.algorithm = Some(get("signing.algorithm", value, "sha1, sha256 or sha512")?);
                }
                "encoding" => settings.encoding = Some(get("signing.encoding", value, "hex or base64")?),
                "prefix" => settings.prefix = Some(short_text("signing.prefix", value)?),
                _ => settings.timestamp = Some(TimestampSettings::read(value.get())?),
            }
        }
        Ok(settings)
    }

    /// The keys that say something.
    pub fn keys_given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            !self.secrets.is_empty(),
            self.header.is_some(),
            self.algorithm.is_some(),
            self.encoding.is_some(),
            self.prefix.is_some(),
            self.timestamp.is_some(),
        ];
        KEYS.into_iter().zip(given).filter_map(|(key, given)| given.then_some(key))
    }

    /// Whether there are secrets, not too many, and each is strong enough. `part` is what of a secret was drawn at
    /// random: some senders put a fixed word before it.
    pub(crate) fn check_secrets(&self, part: fn(&str) -> &str) -> Result<(), SettingsError> {
        self.count_secrets()?;
        for (number, secret) in (1..).zip(&self.secrets) {
            check_secret(number, secret, strength::bits(part(secret)))?;
        }
        Ok(())
    }

    /// Whether there are secrets, and not too many.
    pub(crate) fn count_secrets(&self) -> Result<(), SettingsError> {
        match self.secrets.len() {
            0 => Err(SettingsError(
                "`signing.secrets` is missing: give a list with the secret that the sender signs with, \
                 like \"signing\":{\"secrets\":[\"<secret>\"]}"
                    .into(),
            )),
            1..=SECRETS_MAX => Ok(()),
            _ => Err(SettingsError(format!(
                "`signing.secrets` has more than {SECRETS_MAX}: remove those that the sender no longer signs with"
            ))),
        }
    }
}

/// Whether a secret of so many bits is strong enough, and not too long.
pub(crate) fn check_secret(number: usize, secret: &str, bits: usize) -> Result<(), SettingsError> {
    if secret.chars().count() > SECRET_CHARS_MAX {
        return Err(SettingsError(format!("secret {number} is longer than {SECRET_CHARS_MAX} characters")));
    }
    if bits < strength::BITS_MIN {
        return Err(SettingsError(format!(
            "secret {number} can be guessed: about {bits} bits, at least {} are needed; copy all of it, or, where it \
             is yours to choose, make one with: {}",
            strength::BITS_MIN,
            strength::REMEDY
        )));
    }
    Ok(())
}

impl TimestampSettings {
    fn read(text: &str) -> Result<Self, SettingsError> {
        let mut header = None;
        let mut settings = Self::default();
        for (key, value) in object("signing.timestamp", text, &TIMESTAMP_KEYS)? {
            match key.as_str() {
                "header" => header = Some(header_name("signing.timestamp.header", value)?),
                "tolerance_s" => settings.tolerance_s = Some(tolerance(value)?),
                _ => settings.template = Some(short_text("signing.timestamp.template", value)?),
            }
        }
        settings.header = header.ok_or_else(|| {
            SettingsError(
                "`signing.timestamp.header` is missing: name the header that the time stands in".into(),
            )
        })?;
        Ok(settings)
    }
}

/// The pairs of an object that has these keys only, each once.
fn object<'a>(
    name: &str,
    text: &'a str,
    keys: &[&str],
) -> Result<Vec<(String, &'a RawValue)>, SettingsError> {
    let pairs = json::pairs(text).ok_or_else(|| SettingsError(format!("`{name}` has to be an object")))?;
    for (place, (key, _)) in pairs.iter().enumerate() {
        if !keys.contains(&key.as_str()) {
            let key: String = key.chars().take(json::KEY_CHARS_SHOWN).collect();
            return Err(SettingsError(format!("`{name}` has no key `{key}`; there are {}", keys.join(", "))));
        }
        if pairs.iter().take(place).any(|(before, _)| before == key) {
            return Err(SettingsError(format!("`{name}.{key}` is there twice")));
        }
    }
    Ok(pairs)
}

fn get<'a, T: serde::Deserialize<'a>>(
    name: &str,
    value: &'a RawValue,
    kind: &str,
) -> Result<T, SettingsError> {
    // The reader's own message is left out: it may quote what it read.
    serde_json::from_str(value.get()).map_err(|_| SettingsError(format!("`{name}` has to be {kind}")))
}

fn short_text(name: &str, value: &RawValue) -> Result<String, SettingsError> {
    let text: String = get(name, value, "a text")?;
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(SettingsError(format!("`{name}` is longer than {TEXT_CHARS_MAX} characters")));
    }
    Ok(text)
}

/// A header's name, in lower case.
fn header_name(name: &str, value: &RawValue) -> Result<String, SettingsError> {
    let text = short_text(name, value)?;
    let name_like = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(name_like) {
        return Err(SettingsError(format!("`{name}` has to be the name of a header, like x-signature")));
    }
    Ok(text.to_ascii_lowercase())
}

fn tolerance(value: &RawValue) -> Result<u64, SettingsError> {
    let name = "signing.timestamp.tolerance_s";
    let tolerance_s = get(name, value, "a whole number of seconds")?;
    if tolerance_s > TOLERANCE_MAX_S {
        return Err(SettingsError(format!("`{name}` has to be {TOLERANCE_MAX_S} at most: a day")));
    }
    Ok(tolerance_s)
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({} secrets, redacted)", self.secrets.len())
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}
