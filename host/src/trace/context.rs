//! Which trace an event belongs to, and whether it is told at all.

use crate::deployment::Share;
use tidegate_envelope::Receipt;

/// Hundredths of a percent that are all of them.
const ALL: u128 = 10_000;

/// The place in a trace that a sender gave its request: the header `traceparent`
/// (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    is_sampled: bool,
}

/// The trace that an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its id.
    pub trace_id: [u8; 16],
    /// The sender's span.
    pub parent: Option<[u8; 8]>,
}

/// How many traces are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling(pub Share);

impl TraceParent {
    /// Bytes that it is stored in.
    pub const BYTES: usize = 25;

    /// What the header says; `None` when it is none, as the standard has it: then it is as if there were no such header.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version] = bytes(version)?;
        let [flags] = bytes(flags)?;
        // A later version may say more behind this.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let parent =
            Self { trace_id: bytes(trace_id)?, span_id: bytes(span_id)?, is_sampled: flags & 1 == 1 };
        (parent.trace_id != [0; 16] && parent.span_id != [0; 8]).then_some(parent)
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let all = self.trace_id.into_iter().chain(self.span_id).chain([u8::from(self.is_sampled)]);
        let mut stored = [0; Self::BYTES];
        stored.iter_mut().zip(all).for_each(|(place, byte)| *place = byte);
        stored
    }

    /// The other way.
    #[must_use]
    pub fn from_bytes(stored: [u8; Self::BYTES]) -> Self {
        let at = |place: usize| stored.get(place).copied().unwrap_or_default();
        Self {
            trace_id: std::array::from_fn(at),
            span_id: std::array::from_fn(|place| at(16 + place)),
            is_sampled: at(24) == 1,
        }
    }
}

impl Context {
    /// The trace of the event with this receipt: its sender's, or one whose id is the receipt.
    #[must_use]
    pub fn of(receipt: Receipt, parent: Option<&TraceParent>) -> Self {
        match parent {
            Some(parent) => Self { trace_id: parent.trace_id, parent: Some(parent.span_id) },
            None => Self { trace_id: receipt.to_bytes(), parent: None },
        }
    }

    /// The header that makes this span the parent of what the receiver does.
    #[must_use]
    pub fn traceparent(&self, span_id: [u8; 8]) -> String {
        format!("00-{}-{}-01", hex::encode(self.trace_id), hex::encode(span_id))
    }
}

impl Sampling {
    /// Whether the trace of this event is told. The same for all that happens to the event, whenever it does: it follows from
    /// the trace's id, whose second half is chance. A sender can ask for less than the operator's share, not for more.
    #[must_use]
    pub fn takes(self, receipt: Receipt, parent: Option<&TraceParent>) -> bool {
        if parent.is_some_and(|parent| !parent.is_sampled) {
            return false;
        }
        let id = u128::from_be_bytes(Context::of(receipt, parent).trace_id);
        let chance = id & u128::from(u64::MAX);
        (chance * ALL) >> 64 < u128::from(self.0.hundredths())
    }
}

/// So many bytes as hexadecimal digits; the standard knows only those in lower case.
fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_lower = !digits.bytes().any(|digit| digit.is_ascii_uppercase());
    (is_lower && hex::decode_to_slice(digits, &mut bytes).is_ok()).then_some(bytes)
}
