//! Erases while the host works: nobody decides about the subjects meanwhile, nor afterwards from what was read before. Knows
//! nothing of whom it is about.

use super::Pipeline;
use crate::store::keeping::Erasure;
use crate::store::{Batch, Store, StoreError};
use crate::subject::SubjectKey;
use std::collections::HashSet;
use std::sync::atomic::Ordering;

impl<S: Store> Pipeline<S> {
    /// Has these places erased, which are about these subjects.
    ///
    /// Not cancel-safe: run it in a task of its own.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is then.
    pub async fn erase(&self, keys: HashSet<SubjectKey>, erasure: Erasure) -> Result<(), StoreError> {
        let taken = self.take(keys).await;
        let written = self.store.commit(Batch { erasure, ..Batch::default() }).await;
        // Behind the transaction and before the subjects: whoever read what is due before it finds another number.
        self.erasures.fetch_add(1, Ordering::AcqRel);
        // What is dropped is read again.
        drop(taken);
        self.recorded.notify_waiters();
        written
    }

    /// How often something was erased.
    pub(super) fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::Acquire)
    }
}
