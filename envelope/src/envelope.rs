//! The envelope, in both its versions: 1 carries the body, 2 says where the vault has it.

use crate::body::{self, Digest, Encoding};
use crate::limit::{
    BODY_INLINE_BYTES_MAX, HEADER_VALUE_BYTES_MAX, HEADER_VALUE_ESCAPED_BYTES_MAX, HEADERS_MAX,
};
use crate::{Receipt, SourceName};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One accepted request, whole: what the Worker put on the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The id of what was accepted.
    pub receipt: Receipt,
    /// Which sender's URL it came to.
    pub source: SourceName,
    /// When the edge accepted it, in milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// The request's method, upper case as sent.
    pub method: String,
    /// The name of the source's profile; `None` from an edge that did not write it yet.
    pub profile: Option<String>,
    /// The request's headers worth keeping, each value cut to [`HEADER_VALUE_BYTES_MAX`].
    pub headers: Vec<Header>,
    /// The request's content type, cut to [`HEADER_VALUE_BYTES_MAX`]; `None` when it had none.
    pub content_type: Option<String>,
    /// The SHA-256 of the bytes that were kept.
    pub sha256: Digest,
    /// The raw bytes, or where they are.
    pub body: Body,
}

/// The raw bytes of a request, exactly as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of them.
    Inline(Vec<u8>),
    /// They are in the vault at the edge, under the envelope's source and receipt.
    Vault(VaultBody),
}

impl Body {
    /// The bytes; `None` when they are in the vault.
    #[must_use]
    pub fn inline(&self) -> Option<&[u8]> {
        match self {
            Self::Inline(bytes) => Some(bytes),
            Self::Vault(_) => None,
        }
    }
}

/// What the vault has of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultBody {
    /// Bytes kept: the first so many.
    pub bytes: u64,
    /// Bytes the sender sent; `None` when the edge stopped counting before the end.
    pub total_bytes: Option<u64>,
    /// Whether fewer bytes were kept than were sent.
    pub truncated: bool,
}

/// One request header that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header(
    /// The name, lower case.
    pub String,
    /// The value.
    pub String,
);

/// A request on its way into an envelope: the parts that the edge has at hand, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Unsealed<'a> {
    /// The id made for it.
    pub receipt: Receipt,
    /// Which sender's URL it came to.
    pub source: &'a SourceName,
    /// The name of the source's profile.
    pub profile: Option<&'a str>,
    /// The request's method.
    pub method: &'a str,
    /// The request's headers worth keeping, names in lower case; the first [`HEADERS_MAX`] are.
    pub headers: &'a [(&'a str, &'a str)],
    /// The request's content type.
    pub content_type: Option<&'a str>,
}

/// Why a text is not an envelope, or a request does not fit in one.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The body is over [`BODY_INLINE_BYTES_MAX`].
    #[error("the body has {body_bytes} bytes; an envelope carries at most {BODY_INLINE_BYTES_MAX}")]
    BodyTooLarge {
        /// Bytes in the body.
        body_bytes: usize,
    },
    /// The text is not JSON, or a field is missing or of a wrong type.
    #[error("not an envelope: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A version this reader does not know: the edge is newer than the host.
    #[error("envelope version {0} is not known here (known: 1 and 2): update the host before the edge")]
    UnknownVersion(u32),
    /// The body is not what its encoding says, or does not have the hash it came with.
    #[error("the envelope of {0} was damaged on its way: its body does not match its hash")]
    Damaged(Receipt),
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct V1<'a> {
    v: u32,
    receipt: Receipt,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    profile: Option<Cow<'a, str>>,
    received_at_ms: u64,
    #[serde(borrow)]
    method: Cow<'a, str>,
    headers: Vec<Header>,
    #[serde(borrow)]
    content_type: Option<Cow<'a, str>>,
    sha256: Digest,
    encoding: Encoding,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

/// Written only for a body that the vault has, so that a host that knows version 1 alone still reads the others.
#[derive(Serialize, Deserialize)]
struct V2<'a> {
    v: u32,
    receipt: Receipt,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    profile: Option<Cow<'a, str>>,
    received_at_ms: u64,
    #[serde(borrow)]
    method: Cow<'a, str>,
    headers: Vec<Header>,
    #[serde(borrow)]
    content_type: Option<Cow<'a, str>>,
    sha256: Digest,
    vault: VaultBody,
}

impl Unsealed<'_> {
    /// The envelope around these bytes, as the text that goes on the queue. It fits in one message: the limits see
    /// to it.
    ///
    /// # Errors
    /// When the body is over [`BODY_INLINE_BYTES_MAX`].
    pub fn seal(&self, body: &[u8]) -> Result<String, EnvelopeError> {
        if body.len() > BODY_INLINE_BYTES_MAX {
            return Err(EnvelopeError::BodyTooLarge { body_bytes: body.len() });
        }
        let (encoding, text) = body::encode(body);
        let envelope = V1 {
            v: 1,
            receipt: self.receipt,
            source: self.source.as_str().into(),
            profile: self.profile.map(Cow::Borrowed),
            received_at_ms: self.receipt.timestamp_ms(),
            method: cut(self.method).into(),
            headers: self.headers_kept(),
            content_type: self.content_type.map(|value| cut(value).into()),
            sha256: Digest::of(body),
            encoding,
            body: text,
        };
        Ok(serde_json::to_string(&envelope)?)
    }

    /// The envelope of a body that is in the vault, as the text that goes on the queue; `sha256` is of the bytes kept.
    ///
    /// # Errors
    /// Never in practice: writing JSON to memory does not fail.
    pub fn seal_reference(&self, vault: VaultBody, sha256: Digest) -> Result<String, EnvelopeError> {
        let envelope = V2 {
            v: 2,
            receipt: self.receipt,
            source: self.source.as_str().into(),
            profile: self.profile.map(Cow::Borrowed),
            received_at_ms: self.receipt.timestamp_ms(),
            method: cut(self.method).into(),
            headers: self.headers_kept(),
            content_type: self.content_type.map(|value| cut(value).into()),
            sha256,
            vault,
        };
        Ok(serde_json::to_string(&envelope)?)
    }

    fn headers_kept(&self) -> Vec<Header> {
        let kept = self.headers.iter().take(HEADERS_MAX);
        kept.map(|(name, value)| Header(cut(name).to_owned(), cut(value).to_owned())).collect()
    }
}

impl Envelope {
    /// Reads the text that came off the queue.
    ///
    /// # Errors
    /// When it is not an envelope, of an unknown version, or damaged; the error says which.
    pub fn open(text: &str) -> Result<Self, EnvelopeError> {
        // The usual version first: one pass. Only a text that is none is read again.
        match serde_json::from_str::<V1<'_>>(text) {
            Ok(v1) if v1.v == 1 => Self::from_v1(v1),
            Ok(V1 { v, .. }) => Err(EnvelopeError::UnknownVersion(v)),
            Err(error) => match serde_json::from_str(text) {
                Ok(Version { v: 2 }) => Self::from_v2(serde_json::from_str(text)?),
                Ok(Version { v }) if v != 1 => Err(EnvelopeError::UnknownVersion(v)),
                _ => Err(EnvelopeError::Malformed(error)),
            },
        }
    }

    fn from_v1(v1: V1<'_>) -> Result<Self, EnvelopeError> {
        let body = body::decode(v1.encoding, v1.body)
            .filter(|body| Digest::of(body) == v1.sha256)
            .ok_or(EnvelopeError::Damaged(v1.receipt))?;
        Ok(Self {
            receipt: v1.receipt,
            source: source(&v1.source)?,
            received_at_ms: v1.received_at_ms,
            method: v1.method.into_owned(),
            profile: v1.profile.map(Cow::into_owned),
            headers: v1.headers,
            content_type: v1.content_type.map(Cow::into_owned),
            sha256: v1.sha256,
            body: Body::Inline(body),
        })
    }

    fn from_v2(v2: V2<'_>) -> Result<Self, EnvelopeError> {
        Ok(Self {
            receipt: v2.receipt,
            source: source(&v2.source)?,
            received_at_ms: v2.received_at_ms,
            method: v2.method.into_owned(),
            profile: v2.profile.map(Cow::into_owned),
            headers: v2.headers,
            content_type: v2.content_type.map(Cow::into_owned),
            sha256: v2.sha256,
            body: Body::Vault(v2.vault),
        })
    }
}

fn source(name: &str) -> Result<SourceName, EnvelopeError> {
    SourceName::new(name).map_err(|error| EnvelopeError::Malformed(serde::de::Error::custom(error)))
}

/// The start of a text, whole characters only: at most [`HEADER_VALUE_BYTES_MAX`] bytes of it, and at most
/// [`HEADER_VALUE_ESCAPED_BYTES_MAX`] as JSON.
fn cut(text: &str) -> &str {
    let mut escaped_bytes = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        escaped_bytes += body::escaped_bytes(c.encode_utf8(&mut [0; 4]).as_bytes());
        let over =
            at + c.len_utf8() > HEADER_VALUE_BYTES_MAX || escaped_bytes > HEADER_VALUE_ESCAPED_BYTES_MAX;
        over.then_some(at)
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}
