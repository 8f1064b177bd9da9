//! Which partitions are this host's now. Whoever decides about an asset looks here first, and what is being done holds on to
//! what it is done for: a partition is given away only when nothing of this host's is under way in it.

use crate::partition::{Partition, Partitions};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{RwLock, RwLockReadGuard, watch};

/// What this host holds. One for each host.
pub struct Holding {
    held: RwLock<Held>,
    /// The same, for who waits for it to change.
    told: watch::Sender<Partitions>,
    /// What is being done that nobody who decides need wait for.
    busy: Mutex<HashMap<Partition, usize>>,
}

/// What is held, as long as this is not dropped: decide meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// These.
    pub partitions: Partitions,
    /// How often something was given away: what was found before then may no longer be so.
    pub losses: u64,
}

/// Something is under way in a partition, until this is dropped.
pub struct Busy {
    holding: Arc<Holding>,
    partition: Partition,
}

impl Holding {
    /// That of a host which holds these.
    #[must_use]
    pub fn new(partitions: Partitions) -> Arc<Self> {
        Arc::new(Self {
            held: RwLock::new(Held { partitions, losses: 0 }),
            told: watch::Sender::new(partitions),
            busy: Mutex::default(),
        })
    }

    /// What is held; nothing is given away until the answer is dropped.
    pub async fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().await
    }

    /// As [`Self::held`], when nothing was given away since `before`.
    pub async fn still(&self, before: Held) -> Option<RwLockReadGuard<'_, Held>> {
        let held = self.held().await;
        (held.losses == before.losses).then_some(held)
    }

    /// What is held, whenever that changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Partitions> {
        self.told.subscribe()
    }

    /// Holds these, too.
    pub async fn gain(&self, gained: Partitions) {
        let mut held = self.held.write().await;
        held.partitions = held.partitions.with(gained);
        self.told.send_replace(held.partitions);
    }

    /// Holds these no longer: waits until nobody decides, and has `forget` called before anybody does again. What is
    /// [`Busy`] in them goes on.
    pub async fn lose(&self, lost: Partitions, forget: impl FnOnce()) {
        let mut held = self.held.write().await;
        held.partitions = held.partitions.without(lost);
        held.losses += 1;
        forget();
        self.told.send_replace(held.partitions);
    }

    /// Begins something in this partition.
    pub fn begin(self: &Arc<Self>, partition: Partition) -> Busy {
        *self.busy().entry(partition).or_default() += 1;
        Busy { holding: Arc::clone(self), partition }
    }

    /// The partitions in which something is under way.
    #[must_use]
    pub fn under_way(&self) -> Partitions {
        self.busy().keys().copied().collect()
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<Partition, usize>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut busy = self.holding.busy();
        let count = busy.get_mut(&self.partition).expect("it was begun");
        *count -= 1;
        if *count == 0 {
            busy.remove(&self.partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn nothing_is_given_away_while_somebody_decides() {
        let holding = Holding::new(Partitions::ALL);
        let held = holding.held().await;
        let lost = [Partition::FIRST].into_iter().collect();
        let forgets = tokio::time::timeout(Duration::from_millis(20), holding.lose(lost, || ()));
        assert!(forgets.await.is_err());
        let before = *held;
        drop(held);
        holding.lose(lost, || ()).await;
        assert!(!holding.held().await.partitions.contains(Partition::FIRST));
        assert!(holding.still(before).await.is_none());
        assert!(holding.still(*holding.held().await).await.is_some());
    }

    #[test]
    fn what_is_under_way_is_known_until_the_last_of_it_has_ended() {
        let holding = Holding::new(Partitions::ALL);
        let (one, other) = (holding.begin(Partition::FIRST), holding.begin(Partition::FIRST));
        drop(one);
        assert!(holding.under_way().contains(Partition::FIRST));
        drop(other);
        assert!(holding.under_way().is_empty());
    }
}
