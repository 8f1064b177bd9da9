//! An effect: a decision that was checked against its plugin's grants and given a key. Knows nothing of how
//! it is performed, nor of the store that keeps it.

mod denied;
mod grant;
mod key;
mod record;
pub mod secret;
#[cfg(test)]
mod tests;

pub use denied::Denied;
pub use grant::{GrantError, Grants, HostGrant};
pub use key::{EffectKey, KeyError};
pub use record::RecordError;

use crate::decision;
use crate::target::Target;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use url::Url;

/// The methods the contract names.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Headers that are the host's own: those the contract names, and the rest of what governs a connection
/// rather than a request (RFC 9110, section 7.6.1).
const HEADERS_RESERVED: [&str; 13] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "idempotency-key",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

/// What one effect may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectLimits {
    /// Bytes of its URL.
    pub url_bytes_max: usize,
    /// How many headers it has.
    pub headers_max: usize,
    /// Bytes of all header names and values together.
    pub header_bytes_max: usize,
    /// Bytes of its body.
    pub body_bytes_max: usize,
}

impl Default for EffectLimits {
    fn default() -> Self {
        Self { url_bytes_max: 8 << 10, headers_max: 64, header_bytes_max: 16 << 10, body_bytes_max: 1 << 20 }
    }
}

/// A granted request with its key. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    key: EffectKey,
    request: GrantedRequest,
}

/// A request that may be made: its method is one of the contract's, its URL is `http` or `https` without user
/// information and its host was granted, its headers can be sent as they are and none is the host's own.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantedRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    timeout_ms: Option<u32>,
    reply_tag: Option<String>,
}

impl Effect {
    /// Checks a wish against the plugin's grants. Called once per decision, before its plan is recorded.
    ///
    /// # Errors
    /// Which rule the wish breaks, and what would have been accepted.
    pub fn grant(
        request: &decision::HttpRequest,
        grants: &Grants,
        key: EffectKey,
        limits: &EffectLimits,
    ) -> Result<Self, Denied> {
        let url = check_url(&request.url, limits)?;
        if !grants.hosts.iter().any(|granted| granted.covers(&url)) {
            return Err(Denied::Host {
                host: HostGrant::of(&url).map_or_else(String::new, |host| host.to_string()),
                granted: grants.hosts.clone(),
            });
        }
        secret::check(request, &url, &grants.secrets)?;
        if let Some(body) = request.body.as_ref().filter(|body| body.len() > limits.body_bytes_max) {
            return Err(Denied::TooLarge {
                limit: "body_bytes_max",
                actual: body.len(),
                max: limits.body_bytes_max,
            });
        }
        if request.timeout_ms == Some(0) {
            return Err(Denied::Timeout);
        }
        Ok(Self {
            key,
            request: GrantedRequest {
                method: check_method(&request.method)?,
                url,
                headers: check_headers(&request.headers, limits)?,
                body: request.body.clone().map(Bytes::from),
                timeout_ms: request.timeout_ms,
                reply_tag: request.reply_tag.clone(),
            },
        })
    }

    /// The effect as the text that is stored until it is performed.
    #[must_use]
    pub fn to_record(&self) -> String {
        record::write(&self.key, &self.request)
    }

    /// Reads a stored effect. It was granted when it was written and is not held against today's grants.
    ///
    /// # Errors
    /// When the text is not an effect of a known version; the error says which.
    pub fn from_record(text: &str) -> Result<Self, RecordError> {
        let record = record::read(text)?;
        Ok(Self {
            key: record.key.parse()?,
            request: GrantedRequest {
                method: check_method(&record.method)?,
                url: parse_url(&record.url)?,
                headers: collect_headers(record.headers.iter().map(|(name, value)| (&**name, &**value)))?,
                body: record.body()?,
                timeout_ms: record.timeout_ms,
                reply_tag: record.reply_tag.map(Cow::into_owned),
            },
        })
    }

    /// The same effect without anything that a plugin or a sender wrote: what is left when a person is to be forgotten.
    #[must_use]
    pub fn erased(&self) -> Self {
        let url = Url::parse("https://erased.invalid/").expect("a URL");
        let request = GrantedRequest {
            method: self.request.method.clone(),
            url,
            headers: HeaderMap::new(),
            body: None,
            timeout_ms: None,
            reply_tag: None,
        };
        Self { key: self.key.clone(), request }
    }

    /// The same effect, whose request says its place in a trace, unless the plugin says another.
    #[must_use]
    pub fn traced(&self, traceparent: &str) -> Self {
        let mut traced = self.clone();
        if let Ok(value) = HeaderValue::from_str(traceparent) {
            traced.request.headers.entry("traceparent").or_insert(value);
        }
        traced
    }

    /// What makes a repeat recognisable.
    #[must_use]
    pub const fn key(&self) -> &EffectKey {
        &self.key
    }

    /// What is to be sent.
    #[must_use]
    pub const fn request(&self) -> &GrantedRequest {
        &self.request
    }
}

impl GrantedRequest {
    /// One of the contract's methods.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// An absolute `http` or `https` URL without user information or fragment.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The server it goes to.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::of(&self.url)
    }

    /// The headers the plugin asked for; values are visible ASCII.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The bytes to send; `None` sends no body.
    #[must_use]
    pub const fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// The total time the plugin gives one attempt, in milliseconds.
    #[must_use]
    pub const fn timeout_ms(&self) -> Option<u32> {
        self.timeout_ms
    }

    /// When present, the plugin wants the response back as an event.
    #[must_use]
    pub fn reply_tag(&self) -> Option<&str> {
        self.reply_tag.as_deref()
    }
}

/// A URL, headers and body may hold secrets and personal data: a log gets the host and the size.
impl fmt::Debug for GrantedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantedRequest")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("body_bytes", &self.body.as_ref().map_or(0, Bytes::len))
            .finish_non_exhaustive()
    }
}

fn check_method(name: &str) -> Result<Method, Denied> {
    METHODS
        .into_iter()
        .find(|method| method.as_str() == name)
        .ok_or_else(|| Denied::Method(denied::excerpt(name)))
}

fn check_url(text: &str, limits: &EffectLimits) -> Result<Url, Denied> {
    if text.len() > limits.url_bytes_max {
        return Err(Denied::TooLarge {
            limit: "url_bytes_max",
            actual: text.len(),
            max: limits.url_bytes_max,
        });
    }
    parse_url(text)
}

thread_local! {
    /// The last URL that was read on this thread and how it was spelled: most plugins write to one and the same.
    static LAST_URL: RefCell<Option<(String, Url)>> = const { RefCell::new(None) };
}

/// A URL as it will be dialled, read once for as long as it is the same one.
fn parse_url(text: &str) -> Result<Url, Denied> {
    LAST_URL.with_borrow_mut(|last| match last {
        Some((spelled, url)) if spelled == text => Ok(url.clone()),
        _ => {
            let url = parse_other_url(text)?;
            *last = Some((text.to_owned(), url.clone()));
            Ok(url)
        }
    })
}

/// A URL as it will be dialled: the host in lower case and punycode, an IPv4 address in dotted form whatever
/// form it came in (the URL standard's host parser does both), no dot at the end of a name.
fn parse_other_url(text: &str) -> Result<Url, Denied> {
    let mut url = Url::parse(text).map_err(|error| Denied::Url(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Denied::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Denied::UserInformation);
    }
    // The name that a grant is compared with.
    let Some(host) = url.host().and_then(|host| grant::bare(&host).map(|host| host.to_owned())) else {
        return Err(Denied::Url("a part of its host's name is empty".to_owned()));
    };
    if url.host().is_none_or(|spelled| spelled != host) {
        url.set_host(Some(&host.to_string())).map_err(|error| Denied::Url(error.to_string()))?;
    }
    url.set_fragment(None);
    Ok(url)
}

fn check_headers(headers: &[(String, String)], limits: &EffectLimits) -> Result<HeaderMap, Denied> {
    if headers.len() > limits.headers_max {
        return Err(Denied::TooLarge {
            limit: "headers_max",
            actual: headers.len(),
            max: limits.headers_max,
        });
    }
    let actual = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if actual > limits.header_bytes_max {
        return Err(Denied::TooLarge { limit: "header_bytes_max", actual, max: limits.header_bytes_max });
    }
    collect_headers(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn collect_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, Denied> {
    let mut checked = HeaderMap::new();
    for (name, value) in headers {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| Denied::HeaderName(denied::excerpt(name)))?;
        if HEADERS_RESERVED.contains(&header.as_str()) {
            return Err(Denied::HeaderReserved(header.as_str().to_owned()));
        }
        // A line break in a value would end the header and start another.
        let value = HeaderValue::from_str(value)
            .ok()
            .filter(|value| value.to_str().is_ok())
            .ok_or_else(|| Denied::HeaderValue(header.as_str().to_owned()))?;
        checked.append(header, value);
    }
    Ok(checked)
}
