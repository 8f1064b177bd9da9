//! An effect as text, version 1. Knows nothing of grants.

use super::{Denied, EffectKey, GrantedRequest, KeyError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Why a stored text is not an effect.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The text is not JSON, or a field is missing or of a wrong type.
    #[error("not an effect: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A version this reader does not know: a newer host wrote it.
    #[error("effect version {0} is not known here (known: 1): a newer host wrote it")]
    UnknownVersion(u32),
    /// Its key is none.
    #[error("not an effect: {0}")]
    Key(#[from] KeyError),
    /// Its request could not have been granted.
    #[error("not an effect: {0}")]
    Request(#[from] Denied),
    /// Its body is not what its encoding says.
    #[error("not an effect: the body is not base64")]
    Body,
}

/// Bytes of an effect beside its body, mostly: with room for them its text need not grow.
const BYTES_MOSTLY: usize = 512;

/// A stored effect, read but not yet checked.
#[derive(Serialize, Deserialize)]
pub(super) struct Record<'a> {
    v: u32,
    pub(super) key: Cow<'a, str>,
    pub(super) method: Cow<'a, str>,
    pub(super) url: Cow<'a, str>,
    /// Name and value; names may repeat.
    pub(super) headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    body: Option<Body<'a>>,
    pub(super) timeout_ms: Option<u32>,
    pub(super) reply_tag: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    encoding: Encoding,
    content: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// As it is: it is UTF-8.
    Text,
    /// RFC 4648, with padding: it is not.
    Base64,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

pub(super) fn write(key: &EffectKey, request: &GrantedRequest) -> String {
    let headers = request.headers.iter().map(|(name, value)| {
        let value = value.to_str().expect("a granted header's value is visible ASCII");
        (name.as_str().into(), value.into())
    });
    let record = Record {
        v: 1,
        key: key.as_str().into(),
        method: request.method.as_str().into(),
        url: request.url.as_str().into(),
        headers: headers.collect(),
        body: request.body.as_deref().map(encode),
        timeout_ms: request.timeout_ms,
        reply_tag: request.reply_tag.as_deref().map(Cow::Borrowed),
    };
    let mut text = Vec::with_capacity(BYTES_MOSTLY + request.body.as_ref().map_or(0, Bytes::len));
    serde_json::to_writer(&mut text, &record).expect("texts and numbers are always JSON");
    String::from_utf8(text).expect("JSON is UTF-8")
}

pub(super) fn read(text: &str) -> Result<Record<'static>, RecordError> {
    let record: Record<'static> = serde_json::from_str(text).map_err(|error| unreadable(text, error))?;
    if record.v == 1 { Ok(record) } else { Err(RecordError::UnknownVersion(record.v)) }
}

impl Record<'_> {
    /// The body's bytes.
    pub(super) fn body(&self) -> Result<Option<Bytes>, RecordError> {
        let Some(Body { encoding, content }) = &self.body else {
            return Ok(None);
        };
        let bytes = match encoding {
            Encoding::Text => content.as_bytes().to_vec(),
            Encoding::Base64 => STANDARD.decode(content.as_bytes()).map_err(|_| RecordError::Body)?,
        };
        Ok(Some(bytes.into()))
    }
}

fn encode(bytes: &[u8]) -> Body<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Body { encoding: Encoding::Text, content: text.into() },
        Err(_) => Body { encoding: Encoding::Base64, content: STANDARD.encode(bytes).into() },
    }
}

/// A text that fails is read again for its version only: that is the better error.
fn unreadable(text: &str, error: serde_json::Error) -> RecordError {
    match serde_json::from_str(text) {
        Ok(Version { v }) if v != 1 => RecordError::UnknownVersion(v),
        _ => RecordError::Malformed(error),
    }
}
