//! The bounded window in which the same bytes are recognised. Lives in memory, rebuilt from the store at
//! start: an index over the hashes of all events would cost more than everything else in the store.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::VecDeque;
use std::hash::BuildHasher;
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
    /// In the order in which they came.
    events: VecDeque<Entry>,
    /// The place of the first of them, counted from the start of this window; it wraps.
    first: u32,
    /// The places of all of them, by content: four bytes for each, so that looking up what is new, as nearly everything is, seldom
    /// leaves the processor's cache.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The latest receipt that was forgotten.
    forgotten: Option<Receipt>,
    /// A receipt from when this host last gained partitions: of events before it not all need be here.
    gained: Option<Receipt>,
}

#[derive(Clone, Copy)]
struct Entry {
    content: [u8; 16],
    receipt: Receipt,
    recorded: bool,
}

impl Recent {
    /// An empty window of this many events. Room for all of them is made now: it never stops to make more.
    #[must_use]
    pub fn new(events_max: usize) -> Self {
        // Their places are counted in 32 bits.
        let events_max = events_max.min(1 << 31);
        Self {
            events_max,
            events: VecDeque::with_capacity(events_max.saturating_add(1)),
            first: 0,
            places: HashTable::with_capacity(events_max.saturating_add(1)),
            hasher: DefaultHashBuilder::default(),
            forgotten: None,
            gained: None,
        }
    }

    /// Looks a delivery up and claims its content for its receipt. Two deliveries of the same bytes in
    /// flight at once give one `No` and one `Same`.
    pub fn claim(&mut self, source: &SourceName, sha256: &Digest, receipt: Receipt) -> Seen {
        let content = content_key(source, sha256);
        if let Some(entry) = self.find(&content) {
            return match (entry.receipt == receipt, entry.recorded) {
                (false, _) => Seen::Same(entry.receipt),
                (true, true) => Seen::Redelivered,
                // Claimed, but the batch that claimed it was not recorded: it is decided now.
                (true, false) => Seen::No,
            };
        }
        self.insert(Entry { content, receipt, recorded: false });
        Seen::No
    }

    /// Notes that the event with this content is in the store, or was handed over to it: it will be there before anything
    /// that is handed over later.
    pub fn recorded(&mut self, source: &SourceName, sha256: &Digest, receipt: Receipt) {
        let content = content_key(source, sha256);
        match self.find(&content) {
            Some(entry) if entry.receipt == receipt => entry.recorded = true,
            Some(_) => {}
            None => self.insert(Entry { content, receipt, recorded: true }),
        }
    }

    /// Whether an event with this receipt may have been recorded so long ago that nothing is known of it here.
    #[must_use]
    pub fn may_have_forgotten(&self, receipt: Receipt) -> bool {
        // Once the window is full, nothing is known of what came before it, or while another host filled it.
        let is_full = self.events.len() >= self.events_max;
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

    fn find(&mut self, content: &[u8; 16]) -> Option<&mut Entry> {
        let Self { events, first, places, hasher, .. } = self;
        let is_it = |place: &u32| events.get(index(*place, *first)).is_some_and(|it| it.content == *content);
        let place = *places.find(hasher.hash_one(content), is_it)?;
        events.get_mut(index(place, *first))
    }

    /// Adds what is not there, and forgets the oldest where there is no room for both.
    fn insert(&mut self, entry: Entry) {
        let Self { events, first, places, hasher, .. } = self;
        let hash = hasher.hash_one(entry.content);
        let place = first.wrapping_add(u32::try_from(events.len()).expect("no more than their places"));
        events.push_back(entry);
        places.insert_unique(hash, place, |place| {
            events.get(index(*place, *first)).map_or(0, |it| hasher.hash_one(it.content))
        });
        while events.len() > self.events_max {
            let Some(oldest) = events.pop_front() else { return };
            let found = places.find_entry(hasher.hash_one(oldest.content), |place| place == first);
            if let Ok(found) = found {
                found.remove();
            }
            *first = first.wrapping_add(1);
            self.forgotten = self.forgotten.max(Some(oldest.receipt));
        }
    }
}

/// Where the event with this place stands, when the first has that one.
fn index(place: u32, first: u32) -> usize {
    usize::try_from(place.wrapping_sub(first)).unwrap_or(usize::MAX)
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
        // The places of the events wrap in the middle of the second one.
        for first in [0, u32::MAX - 5] {
            let mut recent = Recent { first, ..Recent::new(3) };
            let mut claim =
                |n: u8, at_ms| recent.claim(&source("amj"), &Digest::of(&[n]), Receipt::new(at_ms, 0));
            for n in 0..10 {
                assert_eq!(claim(n, n.into()), Seen::No);
            }
            for n in 7..10 {
                assert_eq!(claim(n, 98), Seen::Same(Receipt::new(n.into(), 0)));
            }
            assert_eq!(claim(0, 99), Seen::No);
            assert_eq!((recent.places.len(), recent.events.len()), (3, 3));
        }
    }
}
