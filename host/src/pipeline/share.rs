//! What of the work is this host's, where several share it: it gains partitions and loses them, and what comes to it for
//! another is written down for that.

use super::{Incoming, Origin, Pipeline};
use crate::holding::{Held, Holding};
use crate::partition::Partitions;
use crate::store::group::{Errand, NewErrand};
use crate::store::{Store, StoreError};
use std::sync::Arc;
use tidegate_envelope::Receipt;

/// How far the edge's clock may be ahead of this host's, in milliseconds.
const AHEAD_MS: u64 = 60_000;

/// What was so when the store was asked what is due.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// How often something was erased.
    pub(super) erasures: u64,
    /// What this host held.
    pub held: Held,
}

impl<S: Store> Pipeline<S> {
    /// What is so now.
    pub async fn since(&self) -> Since {
        Since { erasures: self.erasures(), held: *self.holding.held().await }
    }

    /// Which partitions are this host's.
    #[must_use]
    pub const fn holding(&self) -> &Arc<Holding> {
        &self.holding
    }

    /// Decides about these partitions, too, from now on: no other host does.
    ///
    /// # Errors
    /// When the store cannot be read: then nothing has changed.
    pub async fn gain(&self, gained: Partitions) -> Result<(), StoreError> {
        let recent = self.store.recent(self.bounds.recent_events_max, gained).await?;
        let before = Receipt::new((self.now_ms)().saturating_add(AHEAD_MS), u128::MAX);
        self.recent().gain(recent, before);
        self.holding.gain(gained).await;
        self.recorded.notify_waiters();
        Ok(())
    }

    /// Decides about these partitions no longer. What was decided is handed over to the store when this returns.
    pub async fn lose(&self, lost: Partitions) {
        self.holding.lose(lost, || self.subjects.forget(lost)).await;
    }
}

/// What of this is the host's to decide that holds this much; and what others are to do. What was to come and is not this
/// host's any more stays to come.
pub(super) fn out(held: Held, mut incoming: Vec<Incoming>) -> (Vec<Incoming>, Vec<NewErrand>) {
    let is_given_away = |incoming: &mut Incoming| {
        let is_own = held.partitions.contains(incoming.event.partition());
        !is_own || matches!(incoming.origin, Origin::ToCome(_, losses) if losses != held.losses)
    };
    let errand = |Incoming { event, origin, queued_at_ms, .. }| match origin {
        Origin::ToCome(..) => None,
        Origin::Text(text) => {
            let errand = Errand::Decide { text, queued_at_ms };
            Some(NewErrand { partition: event.partition(), errand })
        }
    };
    let errands = incoming.extract_if(.., is_given_away).filter_map(errand).collect();
    (incoming, errands)
}
