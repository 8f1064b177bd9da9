//! The bounded window in which the same bytes are recognised. Lives in memory, rebuilt from the store at
//! start: an index over the hashes of all events would cost more than everything else in the store.

use std::collections::{HashMap, VecDeque};
use tidegate_envelope::{Digest, Receipt, SourceName, spread};

/// What the window says of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing like it is known.
    No,
    /// This very receipt was recorded before: the queue delivered it again.
    Redelivered,
    /// The same source sent the same bytes before, under this receipt.
    Same(Receipt),
}

/// The last so many events, by source and content.
pub struct Recent {
    events_max: usize,
    by_content: HashMap<[u8; 16], Entry>,
    order: VecDeque<[u8; 16]>,
    /// The latest receipt that was forgotten.
    forgotten: Option<Receipt>,
    /// A receipt from when this host last gained partitions: of events before it not all need be here.
    gained: Option<Receipt>,
}

#[derive(Clone, Copy)]
struct Entry {
    receipt: Receipt,
    recorded: bool,
}

impl Recent {
    /// An empty window of this many events. Room for all of them is made now: it never stops to make more.
    #[must_use]
    pub fn new(events_max: usize) -> Self {
        Self {
            events_max,
            by_content: HashMap::with_capacity(events_max.saturating_add(1)),
            order: VecDeque::with_capacity(events_max.saturating_add(1)),
            forgotten: None,
            gained: None,
        }
    }

    /// Looks a delivery up and claims its content for its receipt. Two deliveries of the same bytes in
    /// flight at once give one `No` and one `Same`.
    pub fn claim(&mut self, source: &SourceName, sha256: &Digest, receipt: Receipt) -> Seen {
        let key = content_key(source, sha256);
        if let Some(entry) = self.by_content.get(&key) {
            return match (entry.receipt == receipt, entry.recorded) {
                (false, _) => Seen::Same(entry.receipt),
                (true, true) => Seen::Redelivered,
                // Claimed, but the batch that claimed it was not recorded: it is decided now.
                (true, false) => Seen::No,
            };
        }
        self.insert(key, Entry { receipt, recorded: false });
        Seen::No
    }

    /// Notes that the event with this content is in the store, or was handed over to it: it will be there before anything
    /// that is handed over later.
    pub fn recorded(&mut self, source: &SourceName, sha256: &Digest, receipt: Receipt) {
        let key = content_key(source, sha256);
        match self.by_content.get_mut(&key) {
            Some(entry) if entry.receipt == receipt => entry.recorded = true,
            Some(_) => {}
            None => self.insert(key, Entry { receipt, recorded: true }),
        }
    }

    /// Whether an event with this receipt may have been recorded so long ago that nothing is known of it here.
    #[must_use]
    pub fn may_have_forgotten(&self, receipt: Receipt) -> bool {
        // Once the window is full, nothing is known of what came before it, or while another host filled it.
        let is_full = self.order.len() >= self.events_max;
        (is_full && self.forgotten.is_none_or(|forgotten| receipt <= forgotten))
            || self.gained.is_some_and(|gained| receipt <= gained)
    }

    /// Takes note of events that are in the store, the oldest first.
    pub fn fill(&mut self, events: Vec<(SourceName, Digest, Receipt)>) {
        for (source, sha256, receipt) in events {
            self.recorded(&source, &sha256, receipt);
        }
    }

    /// As [`Self::fill`], for those that another host recorded; of what came before this receipt there may be more.
    pub fn gain(&mut self, events: Vec<(SourceName, Digest, Receipt)>, before: Receipt) {
        self.fill(events);
        self.gained = self.gained.max(Some(before));
    }

    fn insert(&mut self, key: [u8; 16], entry: Entry) {
        self.by_content.insert(key, entry);
        self.order.push_back(key);
        while self.order.len() > self.events_max {
            let oldest = self.order.pop_front().and_then(|oldest| self.by_content.remove(&oldest));
            self.forgotten = self.forgotten.max(oldest.map(|entry| entry.receipt));
        }
    }
}

/// 128 bits of the content's hash with the source folded in. A collision needs a sender to break SHA-256.
fn content_key(source: &SourceName, sha256: &Digest) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&sha256.as_bytes()[..16]);
    (u128::from_be_bytes(key) ^ u128::from(spread(source.as_str().as_bytes()))).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> SourceName {
        SourceName::new(name).expect("a valid name")
    }

    #[test]
    fn the_same_bytes_are_recognised_per_source() {
        let mut recent = Recent::new(10);
        let (a, b, content) = (Receipt::new(1, 1), Receipt::new(2, 2), Digest::of(b"x"));
        assert_eq!(recent.claim(&source("amj"), &content, a), Seen::No);
        assert_eq!(recent.claim(&source("amj"), &content, b), Seen::Same(a));
        assert_eq!(recent.claim(&source("other"), &content, b), Seen::No);
        assert_eq!(recent.claim(&source("amj"), &Digest::of(b"y"), b), Seen::No);
    }

    #[test]
    fn a_receipt_whose_batch_was_lost_is_decided_when_it_comes_again() {
        let mut recent = Recent::new(10);
        let (receipt, content) = (Receipt::new(1, 1), Digest::of(b"x"));
        assert_eq!(recent.claim(&source("amj"), &content, receipt), Seen::No);
        assert_eq!(recent.claim(&source("amj"), &content, receipt), Seen::No);
        recent.recorded(&source("amj"), &content, receipt);
        assert_eq!(recent.claim(&source("amj"), &content, receipt), Seen::Redelivered);
    }

    #[test]
    fn the_window_is_bounded() {
        let mut recent = Recent::new(3);
        for n in 0..10_u8 {
            recent.claim(&source("amj"), &Digest::of(&[n]), Receipt::new(u64::from(n), 0));
        }
        assert_eq!((recent.by_content.len(), recent.order.len()), (3, 3));
        assert_eq!(recent.claim(&source("amj"), &Digest::of(&[0]), Receipt::new(99, 0)), Seen::No);
    }
}
