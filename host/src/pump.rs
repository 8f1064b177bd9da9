//! Pulls deliveries no faster than the pipeline takes them, and drains when told to stop.

use crate::pipeline::Pipeline;
use crate::poll::{self, PollPolicy};
use crate::queue::{PollHint, Pulled, Queue, QueueError};
use crate::store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// Bounds of the pump, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct PumpBounds {
    /// Deliveries pulled and not yet acknowledged.
    pub in_flight_max: usize,
    /// Deliveries in one pull.
    pub batch_max: usize,
    /// When to pull again.
    pub poll: PollPolicy,
    /// How long to wait after a pull that cannot succeed until something is set right, in milliseconds.
    pub permanent_retry_ms: u64,
}

/// Pulls and processes until told to stop, then finishes what was pulled: leased work is never left lying.
///
/// Cancel-safe: what was pulled and not acknowledged comes back when its lease runs out.
pub async fn run<Q: Queue, S: Store>(
    queue: Arc<Q>,
    pipeline: Arc<Pipeline<S>>,
    bounds: PumpBounds,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(bounds.in_flight_max));
    let batches_of = Pace::new(queue, pipeline, bounds.batch_max);
    let mut batches = JoinSet::new();
    let mut wait_ms = 0;
    loop {
        let held = tokio::select! {
            held = permits_for_a_batch(&permits, batches_of.size()) => held,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let pulled = tokio::select! {
            pulled = batches_of.queue.pull(held.num_permits()) => pulled,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while batches.try_join_next().is_some() {}
        wait_ms = match pulled {
            Ok(pulled) => {
                let wait_ms = poll::next(&bounds.poll, wait_ms, pulled.deliveries.len(), pulled.again);
                batches_of.start(&mut batches, pulled, held);
                wait_ms
            }
            Err(error) => wait_after(&error, &bounds, wait_ms),
        };
        if wait_ms > 0 {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
    }
    tracing::info!(batches = batches.len(), "no longer pulling; finishing what was pulled");
    while batches.join_next().await.is_some() {}
}

/// As many permits as are free, at least one: never pull more than can be worked on now.
async fn permits_for_a_batch(permits: &Arc<Semaphore>, batch_max: usize) -> OwnedSemaphorePermit {
    let mut held = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    let more = permits.available_permits().min(batch_max.saturating_sub(1));
    if let Ok(more) = Arc::clone(permits).try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
        held.merge(more);
    }
    held
}

/// What batches are made for, and how large they should be: a batch that could not be asked about in time was too
/// large for what plugins take now, and what went back to the queue has one attempt less.
struct Pace<Q, S> {
    queue: Arc<Q>,
    pipeline: Arc<Pipeline<S>>,
    batch_max: usize,
    size: Arc<AtomicUsize>,
}

impl<Q: Queue, S: Store> Pace<Q, S> {
    fn new(queue: Arc<Q>, pipeline: Arc<Pipeline<S>>, batch_max: usize) -> Self {
        Self { queue, pipeline, batch_max, size: Arc::new(AtomicUsize::new(batch_max)) }
    }

    fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    fn start(&self, batches: &mut JoinSet<()>, pulled: Pulled, mut held: OwnedSemaphorePermit) {
        let deliveries = pulled.deliveries.len();
        if deliveries == 0 {
            return;
        }
        // Give back what the pull did not fill.
        drop(held.split(held.num_permits().saturating_sub(deliveries)));
        let (queue, pipeline, size) =
            (Arc::clone(&self.queue), Arc::clone(&self.pipeline), Arc::clone(&self.size));
        let batch_max = self.batch_max;
        batches.spawn(async move {
            let unasked = pipeline.process(queue.as_ref(), pulled.deliveries).await;
            size.store(
                next_size(batch_max, deliveries, unasked, size.load(Ordering::Relaxed)),
                Ordering::Relaxed,
            );
            drop(held);
        });
    }
}

/// The size of the next batches after one in which so many deliveries were not asked about.
fn next_size(batch_max: usize, deliveries: usize, unasked: usize, size: usize) -> usize {
    if unasked > 0 {
        deliveries.saturating_sub(unasked).max(1)
    } else {
        size.saturating_mul(2).min(batch_max)
    }
}

fn wait_after(error: &QueueError, bounds: &PumpBounds, last_ms: u64) -> u64 {
    match error {
        QueueError::Transient { after, .. } => {
            tracing::warn!("failed to pull, will try again: {error}");
            let backoff_ms = poll::next(&bounds.poll, last_ms, 0, PollHint::Idle);
            let asked_ms = after.map_or(0, |after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            backoff_ms.max(asked_ms)
        }
        QueueError::Permanent { .. } => {
            tracing::error!("failed to pull, and it will not get better by itself: {error}");
            bounds.permanent_retry_ms
        }
    }
}

#[cfg(test)]
mod tests {
    use super::next_size;

    #[test]
    fn batches_are_no_larger_than_there_is_time_for() {
        for (deliveries, unasked, size, expected) in
            [(100, 0, 100, 100), (100, 70, 100, 30), (100, 100, 100, 1), (1, 0, 1, 2), (60, 0, 64, 100)]
        {
            assert_eq!(next_size(100, deliveries, unasked, size), expected);
        }
    }
}
