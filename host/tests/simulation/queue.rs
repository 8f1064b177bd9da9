//! A queue as bad as a queue may be: it delivers twice, in any order, late, and forgets acknowledgements.

use super::scenario::Posted;
use super::world::{self, step, tell, true_ms};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidegate::partition::Partitions;
use tidegate::queue::{Delivery, DeliveryBody, Lease, PollHint, Pulled, Queue, QueueError, Settle};
use tidegate::store::Store as _;
use tidegate::store::group::{Errand, Group as _};
use tidegate::store::sql::SqlStore;

/// How long a delivery is left to the host.
const LEASE_MS: u64 = 1_500;

#[derive(Clone)]
pub(crate) struct BadQueue {
    messages: Arc<Mutex<Vec<Message>>>,
    /// Where an acknowledged event must be.
    recorded: SqlStore,
}

struct Message {
    posted: Posted,
    ready_at_ms: u64,
    deliveries: u32,
    is_done: bool,
}

impl BadQueue {
    pub(crate) fn new(posted: Vec<Posted>, recorded: SqlStore) -> Self {
        let message =
            |posted: Posted| Message { ready_at_ms: posted.at_ms, posted, deliveries: 0, is_done: false };
        Self { messages: Arc::new(Mutex::new(posted.into_iter().map(message).collect())), recorded }
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every message was acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages().iter().all(|message| message.is_done)
    }

    fn take(&self, max: usize) -> Vec<Delivery> {
        let now_ms = true_ms();
        let mut messages = self.messages();
        let is_ready = |message: &Message| !message.is_done && message.ready_at_ms <= now_ms;
        let mut ready: Vec<_> = (0..messages.len()).filter(|at| is_ready(&messages[*at])).collect();
        if world::goes_wrong(300) {
            world::draw(|rng| rng.shuffle(&mut ready));
        }
        if let Some(first) = ready.first().copied().filter(|_| world::goes_wrong(80)) {
            ready.insert(1, first);
        }
        ready.truncate(max);
        let deliver = |at: usize| {
            let message = &mut messages[at];
            message.deliveries += 1;
            message.ready_at_ms = now_ms + LEASE_MS;
            tell(format!(
                "delivers message {at} for time {}: {}",
                message.deliveries, message.posted.receipt
            ));
            Delivery {
                lease: Lease::new(format!("{at}/{}", message.deliveries)),
                attempts: message.deliveries,
                queued_at_ms: message.posted.at_ms,
                body: DeliveryBody::Text(message.posted.text.clone()),
            }
        };
        ready.into_iter().map(deliver).collect()
    }

    /// Takes note of an acknowledgement of the delivery that is under lease.
    fn acknowledge(&self, lease: &str) {
        let (at, delivery) = parts(lease);
        let message = &mut self.messages()[at];
        if message.deliveries == delivery {
            message.is_done = !world::goes_wrong(30);
        }
    }

    /// Nothing may be acknowledged that is not recorded, or written down for whoever records it.
    async fn check_recorded(&self, lease: &str) {
        let posted = self.messages()[parts(lease).0].posted.clone();
        if posted.text == "no envelope" {
            return;
        }
        let errands = self.recorded.errands(Partitions::ALL, true, usize::MAX >> 1).await.expect("reads");
        let is_it = |errand: &Errand| matches!(errand, Errand::Decide { text, .. } if *text == posted.text);
        let is_errand = errands.iter().any(|(_, errand)| is_it(errand));
        let known = self.recorded.known(vec![posted.receipt]).await.expect("reads");
        world::must(is_errand || !known.is_empty(), || {
            format!("message {lease} is acknowledged and not recorded")
        });
    }
}

fn parts(lease: &str) -> (usize, u32) {
    let (at, delivery) = lease.split_once('/').expect("it was made here");
    (at.parse().expect("a number"), delivery.parse().expect("a number"))
}

fn failed(what: &str) -> QueueError {
    QueueError::Transient { after: None, cause: anyhow::anyhow!("{what}") }
}

impl Queue for BadQueue {
    async fn pull(&self, max: usize) -> Result<Pulled, QueueError> {
        loop {
            step("before a pull").await;
            if !world::reach().queue || world::goes_wrong(30) {
                return Err(failed("the queue is down"));
            }
            let deliveries = self.take(max);
            if !deliveries.is_empty() {
                return Ok(Pulled { deliveries, backlog: None, again: PollHint::Now });
            }
            let next_at_ms = self.messages().iter().filter(|it| !it.is_done).map(|it| it.ready_at_ms).min();
            let wait_ms = next_at_ms.map_or(60_000, |at_ms| at_ms.saturating_sub(true_ms()));
            tokio::time::sleep(Duration::from_millis(wait_ms.max(1))).await;
        }
    }

    async fn settle(&self, settled: Vec<Settle>) -> Result<(), QueueError> {
        step("before an acknowledgement").await;
        let leases: Vec<_> = settled.into_iter().map(Settle::into_parts).collect();
        for (lease, is_ack) in &leases {
            world::must(*is_ack, || format!("{lease} is given back"));
            self.check_recorded(lease).await;
        }
        if !world::reach().queue || world::goes_wrong(100) {
            tell("an acknowledgement is lost");
            return Err(failed("the acknowledgement is lost"));
        }
        leases.iter().for_each(|(lease, _)| self.acknowledge(lease));
        tell(format!(
            "acknowledged {}",
            leases.iter().map(|(lease, _)| lease.as_str()).collect::<Vec<_>>().join(" ")
        ));
        step("after an acknowledgement").await;
        if world::goes_wrong(50) { Err(failed("the answer to an acknowledgement is lost")) } else { Ok(()) }
    }
}
