//! Erases while the host works: nobody decides about the subjects meanwhile, nor afterwards from what was read before. What
//! other hosts decide about they erase. Knows nothing of whom it is about.

use super::Pipeline;
use crate::holding::Held;
use crate::store::group::{Errand, ErrandSeq, NewErrand};
use crate::store::keeping::{Erasure, Payload};
use crate::store::{Batch, Store, StoreError};
use crate::subject::SubjectKey;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use tokio::sync::RwLockReadGuard;

impl<S: Store> Pipeline<S> {
    /// Has these erased. What another host decides about is erased when this returns, or a moment later.
    ///
    /// Not cancel-safe: run it in a task of its own.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is then.
    pub async fn erase(&self, payloads: Vec<Payload>) -> Result<(), StoreError> {
        let nothing = || (Vec::new(), Erasure { at_ms: (self.now_ms)(), ..Erasure::default() });
        let (mut own, mut theirs) = (nothing(), BTreeMap::new());
        let held = self.holding.held().await;
        for payload in payloads {
            let (keys, erasure) = match payload.partition {
                Some(partition) if !held.partitions.contains(partition) => {
                    theirs.entry(partition).or_insert_with(nothing)
                }
                _ => &mut own,
            };
            keys.extend(payload.subject);
            erasure.places.push(payload.place);
        }
        let partitions = theirs.keys().copied().collect();
        let errands = theirs.into_iter().map(|(partition, (keys, erasure))| NewErrand {
            partition,
            errand: Errand::Erase(keys, erasure),
        });
        let (keys, erasure) = own;
        let batch = Batch { erasure, errands: errands.collect(), ..Batch::default() };
        self.write_erasure(held, keys, batch).await?;
        self.await_others(partitions).await
    }

    /// Erases what another host found and this one decides about, unless something was given away since `before`: then it may be
    /// another's to do by now.
    ///
    /// # Errors
    /// As [`Pipeline::erase`].
    pub async fn erase_for_another(
        &self,
        (seq, keys, erasure): (ErrandSeq, Vec<SubjectKey>, Erasure),
        before: Held,
    ) -> Result<(), StoreError> {
        let Some(held) = self.holding.still(before).await else { return Ok(()) };
        self.write_erasure(held, keys, Batch { erasure, errands_done: vec![seq], ..Batch::default() }).await
    }

    async fn write_erasure(
        &self,
        held: RwLockReadGuard<'_, Held>,
        keys: Vec<SubjectKey>,
        batch: Batch,
    ) -> Result<(), StoreError> {
        let taken = self.take(keys.into_iter().collect()).await;
        let written = self.store.commit(batch).await;
        // Behind the transaction and before the subjects: whoever read what is due before it finds another number.
        self.erasures.fetch_add(1, Ordering::AcqRel);
        // What is dropped is read again.
        drop(taken);
        drop(held);
        self.recorded.notify_waiters();
        written
    }

    /// How often something was erased.
    pub(super) fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::Acquire)
    }
}
