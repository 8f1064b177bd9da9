//! What `SOURCES` says of one source, as it is written. Knows nothing of profiles.

use super::{SourcesError, TOKENS_MAX};
use crate::json;
use crate::settings::Settings;
use serde_json::value::RawValue;
use tidegate_envelope::SourceName;

/// The keys of an entry.
const KEYS: [&str; 3] = ["profile", "tokens", "signing"];

/// What the configuration says of one source.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) profile: Option<String>,
    pub(crate) tokens: Vec<String>,
    pub(crate) signing: Option<Settings>,
}

impl Entry {
    /// Reads an object, or a list of tokens.
    pub(crate) fn read(name: &SourceName, value: &RawValue) -> Result<Self, SourcesError> {
        let shape = |what| SourcesError::Shape { source: name.clone(), what };
        let text = value.get().trim_start();
        if text.starts_with('[') {
            return Ok(Self { tokens: tokens(name, value)?, ..Self::default() });
        }
        let pairs = json::pairs(text).ok_or_else(|| {
            shape("has to be an object with profile, tokens and signing, or a list of tokens")
        })?;
        let mut entry = Self::default();
        for (place, (key, value)) in pairs.iter().enumerate() {
            if !KEYS.contains(&key.as_str()) {
                let key = key.chars().take(json::KEY_CHARS_SHOWN).collect();
                return Err(SourcesError::Key { source: name.clone(), key });
            }
            if pairs.iter().take(place).any(|(before, _)| before == key) {
                return Err(shape("has a key twice"));
            }
            match key.as_str() {
                "profile" => {
                    let profile = serde_json::from_str(value.get());
                    entry.profile = Some(profile.map_err(|_| shape("`profile` has to be a text"))?);
                }
                "tokens" => entry.tokens = tokens(name, value)?,
                _ => {
                    let settings = Settings::read(value.get());
                    entry.signing = Some(
                        settings.map_err(|error| SourcesError::Settings { source: name.clone(), error })?,
                    );
                }
            }
        }
        Ok(entry)
    }

    /// Whether it has tokens, and no more than one digit can number.
    pub(crate) fn count_tokens(&self, name: &SourceName) -> Result<(), SourcesError> {
        match self.tokens.len() {
            0 => Err(SourcesError::NoToken(name.clone())),
            1..=TOKENS_MAX => Ok(()),
            _ => Err(SourcesError::ManyTokens(name.clone())),
        }
    }
}

fn tokens(name: &SourceName, value: &RawValue) -> Result<Vec<String>, SourcesError> {
    serde_json::from_str(value.get())
        .map_err(|_| SourcesError::Shape { source: name.clone(), what: "`tokens` has to be a list of texts" })
}
