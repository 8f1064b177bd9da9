//! What an operator lets a plugin cause. Knows nothing of addresses: a granted host may still resolve to one
//! that is never dialled.

use super::secret::SecretGrants;
use std::fmt;
use std::str::FromStr;
use url::{Host, Url};

/// What one plugin may cause. Nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The hosts it may make requests to.
    pub hosts: Vec<HostGrant>,
    /// The secrets it may name.
    pub secrets: SecretGrants,
}

/// One host: one port of it when the grant names one, else any. There are no wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostGrant {
    host: Host<String>,
    port: Option<u16>,
}

/// The text does not name a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` cannot be granted: {why} (accepted: `example.com`, `example.com:8443`, `127.0.0.1:8790`, `[::1]:80`)"
)]
pub struct GrantError {
    text: String,
    why: &'static str,
}

impl HostGrant {
    /// Reads a host as a manifest names it. Spelling does not matter: names are compared in lower case and
    /// punycode, without a dot at the end; addresses by value.
    ///
    /// # Errors
    /// When the text is anything but a host with or without a port.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        let error = |why| GrantError { text: text.chars().take(80).collect(), why };
        if text.contains(['/', '\\', '@', '?', '#', '%']) || text.contains(char::is_whitespace) {
            return Err(error("a grant is a host, not a URL"));
        }
        let (host, port) = split(text).ok_or_else(|| error("the port cannot be told from the host"))?;
        let port = match port {
            None => None,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => Some(port),
                _ => return Err(error("a port is a number from 1 to 65535")),
            },
        };
        let host = Host::parse(host).map_err(|_| error("it is not the name or the address of a host"))?;
        let host = bare(&host).ok_or_else(|| error("it is not the name or the address of a host"))?;
        // Looked for only now: in a name an asterisk of another width is one, too.
        if matches!(&host, Host::Domain(name) if name.contains('*')) {
            return Err(error("there are no wildcards, each host is named"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The host of a URL, with its port when that is not the scheme's own.
    pub(super) fn of(url: &Url) -> Option<Self> {
        Some(Self { host: bare(&url.host()?)?.to_owned(), port: url.port() })
    }

    /// Whether this grant lets a request go to the URL.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        let port_covered = self.port.is_none() || self.port == url.port_or_known_default();
        port_covered && url.host().is_some_and(|host| bare(&host).is_some_and(|host| host == self.host))
    }
}

impl FromStr for HostGrant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for HostGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => write!(f, "{}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
        }
    }
}

/// Host and port as they stand in the text; an IPv6 address stands in brackets.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let after_host = match text.rfind(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(after_host);
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None => rest.is_empty().then_some((host, None)),
    }
}

/// `example.com.` and `example.com` are one host; a name made of dots is none.
pub(super) fn bare<S: AsRef<str>>(host: &Host<S>) -> Option<Host<&str>> {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref();
            let name = name.strip_suffix('.').unwrap_or(name);
            let is_name = !name.is_empty() && name.split('.').all(|label| !label.is_empty());
            is_name.then_some(Host::Domain(name))
        }
        Host::Ipv4(address) => Some(Host::Ipv4(*address)),
        Host::Ipv6(address) => Some(Host::Ipv6(*address)),
    }
}
