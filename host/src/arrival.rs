//! How an event stands to what is known of its subject. Pure.
//!
//! The sender numbers nothing, repeats itself, and its repeats overtake what is newer. So the events of a subject have an
//! order that does not depend on how they arrive, and the subject's state is the last event in it. In that order comes
//!
//! 1. a delete after everything that is none, whatever their times: nothing brings a deleted asset back;
//! 2. the later of two times after the earlier. An event that names no time stands where it arrives: right behind what is
//!    known then, and among others of its like by when they were received;
//! 3. at one time, what creates the subject before everything else;
//! 4. of what is still equal, the higher SHA-256 last. That says nothing of which was meant to be last: it makes the
//!    state the same for everyone, and never makes an event stale.
//!
//! The same bytes are taken to say the same kind and the same time.

use crate::event::{Arrival, Event};
use tidegate_envelope::{Digest, Receipt};

/// The kind of an event that begins a subject.
pub const CREATE: &str = "asset.create";
/// The kind of an event that ends a subject.
pub const DELETE: &str = "asset.delete";

/// What the last known state of a subject is compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The event that it is.
    pub receipt: Receipt,
    /// That event's kind.
    pub kind: String,
    /// When it happened, in microseconds since the Unix epoch. Of an event that does not say: a microsecond after the
    /// mark before it, so that what that one was is older; `None` when that one had no time either.
    pub occurred_at_us: Option<u64>,
    /// The SHA-256 of its body.
    pub sha256: Digest,
    /// Whether the subject was deleted: nothing brings it back.
    pub is_deleted: bool,
}

/// An event's place among those of its subject, whatever order they arrive in: bytes that sort as the events do.
///
/// | bytes | what |
/// |---|---|
/// | 1 | 1 for a delete, else 0 |
/// | 1 | 1 when there is a time, else 0 |
/// | 8 | the time in microseconds, the highest byte first |
/// | 1 | 0 for what creates, 2 for what names no time, 1 for all else |
/// | 32 | the body's SHA-256; of what names no time: when it was received, in 8 bytes, its receipt, in 16, and zeros |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place([u8; Place::BYTES]);

impl Place {
    /// How many bytes it has.
    pub const BYTES: usize = 43;

    /// The place of this event, when the subject is known by this mark.
    ///
    /// The mark matters to an event that names no time only, and is the one that there was when it arrived: with a later
    /// one it would stand behind what arrived after it. The mark that the event itself became gives its place too.
    #[must_use]
    pub fn of(event: &Event, mark: Option<&Mark>) -> Self {
        let moment = Moment::of(event, mark);
        let mut last = *event.sha256.as_bytes();
        if moment.rank == Rank::Untimed {
            last = [0; 32];
            last[..8].copy_from_slice(&event.received_at_ms.to_be_bytes());
            last[8..24].copy_from_slice(&event.receipt.to_bytes());
        }
        Self::new(moment, &last)
    }

    /// The bytes that are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The place with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    fn of_mark(mark: &Mark) -> Self {
        Self::new(Moment::of_mark(mark), mark.sha256.as_bytes())
    }

    fn new(moment: Moment, last: &[u8; 32]) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = u8::from(moment.is_deleted);
        bytes[1] = u8::from(moment.at_us.is_some());
        bytes[2..10].copy_from_slice(&moment.at_us.unwrap_or(0).to_be_bytes());
        bytes[10] = match moment.rank {
            Rank::Create => 0,
            Rank::Timed => 1,
            Rank::Untimed => 2,
        };
        bytes[11..].copy_from_slice(last);
        Self(bytes)
    }
}

/// The part of a place that has a meaning: what is lower in it happened earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    is_deleted: bool,
    at_us: Option<u64>,
    rank: Rank,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Create,
    Timed,
    Untimed,
}

impl Moment {
    fn of(event: &Event, mark: Option<&Mark>) -> Self {
        let rank = match event.occurred_at_us {
            None => Rank::Untimed,
            Some(_) => Rank::of(&event.kind),
        };
        Self { is_deleted: event.kind == DELETE, at_us: time_of(event, mark), rank }
    }

    fn of_mark(mark: &Mark) -> Self {
        Self { is_deleted: mark.is_deleted, at_us: mark.occurred_at_us, rank: Rank::of(&mark.kind) }
    }
}

impl Rank {
    fn of(kind: &str) -> Self {
        if kind == CREATE { Self::Create } else { Self::Timed }
    }
}

/// How the event stands to what is known of its subject. The same bytes further back than the mark are not its business.
///
/// - `First`: there is no mark, or the event is not older than it. An event that names no time is never older; neither is
///   the first delete.
/// - `Duplicate`: the mark's own bytes. That includes the mark's own event, when it is delivered again.
/// - `AfterDelete`: the subject was deleted, and this is no delete. How old it is does not matter.
/// - `Conflict`: the mark's kind and time, with other bytes.
/// - `Stale`: older than the mark, or what creates it at the mark's time.
#[must_use]
pub fn classify(mark: Option<&Mark>, event: &Event) -> Arrival {
    let Some(mark) = mark else { return Arrival::First };
    if repeats(event, mark) {
        Arrival::Duplicate(mark.receipt)
    } else if mark.is_deleted && event.kind != DELETE {
        Arrival::AfterDelete
    } else if event.occurred_at_us.is_some()
        && event.occurred_at_us == mark.occurred_at_us
        && event.kind == mark.kind
    {
        Arrival::Conflict
    } else if Moment::of(event, Some(mark)) < Moment::of_mark(mark) {
        Arrival::Stale
    } else {
        Arrival::First
    }
}

/// The mark after this event: its own when it is the subject's state now, `None` when the one before stays.
///
/// It is the event with the highest place. So, when all of them name a time, it does not depend on the order in which
/// they arrive or on how often: of two that conflict, which was asked about does, and which is the state does not.
#[must_use]
pub fn advance(mark: Option<&Mark>, event: &Event) -> Option<Mark> {
    let stays =
        mark.is_some_and(|known| repeats(event, known) || Place::of(event, mark) <= Place::of_mark(known));
    (!stays).then(|| Mark {
        receipt: event.receipt,
        kind: event.kind.clone(),
        occurred_at_us: time_of(event, mark),
        sha256: event.sha256,
        is_deleted: event.kind == DELETE,
    })
}

/// Whether this is the event that the mark is, once more. The same bytes that name no time now named none then.
fn repeats(event: &Event, mark: &Mark) -> bool {
    event.sha256 == mark.sha256
        && event.kind == mark.kind
        && (event.occurred_at_us.is_none() || event.occurred_at_us == mark.occurred_at_us)
}

/// When it happened, or where it stands when it does not say.
fn time_of(event: &Event, mark: Option<&Mark>) -> Option<u64> {
    event.occurred_at_us.or_else(|| {
        let mark = mark?;
        let at_us = mark.occurred_at_us?;
        Some(if repeats(event, mark) { at_us } else { at_us.saturating_add(1) })
    })
}

#[cfg(test)]
mod tests;
