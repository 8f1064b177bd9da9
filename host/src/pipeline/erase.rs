//! Erases while the host works: nobody decides about the subjects meanwhile, nor afterwards from what was read before. Knows
//! nothing of whom it is about.

use super::Pipeline;
use crate::partition::Partitions;
use crate::store::keeping::Erasure;
use crate::store::{Batch, Store, StoreError};
use crate::subject::SubjectKey;
use indexmap::IndexSet;
use std::sync::atomic::Ordering;

impl<S: Store> Pipeline<S> {
    /// Has these places erased, which are about these subjects.
    ///
    /// Not cancel-safe: run it in a task of its own.
    ///
    /// # Errors
    /// When it cannot be written, or another host decides about some of the subjects; nothing of it is written then.
    pub async fn erase(&self, keys: IndexSet<SubjectKey>, erasure: Erasure) -> Result<(), StoreError> {
        let held = self.holding.held().await;
        if held.partitions != Partitions::ALL {
            return Err(StoreError(anyhow::anyhow!(
                "other hosts share the store, and remember what is to be forgotten: stop all but this one, then say it again"
            )));
        }
        let taken = self.take(keys).await;
        let written = self.store.commit(Batch { erasure, ..Batch::default() }).await;
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
