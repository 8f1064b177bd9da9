//! The text of `SOURCES` as an operator edits it: any fault in it is an error, and what is written is what was read.
//! Text in, text out; knows nothing of files.

use crate::json;
use crate::settings::Settings;
use crate::sources::{Entry, PROFILE_USUAL, Sources, SourcesError, TOKENS_MAX};
use crate::token::TokenKey;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use std::fmt;
use tidegate_envelope::SourceName;

/// Bytes in the longest secret of a Worker: 5 KB
/// (<https://developers.cloudflare.com/workers/platform/limits/#environment-variables>).
pub const SOURCES_BYTES_MAX: usize = 5_120;

/// Every source, in the order of the text it was read from.
pub struct SourcesFile {
    entries: Vec<(SourceName, Entry)>,
}

/// Why a text is not taken, or an edit not done. Never holds a token or a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum FileError {
    /// Something is wrong with a source, or with all of it.
    Fault {
        /// The line, from 1, that the source is in; `None` when the fault says it itself or is in no line.
        line: Option<usize>,
        /// What is wrong.
        error: SourcesError,
    },
    /// No source has this name.
    NoSource {
        /// The name that was asked for.
        source: SourceName,
        /// The names there are.
        known: Vec<SourceName>,
    },
    /// The source has no token of this number.
    NoSuchToken {
        /// Whose.
        source: SourceName,
        /// How many it has.
        tokens: usize,
    },
    /// Without its last token the source would have no URL.
    LastToken(SourceName),
    /// The source has this token already.
    KnownToken(SourceName),
    /// More bytes than a Worker's secret may have.
    TooLong(usize),
    /// It cannot be written as JSON: a fault of this program.
    Unwritable,
}

impl SourcesFile {
    /// Reads the text strictly: what [`Sources::parse`] lives with is an error here.
    ///
    /// # Errors
    /// The first fault, and the line it is in.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        match Sources::parse(text) {
            Err(error) => return Err(FileError::Fault { line: None, error }),
            Ok(sources) => {
                if let Some((line, error)) = sources.into_fault() {
                    return Err(FileError::Fault { line: Some(line), error });
                }
            }
        }
        let entries = entries(text).map_err(|error| FileError::Fault { line: None, error })?;
        Ok(Self { entries })
    }

    /// The sources' names, in order, with how many tokens each has.
    pub fn sources(&self) -> impl Iterator<Item = (&SourceName, usize)> {
        self.entries.iter().map(|(name, entry)| (name, entry.tokens.len()))
    }

    /// Gives a source one token more, its last; the others stay live. Returns its number, from 1.
    ///
    /// # Errors
    /// When there is no such source, the token can be guessed or cannot stand in a URL, or is there already, or the
    /// source has [`TOKENS_MAX`].
    pub fn add_token(&mut self, source: &SourceName, token: &str) -> Result<usize, FileError> {
        let fault = |error| FileError::Fault { line: None, error };
        let entry = self.entry(source)?;
        let number = entry.tokens.len().saturating_add(1);
        if number > TOKENS_MAX {
            return Err(fault(SourcesError::ManyTokens(source.clone())));
        }
        TokenKey::new(source, token)
            .map_err(|error| fault(SourcesError::Token { source: source.clone(), number, error }))?;
        if entry.tokens.iter().any(|known| known == token) {
            return Err(FileError::KnownToken(source.clone()));
        }
        entry.tokens.push(token.to_owned());
        Ok(number)
    }

    /// Takes a token away, by its number from 1: its URL is unknown from then on. Those after it move up.
    ///
    /// # Errors
    /// When there is no such source or number, or it is the last one.
    pub fn drop_token(&mut self, source: &SourceName, number: usize) -> Result<(), FileError> {
        let entry = self.entry(source)?;
        let tokens = entry.tokens.len();
        let place = number.checked_sub(1).filter(|place| *place < tokens);
        let place = place.ok_or_else(|| FileError::NoSuchToken { source: source.clone(), tokens })?;
        if tokens == 1 {
            return Err(FileError::LastToken(source.clone()));
        }
        entry.tokens.remove(place);
        Ok(())
    }

    /// The text: a line per key, sources in their order, an entry's keys as they are documented. A list of tokens has
    /// become the object it stands for.
    ///
    /// # Errors
    /// When the shortest form of it is longer than a Worker's secret may be.
    pub fn to_json(&self) -> Result<String, FileError> {
        let shortest = serde_json::to_string(self).map_err(|_| FileError::Unwritable)?;
        if shortest.len() > SOURCES_BYTES_MAX {
            return Err(FileError::TooLong(shortest.len()));
        }
        let mut text = serde_json::to_string_pretty(self).map_err(|_| FileError::Unwritable)?;
        if text.len() >= SOURCES_BYTES_MAX {
            text = shortest;
        }
        text.push('\n');
        Ok(text)
    }

    fn entry(&mut self, source: &SourceName) -> Result<&mut Entry, FileError> {
        let place = self.entries.iter().position(|(name, _)| name == source);
        let known: Vec<_> = self.entries.iter().map(|(name, _)| name.clone()).collect();
        let entry = place.and_then(|place| self.entries.get_mut(place));
        entry.map(|(_, entry)| entry).ok_or_else(|| FileError::NoSource { source: source.clone(), known })
    }
}

fn entries(text: &str) -> Result<Vec<(SourceName, Entry)>, SourcesError> {
    let listed = json::read(text)
        .map_err(|error| SourcesError::Malformed { line: error.line(), column: error.column() })?;
    let entry = |(name, value): (String, _)| {
        let name = SourceName::new(&name).map_err(SourcesError::Name)?;
        let entry = Entry::read(&name, value)?;
        Ok((name, entry))
    };
    listed.into_iter().map(entry).collect()
}

impl Serialize for SourcesFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries.iter().map(|(name, entry)| (name.as_str(), Written(entry))))
    }
}

/// An entry as it is written.
struct Written<'a>(&'a Entry);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("profile", self.0.profile.as_deref().unwrap_or(PROFILE_USUAL))?;
        map.serialize_entry("tokens", &self.0.tokens)?;
        let says_something = |signing: &&Settings| signing.keys_given().next().is_some();
        if let Some(signing) = self.0.signing.as_ref().filter(says_something) {
            map.serialize_entry("signing", signing)?;
        }
        map.end()
    }
}

impl fmt::Debug for SourcesFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourcesFile({} sources, redacted)", self.entries.len())
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault { line: None, error } => write!(f, "{error}"),
            Self::Fault { line: Some(line), error } => write!(f, "{error} (line {line})"),
            Self::NoSource { source, known } => {
                let known: Vec<_> = known.iter().map(SourceName::as_str).collect();
                write!(f, "SOURCES has no source `{source}`; there are {}", known.join(", "))
            }
            Self::NoSuchToken { source, tokens } => {
                write!(f, "`{source}` has no token of this number; they are numbered from 1 to {tokens}")
            }
            Self::LastToken(source) => {
                write!(
                    f,
                    "`{source}` has one token: add the new one, change the sender, then drop the old one"
                )
            }
            Self::KnownToken(source) => write!(f, "`{source}` has this token already"),
            Self::Unwritable => {
                f.write_str("SOURCES cannot be written as JSON, which is a fault of this program")
            }
            Self::TooLong(bytes) => write!(
                f,
                "SOURCES would have {bytes} bytes, a Worker's secret {SOURCES_BYTES_MAX} at most; drop tokens that no \
                 sender uses, or spread the sources over two Workers"
            ),
        }
    }
}

impl std::error::Error for FileError {}
