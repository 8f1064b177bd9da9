//! What the Worker's bindings say besides its sources. Pure: the texts come in as data.

use std::fmt;
use subtle::ConstantTimeEq;
use tidegate_envelope::Digest;
use tidegate_envelope::limit::BODY_INLINE_BYTES_MAX;

/// Characters of the shortest host token: 22 of 64 possible characters are 128 bits.
pub const HOST_TOKEN_CHARS_MIN: usize = 22;

/// Bytes kept of the largest body where no setting says otherwise.
pub const BODY_BYTES_MAX_USUAL: u64 = 32 << 20;

/// Bytes kept of a body at most, whatever is set: a tenth of what one Durable Object may hold.
/// (<https://developers.cloudflare.com/durable-objects/platform/limits/>)
pub const BODY_BYTES_MAX_MOST: u64 = 1 << 30;

/// The bearer token of the host, kept as its hash: neither its length nor where a guess differs shows in the time
/// that a comparison takes.
pub struct HostToken(Digest);

impl HostToken {
    /// The token that is configured.
    ///
    /// # Errors
    /// When it is missing or too short: what to do.
    pub fn new(text: Option<&str>) -> Result<Self, String> {
        match text {
            None => Err("the secret HOST_TOKEN is not set: /status and /vault are closed".to_owned()),
            Some(token) if token.chars().count() < HOST_TOKEN_CHARS_MIN => Err(format!(
                "the secret HOST_TOKEN has fewer than {HOST_TOKEN_CHARS_MIN} characters: /status and /vault are closed"
            )),
            Some(token) => Ok(Self(Digest::of(token.as_bytes()))),
        }
    }

    /// Whether a header `Authorization` presents this token (RFC 6750).
    #[must_use]
    pub fn is_presented_by(&self, authorization: &str) -> bool {
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        let same = self.0.as_bytes().ct_eq(Digest::of(token.trim().as_bytes()).as_bytes());
        scheme.eq_ignore_ascii_case("bearer") && bool::from(same)
    }
}

impl fmt::Debug for HostToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostToken(redacted)")
    }
}

/// Bytes kept of a body, from the variable `BODY_BYTES_MAX`.
///
/// # Errors
/// When it is not a number of bytes that can be kept: says so; [`BODY_BYTES_MAX_USUAL`] is the number then.
pub fn body_bytes_max(text: Option<&str>) -> Result<u64, String> {
    let Some(text) = text else {
        return Ok(BODY_BYTES_MAX_USUAL);
    };
    let least = u64::try_from(BODY_INLINE_BYTES_MAX).unwrap_or_default();
    match text.trim().parse() {
        Ok(bytes) if (least..=BODY_BYTES_MAX_MOST).contains(&bytes) => Ok(bytes),
        _ => Err(format!(
            "the variable BODY_BYTES_MAX is not a number from {least} to {BODY_BYTES_MAX_MOST}: it counts as {BODY_BYTES_MAX_USUAL}"
        )),
    }
}
