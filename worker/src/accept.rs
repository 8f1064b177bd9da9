//! What to do with one request. Pure: clock, randomness and sources come in as data; sending is the shell's.

use crate::head::Head;
use tidegate_envelope::limit::{BODY_INLINE_BYTES_MAX, HEADERS_KEPT};
use tidegate_envelope::{Receipt, Unsealed};
use tidegate_source::Sources;

/// The header that becomes the envelope's content type.
const CONTENT_TYPE: &str = "content-type";

/// One request, read by the shell.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Method, path, headers.
    pub head: Head<'a>,
    /// The raw bytes.
    pub body: Body<'a>,
    /// When it came, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// 80 random bits, in the lower bits.
    pub random: u128,
}

/// The raw bytes of a request, as far as the shell read them.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// All of them.
    Whole(&'a [u8]),
    /// More than [`BODY_INLINE_BYTES_MAX`]; the shell stopped reading.
    OverLimit,
}

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Put the message on the queue; answer with the receipt when, and only when, the queue has it.
    Accepted {
        /// The id made for it.
        receipt: Receipt,
        /// The envelope, as text.
        message: String,
    },
    /// A question about the Worker's health.
    Health,
    /// No live source has this URL.
    NotFound,
    /// The body does not fit in an envelope: nothing of it is kept.
    TooLarge,
}

/// The headers the shell must bring in a [`Head`], lower case.
pub fn headers_wanted() -> impl Iterator<Item = &'static str> {
    std::iter::once(CONTENT_TYPE).chain(HEADERS_KEPT)
}

/// Decides one request. On a live source's URL every method and every body within the limit is accepted: the
/// sender counts a refusal as a failure and stops all delivery after three.
#[must_use]
pub fn accept(sources: &Sources, arrival: &Arrival<'_>) -> Verdict {
    let Some(source_and_token) = arrival.head.path.strip_prefix("/in/") else {
        return match arrival.head.path {
            "/healthz" => Verdict::Health,
            _ => Verdict::NotFound,
        };
    };
    let Some(found) = sources.find(source_and_token) else {
        return Verdict::NotFound;
    };
    let Body::Whole(body) = arrival.body else {
        return Verdict::TooLarge;
    };
    let receipt = Receipt::new(arrival.now_ms, arrival.random);
    let unsealed = Unsealed {
        receipt,
        source: &found.source.name,
        profile: Some(found.source.profile.name()),
        method: arrival.head.method,
        headers: &headers_kept(&arrival.head),
        content_type: arrival.head.header(CONTENT_TYPE),
    };
    match unsealed.seal(body) {
        Ok(message) => Verdict::Accepted { receipt, message },
        // The shell stops at the same limit, so this is its last line of defence, not the usual way.
        Err(_) => Verdict::TooLarge,
    }
}

/// The headers that become part of the envelope.
fn headers_kept<'a>(head: &Head<'a>) -> Vec<(&'a str, &'a str)> {
    head.headers.iter().copied().filter(|(name, _)| HEADERS_KEPT.contains(name)).collect()
}

/// The shell's limit: it stops reading a body past this many bytes.
pub const BODY_BYTES_MAX: usize = BODY_INLINE_BYTES_MAX;
