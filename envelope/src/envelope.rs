//! Version 1 of the envelope.

use crate::body::{self, Digest, Encoding};
use crate::limit::{
    BODY_INLINE_BYTES_MAX, HEADER_VALUE_BYTES_MAX, HEADER_VALUE_ESCAPED_BYTES_MAX, HEADERS_KEPT,
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
    /// The headers in [`HEADERS_KEPT`] that the request had, in that order, each value cut to
    /// [`HEADER_VALUE_BYTES_MAX`].
    pub headers: Vec<Header>,
    /// The request's content type, cut to [`HEADER_VALUE_BYTES_MAX`]; `None` when it had none.
    pub content_type: Option<String>,
    /// The SHA-256 of `body`.
    pub sha256: Digest,
    /// The raw bytes, exactly as sent.
    pub body: Vec<u8>,
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
    /// The request's method.
    pub method: &'a str,
    /// Any request headers; those not in [`HEADERS_KEPT`] are left out.
    pub headers: &'a [(&'a str, &'a str)],
    /// The request's content type.
    pub content_type: Option<&'a str>,
    /// The raw bytes.
    pub body: &'a [u8],
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
    #[error("envelope version {0} is not known here (known: 1): update the host before the edge")]
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

impl Unsealed<'_> {
    /// The envelope as the text that goes on the queue. It fits in one message: the limits see to it.
    ///
    /// # Errors
    /// When the body is over [`BODY_INLINE_BYTES_MAX`].
    pub fn seal(&self) -> Result<String, EnvelopeError> {
        if self.body.len() > BODY_INLINE_BYTES_MAX {
            return Err(EnvelopeError::BodyTooLarge { body_bytes: self.body.len() });
        }
        let (encoding, body) = body::encode(self.body);
        let headers = HEADERS_KEPT.iter().filter_map(|kept| {
            let (_, value) = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(kept))?;
            Some(Header((*kept).to_owned(), cut(value).to_owned()))
        });
        let envelope = V1 {
            v: 1,
            receipt: self.receipt,
            source: self.source.as_str().into(),
            received_at_ms: self.receipt.timestamp_ms(),
            method: cut(self.method).into(),
            headers: headers.collect(),
            content_type: self.content_type.map(|value| cut(value).into()),
            sha256: Digest::of(self.body),
            encoding,
            body,
        };
        Ok(serde_json::to_string(&envelope)?)
    }
}

impl Envelope {
    /// Reads the text that came off the queue.
    ///
    /// # Errors
    /// When it is not an envelope, of an unknown version, or damaged; the error says which.
    pub fn open(text: &str) -> Result<Self, EnvelopeError> {
        // The usual version first: one pass. Only a text that fails is read again, for a better error.
        let v1: V1<'_> = serde_json::from_str(text).map_err(|error| match serde_json::from_str(text) {
            Ok(Version { v }) if v != 1 => EnvelopeError::UnknownVersion(v),
            _ => EnvelopeError::Malformed(error),
        })?;
        if v1.v != 1 {
            return Err(EnvelopeError::UnknownVersion(v1.v));
        }
        let source = SourceName::new(&v1.source)
            .map_err(|error| EnvelopeError::Malformed(serde::de::Error::custom(error)))?;
        let body = body::decode(v1.encoding, v1.body)
            .filter(|body| Digest::of(body) == v1.sha256)
            .ok_or(EnvelopeError::Damaged(v1.receipt))?;
        Ok(Self {
            receipt: v1.receipt,
            source,
            received_at_ms: v1.received_at_ms,
            method: v1.method.into_owned(),
            headers: v1.headers,
            content_type: v1.content_type.map(Cow::into_owned),
            sha256: v1.sha256,
            body,
        })
    }
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
