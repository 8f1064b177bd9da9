//! What is known of the assets that events speak of now, kept in memory in front of the store. Whoever decides takes the
//! subjects of a whole batch, alone, and gives them back when the batch is handed to the store: so the events of one asset
//! are decided in order and each knows what the one before it led to, durable or not. Knows nothing of what is decided.

use crate::partition::{Partition, Partitions};
use crate::store::{Store, StoreError};
use crate::subject::{SubjectKey, SubjectSet, SubjectState};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use indexmap::IndexMap;
use lru::LruCache;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The subjects. One for each store: what it knows, nobody else changes.
pub struct Subjects {
    inner: Mutex<Inner>,
    /// Told when subjects were given back.
    given_back: Notify,
    /// Held by who waits for subjects next: a batch of many is not overtaken for ever by batches of few.
    turn: tokio::sync::Mutex<()>,
    bytes_max: usize,
}

struct Inner {
    taken: HashSet<SubjectKey>,
    kept: LruCache<SubjectKey, Kept, DefaultHashBuilder>,
    /// Of what is not kept: the ticket that must be durable before the store can be asked.
    stale: HashMap<SubjectKey, u64>,
    bytes: usize,
}

struct Kept {
    state: SubjectState,
    /// The batch that changed it last.
    ticket: u64,
    bytes: usize,
}

/// Subjects that nobody else has. Given back by [`Taken::give_back`]; when dropped before, what is known of them is read
/// from the store again.
pub struct Taken {
    subjects: Arc<Subjects>,
    /// The subjects, as they are now.
    pub states: IndexMap<SubjectKey, SubjectState, DefaultHashBuilder>,
    tickets: Vec<(SubjectKey, u64)>,
}

impl Subjects {
    /// Knows nothing yet, and keeps about this many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Arc<Self> {
        let inner = Inner {
            taken: HashSet::new(),
            kept: LruCache::unbounded_with_hasher(DefaultHashBuilder::default()),
            stale: HashMap::new(),
            bytes: 0,
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
            given_back: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
            bytes_max,
        })
    }

    /// Waits until nobody has any of these, then takes them all.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn take<S: Store>(self: &Arc<Self>, store: &S, keys: &SubjectSet) -> Result<Taken, StoreError> {
        let (mut taken, unknown, needed) = self.take_kept(keys).await;
        while store.durable() < needed {
            // It was handed over; the writer is at it.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        if !unknown.is_empty() {
            let read = store.subjects(unknown.clone()).await?;
            taken.states.extend(unknown.into_iter().zip(read));
        }
        Ok(taken)
    }

    /// Those that are kept, the keys of the others, and the ticket that must be durable before the store knows these.
    async fn take_kept(self: &Arc<Self>, keys: &SubjectSet) -> (Taken, Vec<SubjectKey>, u64) {
        let _turn = self.turn.lock().await;
        loop {
            let given_back = self.given_back.notified();
            tokio::pin!(given_back);
            given_back.as_mut().enable();
            if let Some(found) = self.try_take(keys) {
                return found;
            }
            given_back.await;
        }
    }

    fn try_take(self: &Arc<Self>, keys: &SubjectSet) -> Option<(Taken, Vec<SubjectKey>, u64)> {
        let mut inner = self.inner();
        if keys.iter().any(|key| inner.taken.contains(key)) {
            return None;
        }
        let (mut unknown, mut needed) = (Vec::new(), 0);
        let mut states = IndexMap::with_capacity_and_hasher(keys.len(), DefaultHashBuilder::default());
        let mut tickets = Vec::with_capacity(keys.len());
        for key in keys {
            inner.taken.insert(key.clone());
            if let Some(kept) = inner.kept.pop(key) {
                inner.bytes -= kept.bytes;
                states.insert(key.clone(), kept.state);
                tickets.push((key.clone(), kept.ticket));
            } else {
                let ticket = inner.stale.get(key).copied().unwrap_or(0);
                needed = needed.max(ticket);
                tickets.push((key.clone(), ticket));
                unknown.push(key.clone());
            }
        }
        Some((Taken { subjects: Arc::clone(self), states, tickets }, unknown, needed))
    }

    /// Forgets those of these partitions: another host may change them from now on. Nobody has any of them.
    pub fn forget(&self, lost: Partitions) {
        let is_lost = |key: &SubjectKey| lost.contains(Partition::of_subject(&key.subject));
        let mut inner = self.inner();
        let kept: Vec<_> =
            inner.kept.iter().map(|(key, _)| key).filter(|key| is_lost(key)).cloned().collect();
        for key in kept {
            inner.bytes -= inner.kept.pop(&key).map_or(0, |kept| kept.bytes);
        }
        inner.stale.retain(|key, _| !is_lost(key));
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Gives the subjects back as they are now, which the batch with this ticket records; all before `durable` is in the
    /// store.
    pub fn give_back(mut self, ticket: u64, durable: u64) {
        self.tickets.clear();
        self.keep(durable, |_| ticket);
    }

    fn keep(&mut self, durable: u64, ticket: impl Fn(&SubjectKey) -> u64) {
        let subjects = Arc::clone(&self.subjects);
        let mut inner = subjects.inner();
        for (key, state) in self.states.drain(..) {
            let ticket = ticket(&key);
            inner.taken.remove(&key);
            inner.stale.remove(&key);
            let bytes = state.bytes() + key.subject.len();
            inner.bytes += bytes;
            inner.kept.push(key, Kept { state, ticket, bytes });
        }
        inner.forget_oldest(subjects.bytes_max, durable);
        drop(inner);
        subjects.given_back.notify_waiters();
    }

    /// Gives the subjects back unchanged.
    pub fn put_back(mut self, durable: u64) {
        let tickets: HashMap<_, _> = std::mem::take(&mut self.tickets).into_iter().collect();
        self.keep(durable, |key| tickets.get(key).copied().unwrap_or(0));
    }

    /// Gives the subjects back, changed in the store by the batch with this ticket and not in memory.
    pub fn reread_after(mut self, ticket: u64) {
        self.tickets.iter_mut().for_each(|(_, known)| *known = ticket);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut inner = self.subjects.inner();
        for (key, ticket) in self.tickets.drain(..) {
            inner.taken.remove(&key);
            if ticket > 0 {
                inner.stale.insert(key, ticket);
            }
        }
        drop(inner);
        self.subjects.given_back.notify_waiters();
    }
}

impl Inner {
    /// Drops what was not spoken of for longest. What the store does not have yet must stay.
    fn forget_oldest(&mut self, bytes_max: usize, durable: u64) {
        self.stale.retain(|_, ticket| *ticket > durable);
        while self.bytes > bytes_max {
            match self.kept.peek_lru() {
                Some((_, oldest)) if oldest.ticket <= durable => {}
                _ => return,
            }
            let (_, oldest) = self.kept.pop_lru().expect("there is one");
            self.bytes -= oldest.bytes;
        }
    }
}
