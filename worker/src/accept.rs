//! What to do with one request on a live source's URL. Pure: clock, randomness and the source come in as data;
//! reading, storing and sending are the shell's.

use crate::answer::Answer;
use crate::head::Head;
use crate::shard;
use tidegate_envelope::limit::{BODY_INLINE_BYTES_MAX, HEADERS_KEPT};
use tidegate_envelope::{Digest, Receipt, Unsealed, VaultBody};
use tidegate_source::{Judgement, Request, Source};

/// The header that becomes the envelope's content type.
const CONTENT_TYPE: &str = "content-type";

/// Bytes of the largest body that is judged where the sender signs the body: then all of it must be in memory.
/// GitHub's are the largest of the senders known here (<https://docs.github.com/en/webhooks/webhook-events-and-payloads>).
pub const BODY_JUDGED_BYTES_MAX: usize = 25 << 20;

/// One request, read by the shell.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Method and headers.
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
    /// There are more than [`whole_bytes_max`]; the shell stopped reading there.
    Unread,
}

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make the message durable; answer with the receipt when, and only when, a store has confirmed it.
    Keep {
        /// The id made for it.
        receipt: Receipt,
        /// Which of the queues it belongs to.
        shard: usize,
        /// The envelope, as text.
        message: String,
    },
    /// Put the body into the vault under this receipt, then ask [`seal`].
    Vault(Receipt),
    /// Keep nothing; say this.
    Say(Answer),
}

/// Bytes of the largest body that the shell reads before it asks [`accept`].
#[must_use]
pub fn whole_bytes_max(source: &Source) -> usize {
    if source.reads_body() { BODY_JUDGED_BYTES_MAX } else { BODY_INLINE_BYTES_MAX }
}

/// The headers the shell must bring for this source, lower case, each once.
#[must_use]
pub fn headers_wanted(source: &Source) -> Vec<String> {
    let mut wanted: Vec<String> = std::iter::once(CONTENT_TYPE)
        .chain(HEADERS_KEPT)
        .chain(source.profile.headers_kept().iter().copied())
        .map(str::to_owned)
        .collect();
    for name in source.headers_read() {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    wanted
}

/// Decides one request. Where the sender signs nothing, every method and every body is accepted: the sender counts
/// a refusal as a failure and stops all delivery after three.
#[must_use]
pub fn accept(source: &Source, arrival: &Arrival<'_>, shards: usize) -> Verdict {
    let judged = match arrival.body {
        Body::Whole(bytes) if source.reads_body() => bytes,
        Body::Unread if source.reads_body() => return Verdict::Say(Answer::too_large()),
        _ => &[],
    };
    let request = Request {
        method: arrival.head.method,
        headers: &arrival.head.headers,
        body: judged,
        now_s: arrival.now_ms.checked_div(1_000).unwrap_or_default(),
    };
    match source.judge(&request) {
        Judgement::Forged(why) => return Verdict::Say(Answer::forged(why)),
        Judgement::Handshake(handshake) => return Verdict::Say(Answer::handshake(handshake)),
        Judgement::Event => {}
    }
    let receipt = Receipt::new(arrival.now_ms, arrival.random);
    match arrival.body {
        Body::Whole(body) if body.len() <= BODY_INLINE_BYTES_MAX => {
            let kept = headers_kept(source, &arrival.head);
            let shard = shard::choose(source, &kept, body, receipt, shards);
            let sealed = unsealed(source, &arrival.head, &kept, receipt).seal(body);
            keep(receipt, shard, sealed.ok())
        }
        _ => Verdict::Vault(receipt),
    }
}

/// What to do once the vault has a body: [`Verdict::Keep`]. `sha256` is of the bytes it kept.
#[must_use]
pub fn seal(
    source: &Source,
    head: &Head<'_>,
    receipt: Receipt,
    body: VaultBody,
    sha256: Digest,
    shards: usize,
) -> Verdict {
    let kept = headers_kept(source, head);
    // The body is not at hand: nothing but its headers can say what it is about.
    let shard = shard::choose(source, &kept, &[], receipt, shards);
    keep(receipt, shard, unsealed(source, head, &kept, receipt).seal_reference(body, sha256).ok())
}

fn keep(receipt: Receipt, shard: usize, message: Option<String>) -> Verdict {
    // Sealing fails for a body over the limit alone, and that was asked before.
    message.map_or_else(
        || Verdict::Say(Answer::undelivered()),
        |message| Verdict::Keep { receipt, shard, message },
    )
}

fn unsealed<'a>(
    source: &'a Source,
    head: &Head<'a>,
    headers: &'a [(&'a str, &'a str)],
    receipt: Receipt,
) -> Unsealed<'a> {
    Unsealed {
        receipt,
        source: &source.name,
        profile: Some(source.profile.name()),
        method: head.method,
        headers,
        content_type: head.header(CONTENT_TYPE),
    }
}

/// The headers that become part of the envelope: what a check alone reads is left out.
fn headers_kept<'a>(source: &Source, head: &Head<'a>) -> Vec<(&'a str, &'a str)> {
    let of_profile = source.profile.headers_kept();
    let keeps = |name: &str| HEADERS_KEPT.contains(&name) || of_profile.contains(&name);
    head.headers.iter().copied().filter(|(name, _)| keeps(name)).collect()
}
