//! Which sources are live, and by which tokens. Knows nothing of requests.

use crate::token::{TokenError, TokenKey};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use subtle::ConstantTimeEq;
use tidegate_envelope::{SourceName, SourceNameError};

/// Every live source with its tokens, read from the secret binding `SOURCES`.
#[derive(Clone, Debug)]
pub struct Sources {
    keys: Vec<(TokenKey, SourceName)>,
}

/// Why the text of `SOURCES` names no sources. Says where the fault is, never what a token is.
#[derive(Debug, PartialEq, Eq)]
pub enum SourcesError {
    /// Not an object of lists of strings. The reader's own message is left out: it quotes what it read.
    Malformed {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// An empty object.
    Empty,
    /// A name that no source can have.
    Name(SourceNameError),
    /// A source is there twice: one of the two lists would be lost.
    NamedTwice(SourceName),
    /// A source without a token.
    NoToken(SourceName),
    /// A token that cannot be one.
    Token {
        /// Whose.
        source: SourceName,
        /// Which of its tokens, from 1.
        number: usize,
        /// What is wrong with it.
        error: TokenError,
    },
}

impl Sources {
    /// Reads `{"<source>": ["<token>", ...], ...}`. Several tokens per source are for rotation: add the new
    /// one, change the sender, remove the old one.
    ///
    /// # Errors
    /// The first fault found; nothing is live then.
    pub fn parse(json: &str) -> Result<Self, SourcesError> {
        let Listed(listed) = serde_json::from_str(json)
            .map_err(|error| SourcesError::Malformed { line: error.line(), column: error.column() })?;
        let mut keys: Vec<(TokenKey, SourceName)> = Vec::new();
        for (name, tokens) in &listed {
            let source = SourceName::new(name).map_err(SourcesError::Name)?;
            if keys.iter().any(|(_, known)| *known == source) {
                return Err(SourcesError::NamedTwice(source));
            }
            if tokens.is_empty() {
                return Err(SourcesError::NoToken(source));
            }
            for (number, token) in (1..).zip(tokens) {
                let key = TokenKey::new(&source, token).map_err(|error| SourcesError::Token {
                    source: source.clone(),
                    number,
                    error,
                })?;
                keys.push((key, source.clone()));
            }
        }
        if keys.is_empty() { Err(SourcesError::Empty) } else { Ok(Self { keys }) }
    }

    /// The source whose `<source>/<token>` this is. Every key is compared, whichever matches: the time says
    /// nothing about which tokens exist. (Cloudflare holds a secret to 5 KB, so there are a hundred at most.)
    #[must_use]
    pub fn find(&self, source_and_token: &str) -> Option<&SourceName> {
        let presented = TokenKey::presented(source_and_token);
        let mut found = None;
        for (key, source) in &self.keys {
            if bool::from(key.ct_eq(&presented)) {
                found = Some(source);
            }
        }
        found
    }
}

/// The pairs in the order they stand in, repeated names included.
struct Listed(Vec<(String, Vec<String>)>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Listed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of lists of tokens")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Listed, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Listed(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl fmt::Display for SourcesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, column } => {
                write!(f, "SOURCES is not JSON like {{\"amj\":[\"<token>\"]}} (line {line}, column {column})")
            }
            Self::Empty => f.write_str("SOURCES names no source"),
            Self::Name(error) => write!(f, "SOURCES: {error}"),
            Self::NamedTwice(source) => write!(f, "SOURCES names `{source}` twice"),
            Self::NoToken(source) => write!(f, "SOURCES gives `{source}` no token"),
            Self::Token { source, number, error } => {
                write!(f, "SOURCES: token {number} of `{source}` {error}")
            }
        }
    }
}

impl std::error::Error for SourcesError {}
