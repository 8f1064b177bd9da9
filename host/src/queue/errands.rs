//! Deliveries that other hosts pulled and wrote down for this one: one more queue, in the store that they share.

use super::{Delivery, DeliveryBody, Held, Lease, PollHint, Pulled, Queue, QueueError, Settle};
use crate::holding::Holding;
use crate::store::group::{Errand, ErrandSeq};
use crate::store::{Batch, Store};
use anyhow::Context as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a delivery that was pulled is not pulled again.
const LEASE: Duration = Duration::from_secs(60);
/// How long to wait for others to tell that there is more.
const LOOK: Duration = Duration::from_secs(1);

/// The deliveries in the partitions that this host holds.
pub struct Errands<S> {
    store: S,
    holding: Arc<Holding>,
    /// What was pulled: until when it is hidden, and how often it was pulled.
    leased: Mutex<HashMap<ErrandSeq, (Instant, u32)>>,
}

impl<S: Store> Errands<S> {
    /// Those in this store.
    pub fn new(store: S, holding: Arc<Holding>) -> Self {
        Self { store, holding, leased: Mutex::default() }
    }

    async fn ready(&self, max: usize) -> Result<Vec<Delivery>, QueueError> {
        let within = self.holding.held().await.partitions;
        let hidden = self.leased().len();
        let errands =
            self.store.errands(within, true, max.saturating_add(hidden)).await.map_err(transient)?;
        let (now, mut leased) = (Instant::now(), self.leased());
        let mut deliveries = Vec::new();
        for (seq, errand) in errands {
            let Errand::Decide { text, queued_at_ms } = errand else { continue };
            let (until, attempts) = leased.get(&seq).copied().unwrap_or((now, 0));
            if until > now || deliveries.len() == max {
                continue;
            }
            let attempts = attempts.saturating_add(1);
            leased.insert(seq, (now + LEASE, attempts));
            let lease = Lease::new(seq.0.to_string());
            deliveries.push(Delivery { lease, attempts, queued_at_ms, body: DeliveryBody::Text(text) });
        }
        Ok(deliveries)
    }

    fn leased(&self) -> MutexGuard<'_, HashMap<ErrandSeq, (Instant, u32)>> {
        self.leased.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Store> Queue for Errands<S> {
    async fn pull(&self, max: usize) -> Result<Pulled, QueueError> {
        let (mut told, mut held) = (self.store.told(), self.holding.watch());
        let deliveries = self.ready(max).await?;
        if deliveries.is_empty() {
            tokio::select! {
                // Whichever it is, all is looked at. In an order, so that a simulated run has one.
                biased;
                _ = told.changed() => {}
                _ = held.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(Pulled { deliveries, backlog: None, again: PollHint::Now })
    }

    async fn settle(&self, settled: Vec<Settle>) -> Result<(), QueueError> {
        let mut done = Vec::with_capacity(settled.len());
        for Settle { lease, end } in settled {
            let Held::Text(seq) = lease.0 else { continue };
            let seq = ErrandSeq(
                seq.parse().context("read a lease").map_err(|cause| QueueError::Permanent { cause })?,
            );
            match end.delay() {
                None => done.push(seq),
                Some(delay) => {
                    if let Some((until, _)) = self.leased().get_mut(&seq) {
                        *until = Instant::now() + delay;
                    }
                }
            }
        }
        let errands_done = done.clone();
        self.store.commit(Batch { errands_done, ..Batch::default() }).await.map_err(transient)?;
        let mut leased = self.leased();
        for seq in done {
            leased.remove(&seq);
        }
        Ok(())
    }
}

fn transient(error: crate::store::StoreError) -> QueueError {
    QueueError::Transient { after: None, cause: error.into() }
}
