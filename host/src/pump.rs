//! Pulls deliveries no faster than the pipeline takes them, and drains when told to stop.

use crate::pipeline::Pipeline;
use crate::poll::{self, PollPolicy};
use crate::queue::{PollHint, Pulled, Queue, QueueError};
use crate::store::Store;
use crate::turn::{Turn, Turns};
use std::sync::Arc;
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

/// Pulls and processes until told to stop, then finishes what was pulled: leased work is never left lying. `pullers` says how
/// many hosts pull from the queue, this one included; none while it is not this one's to pull from.
///
/// Cancel-safe: what was pulled and not acknowledged comes back when its lease runs out.
pub async fn run<Q: Queue, S: Store>(
    queue: Arc<Q>,
    pipeline: Arc<Pipeline<S>>,
    bounds: PumpBounds,
    mut pullers: watch::Receiver<usize>,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(bounds.in_flight_max));
    let (mut batches, mut turns) = (JoinSet::new(), Turns::default());
    let (mut wait_ms, counts) = (0, pipeline.signals().counts.queue());
    loop {
        if *pullers.borrow() == 0 {
            counts.rests();
        }
        tokio::select! {
            () = until_it_pulls(&mut pullers) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let held = tokio::select! {
            held = permits_for_a_batch(&permits, bounds.batch_max) => held,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        // Before the pull: batches end while it is under way, and the queue may have counted them before they did.
        let free = permits.available_permits().saturating_add(held.num_permits());
        let under_way = bounds.in_flight_max.saturating_sub(free);
        let pulled = tokio::select! {
            pulled = queue.pull(held.num_permits()) => pulled,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while batches.try_join_next().is_some() {}
        wait_ms = match pulled {
            Ok(pulled) => {
                counts.pulled(pulled.deliveries.len(), pulled.backlog, under_way);
                let policy = bounds.poll.shared_by(*pullers.borrow());
                let wait_ms = poll::next(&policy, wait_ms, pulled.deliveries.len(), pulled.again);
                start(&mut batches, (&queue, &pipeline), pulled, held, turns.next_turn());
                wait_ms
            }
            Err(error) => {
                counts.failed();
                wait_after(&error, &bounds, wait_ms)
            }
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

/// One host pulls from the queue.
#[must_use]
pub fn alone() -> watch::Receiver<usize> {
    watch::channel(1).1
}

/// Nobody says that it should, once there is nobody left who could.
async fn until_it_pulls(pullers: &mut watch::Receiver<usize>) {
    if pullers.wait_for(|pullers| *pullers > 0).await.is_err() {
        std::future::pending().await
    }
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

/// Starts the work on what was pulled, and gives back the permits that the pull did not fill.
fn start<Q: Queue, S: Store>(
    batches: &mut JoinSet<()>,
    (queue, pipeline): (&Arc<Q>, &Arc<Pipeline<S>>),
    pulled: Pulled,
    mut held: OwnedSemaphorePermit,
    turn: Turn,
) {
    if pulled.deliveries.is_empty() {
        return;
    }
    let deliveries = pulled.deliveries.len();
    drop(held.split(held.num_permits().saturating_sub(deliveries)));
    let (queue, pipeline) = (Arc::clone(queue), Arc::clone(pipeline));
    pipeline.signals().counts.begun(deliveries);
    batches.spawn(async move {
        pipeline.process(queue.as_ref(), pulled.deliveries, turn).await;
        pipeline.signals().counts.ended(deliveries);
        drop(held);
    });
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
