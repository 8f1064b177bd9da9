//! Which sources are live: by which tokens, under which profile. Knows nothing of requests.

mod entry;

pub(crate) use entry::Entry;

use crate::json;
use crate::profile::{self, Judgement, Profile, Request, Verifier};
use crate::settings::SettingsError;
use crate::strength;
use crate::token::{TokenError, TokenKey};
use std::fmt;
use subtle::ConstantTimeEq;
use tidegate_envelope::{SourceName, SourceNameError};

/// Tokens of one source at most: one digit says which.
pub const TOKENS_MAX: usize = 9;

/// The profile of a source that names none.
pub(crate) const PROFILE_USUAL: &str = "amj";

/// Every live source with its tokens, read from the secret `SOURCES`.
#[derive(Debug)]
pub struct Sources {
    sources: Vec<Source>,
    keys: Vec<Key>,
    faults: Vec<SourcesError>,
    /// The line that each of `faults` is in.
    lines: Vec<usize>,
}

/// One live source.
pub struct Source {
    /// Its name, as it stands in its URL.
    pub name: SourceName,
    /// How its sender behaves.
    pub profile: &'static dyn Profile,
    /// How many tokens it has.
    pub tokens: usize,
    verifier: Option<Box<dyn Verifier>>,
}

/// What a URL's source and token were found to be.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The source.
    pub source: &'a Source,
    /// Which of its tokens it was, from 1.
    pub token: usize,
}

#[derive(Debug)]
struct Key {
    key: TokenKey,
    /// Place in `sources`.
    source: usize,
    token: usize,
}

/// Why a text names no source, or one source less. Says where the fault is, never what a token or a secret is.
#[derive(Debug, PartialEq, Eq)]
pub enum SourcesError {
    /// Not the JSON it should be. The reader's own message is left out: it may quote what it read.
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
    /// A source is there twice: the first one is live.
    NamedTwice(SourceName),
    /// A source without a token.
    NoToken(SourceName),
    /// A source with more than [`TOKENS_MAX`] tokens.
    ManyTokens(SourceName),
    /// An entry whose JSON is of another kind than it should be.
    Shape {
        /// Whose.
        source: SourceName,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A token that cannot be one.
    Token {
        /// Whose.
        source: SourceName,
        /// Which of its tokens, from 1.
        number: usize,
        /// What is wrong with it.
        error: TokenError,
    },
    /// A profile that does not exist.
    Profile {
        /// Whose.
        source: SourceName,
        /// What it names, cut to 40 characters.
        profile: String,
    },
    /// A key that an entry does not have.
    Key {
        /// Whose.
        source: SourceName,
        /// The key, cut to 40 characters.
        key: String,
    },
    /// Settings that its profile does not take.
    Settings {
        /// Whose.
        source: SourceName,
        /// What is wrong with them.
        error: SettingsError,
    },
}

impl Sources {
    /// Reads `{"<source>": {"profile": "...", "tokens": ["..."], "signing": {...}}, ...}`; a list of tokens instead of
    /// the object means the profile `amj`. Several tokens are for rotation: add the new one, change the sender,
    /// remove the old one.
    ///
    /// A source that is wrong is a fault and takes no other with it.
    ///
    /// # Errors
    /// When no source is left: the first fault.
    pub fn parse(json: &str) -> Result<Self, SourcesError> {
        let listed = json::read(json)
            .map_err(|error| SourcesError::Malformed { line: error.line(), column: error.column() })?;
        let mut sources =
            Self { sources: Vec::new(), keys: Vec::new(), faults: Vec::new(), lines: Vec::new() };
        for (name, value) in listed {
            let added = SourceName::new(&name)
                .map_err(SourcesError::Name)
                .and_then(|name| Ok((Entry::read(&name, value)?, name)))
                .and_then(|(entry, name)| sources.add(name, &entry));
            if let Err(fault) = added {
                sources.faults.push(fault);
                sources.lines.push(json::line_of(value, json));
            }
        }
        match (sources.sources.is_empty(), sources.faults.is_empty()) {
            (false, _) => Ok(sources),
            (true, true) => Err(SourcesError::Empty),
            (true, false) => Err(sources.faults.swap_remove(0)),
        }
    }

    fn add(&mut self, name: SourceName, entry: &Entry) -> Result<(), SourcesError> {
        if self.iter().any(|known| known.name == name) {
            return Err(SourcesError::NamedTwice(name));
        }
        entry.count_tokens(&name)?;
        let usual = entry.profile.as_deref().unwrap_or(PROFILE_USUAL);
        let Some(profile) = profile::find(usual) else {
            let profile = usual.chars().take(json::KEY_CHARS_SHOWN).collect();
            return Err(SourcesError::Profile { source: name, profile });
        };
        let verifier = profile::verifier(profile, &entry.signing.clone().unwrap_or_default())
            .map_err(|error| SourcesError::Settings { source: name.clone(), error })?;
        let place = self.sources.len();
        let mut keys = Vec::new();
        for (token, text) in (1..).zip(&entry.tokens) {
            let key = TokenKey::new(&name, text).map_err(|error| SourcesError::Token {
                source: name.clone(),
                number: token,
                error,
            })?;
            keys.push(Key { key, source: place, token });
        }
        self.keys.append(&mut keys);
        self.sources.push(Source { name, profile, tokens: entry.tokens.len(), verifier });
        Ok(())
    }

    /// The source whose `<source>/<token>` this is. Every key is compared, whichever matches: the time says
    /// nothing about which tokens exist. (Cloudflare holds a secret to 5 KB, so there are a hundred at most.)
    #[must_use]
    pub fn find(&self, source_and_token: &str) -> Option<Found<'_>> {
        let presented = TokenKey::presented(source_and_token);
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.key.ct_eq(&presented)) {
                found = Some(key);
            }
        }
        let key = found?;
        Some(Found { source: self.sources.get(key.source)?, token: key.token })
    }

    /// The live sources, in the order they were read in.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    /// What is wrong with the sources that are not live.
    #[must_use]
    pub fn faults(&self) -> &[SourcesError] {
        &self.faults
    }

    /// The first fault and the line, from 1, that its source is in.
    pub(crate) fn into_fault(self) -> Option<(usize, SourcesError)> {
        self.lines.into_iter().zip(self.faults).next()
    }
}

impl Source {
    /// Whether its sender signs the body: then all of it must be there before it can be judged.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.verifier.as_ref().is_some_and(|verifier| verifier.reads_body())
    }

    /// The request headers its check reads, lower case.
    #[must_use]
    pub fn headers_read(&self) -> Vec<String> {
        self.verifier.as_ref().map(|verifier| verifier.headers()).unwrap_or_default()
    }

    /// What a request is. Total.
    #[must_use]
    pub fn judge(&self, request: &Request<'_>) -> Judgement {
        self.verifier.as_ref().map_or(Judgement::Event, |verifier| verifier.judge(request))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({}, {})", self.name, self.profile.name())
    }
}

impl fmt::Display for SourcesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, column } => {
                write!(
                    f,
                    "SOURCES is not JSON like {{\"amj\":{{\"profile\":\"amj\",\"tokens\":[\"<token>\"]}}}} (line {line}, column {column})"
                )
            }
            Self::Empty => f.write_str("SOURCES names no source"),
            Self::Name(error) => write!(f, "SOURCES: {error}"),
            Self::NamedTwice(source) => {
                write!(
                    f,
                    "SOURCES names `{source}` twice: give one of them another name, or put their tokens together"
                )
            }
            Self::NoToken(source) => {
                write!(f, "SOURCES gives `{source}` no token; make one with: {}", strength::REMEDY)
            }
            Self::ManyTokens(source) => {
                write!(
                    f,
                    "SOURCES gives `{source}` more than {TOKENS_MAX} tokens; remove those that no sender uses"
                )
            }
            Self::Shape { source, what } => write!(f, "SOURCES: `{source}` {what}"),
            Self::Profile { source, profile } => {
                let known: Vec<_> = profile::all().map(Profile::name).collect();
                write!(f, "SOURCES: `{source}` has a profile `{profile}`; there are {}", known.join(", "))
            }
            Self::Key { source, key } => {
                write!(f, "SOURCES: `{source}` has a key `{key}`; there are profile, tokens, signing")
            }
            Self::Settings { source, error } => write!(f, "SOURCES: `{source}`: {error}"),
            Self::Token { source, number, error } => {
                write!(f, "SOURCES: token {number} of `{source}` {error}")
            }
        }
    }
}

impl std::error::Error for SourcesError {}
