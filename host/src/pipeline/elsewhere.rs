//! Deliveries whose body did not fit in an envelope: fetch it from the vault, decide as for any other, and only when
//! that is recorded have the vault forget it. Knows nothing of how the edge is asked.

use super::{Elsewhere, Incoming, Origin, Pipeline};
use crate::queue::{Lease, Queue};
use crate::read;
use crate::store::{Store, Stray};
use crate::turn::Turn;
use std::sync::Arc;
use std::time::Duration;
use tidegate_envelope::{Body, Digest, Envelope};

/// Deliveries of one envelope before it is parked without its body. The queue's own limit, after which it drops or
/// dead-letters a message, is 100.
const ATTEMPTS_MAX: u32 = 90;

/// The wait before a body is asked for again is the first times the square of the attempt, up to the longest: all of
/// them together are three days.
const WAIT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3_600));

/// What came of asking for a body.
pub(super) enum Fetched {
    Body(Vec<u8>),
    /// The vault does not have it.
    Gone,
    /// It may be had later.
    Later(anyhow::Error),
}

impl<S: Store> Pipeline<S> {
    /// The story of one such delivery. Cancel-safe: as [`Pipeline::process`]; until its event is recorded the vault
    /// keeps the body.
    pub(super) async fn process_elsewhere<Q: Queue>(self: &Arc<Self>, queue: &Q, delivery: Elsewhere) {
        let _permit = self.fetching.acquire().await.expect("the semaphore is never closed");
        let Elsewhere { lease, attempts, queued_at_ms, pulled_at_ms, envelope, text } = delivery;
        let (source, receipt) = (envelope.source.clone(), envelope.receipt);
        let (mut incoming, mut strays) = (Vec::new(), Vec::new());
        let stray = |text, why: String| {
            tracing::error!(%receipt, %source, "parked an event without its body: {why}");
            vec![Stray { body: text, why, pulled_at_ms }]
        };
        match self.fetch(&envelope).await {
            Fetched::Body(body) => {
                let event = read::read_fetched(envelope, body);
                incoming.push(Incoming { event, queued_at_ms, pulled_at_ms, origin: Origin::Text(text) });
            }
            Fetched::Gone => match self.store.event(receipt).await {
                // Recorded before, and forgotten by the vault: this is a repeat.
                Ok(Some(_)) => {}
                Ok(None) => strays = stray(text, "the vault no longer has its body".into()),
                Err(error) => return retry(queue, lease, attempts, &error.into()).await,
            },
            Fetched::Later(error) if attempts >= ATTEMPTS_MAX => {
                strays = stray(text, format!("its body could not be fetched: {error:#}"));
            }
            Fetched::Later(error) => return retry(queue, lease, attempts, &error).await,
        }
        let is_parked = !strays.is_empty();
        let Ok(is_own) = self.record(incoming, strays, Vec::new(), Turn::alone()).await else { return };
        self.acknowledge(queue, vec![lease]).await;
        // Whoever is to decide about it fetches the body once more.
        if let Some(edge) = self.edge.as_ref().filter(|_| is_own && !is_parked)
            && let Err(error) = edge.drop_body(&source, receipt).await
        {
            tracing::warn!(%receipt, %source, "failed to have the vault forget a body, it will by itself: {error:#}");
        }
    }

    pub(super) async fn fetch(&self, envelope: &Envelope) -> Fetched {
        let Body::Vault(vault) = envelope.body else { return Fetched::Gone };
        let Some(edge) = &self.edge else {
            return Fetched::Later(anyhow::anyhow!(
                "set edge.url and TIDEGATE_EDGE_TOKEN: the body is in the vault at the edge"
            ));
        };
        let bytes = usize::try_from(vault.bytes).unwrap_or(usize::MAX);
        match edge.body(&envelope.source, envelope.receipt, bytes).await {
            Ok(None) => Fetched::Gone,
            Ok(Some(body)) if Digest::of(&body) == envelope.sha256 => Fetched::Body(body),
            Ok(Some(_)) => Fetched::Later(anyhow::anyhow!("the body that came does not match its hash")),
            Err(error) => Fetched::Later(error),
        }
    }
}

/// Gives the delivery back to the queue, to come again later.
async fn retry<Q: Queue>(queue: &Q, lease: Lease, attempts: u32, error: &anyhow::Error) {
    let wait = WAIT.0.saturating_mul(attempts.max(1).saturating_pow(2)).min(WAIT.1);
    tracing::error!("failed to fetch a body from the vault, will try again in {wait:?}: {error:#}");
    if let Err(error) = queue.settle(vec![lease.retry(wait)]).await {
        tracing::warn!("failed to give a delivery back, it comes again when its lease runs out: {error}");
    }
}
