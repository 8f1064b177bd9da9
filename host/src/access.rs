//! Who may ask the admin API for what: tokens, their roles, and how one takes over from another. Pure: knows nothing of HTTP,
//! of chance, and of where tokens are kept. A token is 192 random bits, so its SHA-256 needs no salt and no slow hash.

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use tidegate_envelope::{Digest, is_label};

/// The name of whoever has the token that the host leaves in its own directory at each start.
pub const LOCAL: &str = "local";
/// Tokens that there may be.
pub const TOKENS_MAX: usize = 100;

/// What a token's holder may do. Each may what the one before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// See how things are, but nothing that people wrote: no payloads, no notes, no logs of plugins.
    Read,
    /// See all of it; deploy, promote, go back, redrive, drop.
    Operate,
    /// Make and take away tokens, read the audit, forget a person.
    Admin,
}

impl Role {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The role that this word is for.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Read, Self::Operate, Self::Admin].into_iter().find(|role| role.word() == word)
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
}

/// One token, as it is kept: whoever reads this cannot use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptToken {
    /// Its name: of the form of a plugin's.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The SHA-256 of the token.
    pub sha256: Digest,
    /// The token before it, which counts until then, in milliseconds since the Unix epoch.
    pub before: Option<(Digest, u64)>,
    /// When the token was made. All times are in milliseconds since the Unix epoch.
    pub made_at_ms: u64,
    /// When it ends; `None` for never.
    pub until_ms: Option<u64>,
}

/// What cannot be done with tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The text cannot name a token.
    #[error(
        "`{0}` cannot name a token: use 1 to 63 of a-z, 0-9 and -, not first or last a -, and not `{LOCAL}`"
    )]
    Name(String),
    /// A token has this name.
    #[error("there is a token `{0}`: rotate it, or take it away first")]
    Known(String),
    /// No token has this name.
    #[error("there is no token `{0}`: `tidegate token list` has all")]
    Unknown(String),
    /// There are enough.
    #[error("there are {TOKENS_MAX} tokens already: take one away first")]
    TooMany,
}

/// All tokens.
#[derive(Debug, Default)]
pub struct Tokens(Vec<KeptToken>);

impl Tokens {
    /// These.
    #[must_use]
    pub const fn new(tokens: Vec<KeptToken>) -> Self {
        Self(tokens)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &KeptToken> {
        self.0.iter()
    }

    /// Whose token this is, at this time. All are looked at, whichever it is, so that the time this takes tells nothing.
    #[must_use]
    pub fn caller(&self, token: &[u8], now_ms: u64) -> Option<Caller> {
        let given = Digest::of(token);
        let same = |kept: &Digest| kept.as_bytes().ct_eq(given.as_bytes());
        let mut found = 0_u64;
        for (place, kept) in (1_u64..).zip(&self.0) {
            let is_live = Choice::from(u8::from(kept.until_ms.is_none_or(|until_ms| now_ms < until_ms)));
            let is_before = kept.before.as_ref().map_or(Choice::from(0), |(before, until_ms)| {
                same(before) & Choice::from(u8::from(now_ms < *until_ms))
            });
            found.conditional_assign(&place, (same(&kept.sha256) | is_before) & is_live);
        }
        let kept = usize::try_from(found).ok()?.checked_sub(1).and_then(|place| self.0.get(place))?;
        Some(Caller { name: kept.name.clone(), role: kept.role })
    }

    /// The token of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, name: &str) -> Result<&KeptToken, AccessError> {
        let unknown = || AccessError::Unknown(name.chars().take(80).collect());
        self.0.iter().find(|kept| kept.name == name).ok_or_else(unknown)
    }

    /// Whether one more of this name may be made.
    ///
    /// # Errors
    /// When the name is none or taken, or there are enough.
    pub fn admit(&self, name: &str) -> Result<(), AccessError> {
        if name == LOCAL || !is_label(name) {
            return Err(AccessError::Name(name.chars().take(80).collect()));
        }
        if self.find(name).is_ok() {
            return Err(AccessError::Known(name.to_owned()));
        }
        if self.0.len() >= TOKENS_MAX { Err(AccessError::TooMany) } else { Ok(()) }
    }

    /// The tokens with this one in the place of the one of its name, or beside the others.
    pub fn put(&mut self, token: KeptToken) {
        self.0.retain(|kept| kept.name != token.name);
        self.0.push(token);
    }

    /// The tokens without this one.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|kept| kept.name != name);
    }
}

impl KeptToken {
    /// This one with another token in its place; the one so far counts until then.
    #[must_use]
    pub fn rotated(&self, sha256: Digest, now_ms: u64, overlap_until_ms: u64) -> Self {
        let before = Some((self.sha256, overlap_until_ms)).filter(|_| overlap_until_ms > now_ms);
        Self { sha256, before, made_at_ms: now_ms, ..self.clone() }
    }
}
