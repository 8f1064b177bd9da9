//! Pulls deliveries no faster than the pipeline takes them, and drains when told to stop.

use crate::pipeline::Pipeline;
use crate::poll::{self, PollPolicy};
use crate::queue::{PollHint, Pulled, Queue, QueueError};
use crate::store::Store;
use crate::turn::{Turn, Turns};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// Bounds of the pump, from the configuration.
#[derive(Clone, Debug)]
pub struct PumpBounds {
    /// Deliveries pulled and not yet acknowledged.
    pub in_flight: InFlight,
    /// Deliveries in one pull.
    pub batch_max: usize,
    /// When to pull again.
    pub poll: PollPolicy,
    /// How long to wait after a pull that cannot succeed until something is set right, in milliseconds.
    pub permanent_retry_ms: u64,
}

/// How much may be pulled and not yet acknowledged, by all pumps of a host together: one has all of it while the others rest.
#[derive(Clone, Debug)]
pub struct InFlight {
    permits: Arc<Semaphore>,
    /// In one pull. A queue may take its time to answer: meanwhile no other pump waits for these.
    pull_max: usize,
}

impl InFlight {
    /// So many deliveries for so many pumps, and at least one for each.
    #[must_use]
    pub fn new(deliveries_max: usize, pumps: usize) -> Self {
        let pull_max = (deliveries_max / pumps.max(1)).max(1);
        Self { permits: Arc::new(Semaphore::new(deliveries_max.max(pumps))), pull_max }
    }

    /// As many permits as are free, at least one: never pull more than can be worked on now.
    async fn for_a_batch(&self, batch_max: usize) -> OwnedSemaphorePermit {
        let permits = &self.permits;
        let mut held = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
        let more = permits.available_permits().min(batch_max.min(self.pull_max).saturating_sub(1));
        if let Ok(more) = Arc::clone(permits).try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
            held.merge(more);
        }
        held
    }
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
    let (mut batches, mut turns) = (JoinSet::new(), Turns::default());
    let under_way = Arc::new(AtomicUsize::new(0));
    let (mut wait_ms, counts) = (0, pipeline.signals().counts.queue());
    loop {
        if *pullers.borrow() == 0 {
            counts.rests();
        }
        tokio::select! {
            // In an order, here and below, so that a simulated run has one.
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            () = until_it_pulls(&mut pullers) => {}
        }
        let held = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            held = bounds.in_flight.for_a_batch(bounds.batch_max) => held,
        };
        // Before the pull: batches end while it is under way, and the queue may have counted them before they did.
        let under_way_before = under_way.load(Ordering::Relaxed);
        let pulled = tokio::select! {
            biased;
            // What has come is worked on, even if this is to be the last.
            pulled = queue.pull(held.num_permits()) => pulled,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while batches.try_join_next().is_some() {}
        wait_ms = match pulled {
            Ok(pulled) => {
                counts.pulled(pulled.deliveries.len(), pulled.backlog, under_way_before);
                let policy = bounds.poll.shared_by(*pullers.borrow());
                let wait_ms = poll::next(&policy, wait_ms, pulled.deliveries.len(), pulled.again);
                start(&mut batches, (&queue, &pipeline, &under_way), pulled, held, turns.next_turn());
                wait_ms
            }
            Err(error) => {
                counts.failed();
                wait_after(&error, &bounds, wait_ms)
            }
        };
        if wait_ms > 0 {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
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

/// Starts the work on what was pulled, and gives back the permits that the pull did not fill.
fn start<Q: Queue, S: Store>(
    batches: &mut JoinSet<()>,
    (queue, pipeline, under_way): (&Arc<Q>, &Arc<Pipeline<S>>, &Arc<AtomicUsize>),
    pulled: Pulled,
    mut held: OwnedSemaphorePermit,
    turn: Turn,
) {
    if pulled.deliveries.is_empty() {
        return;
    }
    let deliveries = pulled.deliveries.len();
    drop(held.split(held.num_permits().saturating_sub(deliveries)));
    let (queue, pipeline, under_way) = (Arc::clone(queue), Arc::clone(pipeline), Arc::clone(under_way));
    pipeline.signals().counts.begun(deliveries);
    under_way.fetch_add(deliveries, Ordering::Relaxed);
    batches.spawn(async move {
        pipeline.process(queue.as_ref(), pulled.deliveries, turn).await;
        pipeline.signals().counts.ended(deliveries);
        under_way.fetch_sub(deliveries, Ordering::Relaxed);
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
