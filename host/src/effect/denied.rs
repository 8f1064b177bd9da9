//! Why a wish does not become an effect. Knows nothing of where that is shown.

use super::secret::SecretName;
use super::{HEADERS_RESERVED, HostGrant, METHODS};
use std::fmt::Display;

/// Which rule a wish breaks, and what would have been accepted. The URL itself is left out: it may hold a
/// secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The method is not one of the contract's.
    #[error("method `{0}` is not in the contract (accepted: {methods})", methods = METHODS.each_ref().map(|method| method.as_str()).join(", "))]
    Method(String),
    /// The URL cannot be read.
    #[error("the URL cannot be read: {0} (accepted: an absolute http or https URL)")]
    Url(String),
    /// The URL's scheme is another.
    #[error("scheme `{0}` is not allowed (accepted: http, https)")]
    Scheme(String),
    /// The URL has a user name or a password in it.
    #[error("the URL has user information before its host (accepted: none; send an authorization header)")]
    UserInformation,
    /// The operator did not grant the host.
    #[error("host `{host}` is not granted (granted: {granted})", granted = join(granted))]
    Host {
        /// The URL's host, with its port when that is not the scheme's own.
        host: String,
        /// The hosts that are.
        granted: Vec<HostGrant>,
    },
    /// It is not a header's name.
    #[error("`{0}` cannot name a header (accepted: letters, digits and !#$%&'*+-.^_`|~)")]
    HeaderName(String),
    /// The header is the host's own.
    #[error("header `{0}` is the host's own (a plugin may send any but {reserved})", reserved = HEADERS_RESERVED.join(", "))]
    HeaderReserved(String),
    /// The value would break the header or is not text for one.
    #[error(
        "the value of header `{0}` cannot be sent (accepted: visible ASCII, spaces and tabs; no line breaks)"
    )]
    HeaderValue(String),
    /// A part is over its limit.
    #[error("{limit}: {actual} is too many, the limit is {max}")]
    TooLarge {
        /// The limit's name.
        limit: &'static str,
        /// How many it is.
        actual: usize,
        /// How many it may be.
        max: usize,
    },
    /// It begins like the mark of a secret and is none.
    #[error(
        "`{{{{secret:` begins the mark of a secret, and what follows is none (accepted: `{{{{secret:NAME}}}}`)"
    )]
    SecretMark,
    /// The operator named no such secret.
    #[error("no secret `{name}` is named in `[[secrets]]` of tidegate.toml (named: {named})", named = join(named))]
    SecretUnknown {
        /// The name.
        name: SecretName,
        /// Those that are.
        named: Vec<SecretName>,
    },
    /// The plugin's manifest does not ask for it.
    #[error(
        "secret `{name}` was not asked for (asked for: {asked}); name it in `secrets` of plugin.toml",
        asked = join(asked)
    )]
    SecretNotAsked {
        /// The name.
        name: SecretName,
        /// Those that were.
        asked: Vec<SecretName>,
    },
    /// The secret does not go to this host.
    #[error("secret `{name}` does not go to host `{host}` (accepted: {accepted})", accepted = join(accepted))]
    SecretHost {
        /// The secret's name.
        name: SecretName,
        /// The URL's host, with its port when that is not the scheme's own.
        host: String,
        /// The hosts it goes to.
        accepted: Vec<HostGrant>,
    },
    /// Others could read it on the way.
    #[error("secret `{0}` does not travel in clear (accepted: https, or http to this machine)")]
    SecretInClear(SecretName),
    /// No attempt can be made in no time.
    #[error("a timeout of 0 ms leaves no time to try (accepted: none, or 1 and more)")]
    Timeout,
}

/// The start of a text from a plugin, for an error that is read by people.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

fn join<T: Display>(names: &[T]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}
