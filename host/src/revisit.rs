//! Asks plugins again when they are due: after a fault that may pass, or because they said so.

use crate::pipeline::Pipeline;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Plugins asked again in one go.
const ASKS_MAX: usize = 64;
/// How long to stay away from a store that fails.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Asks again what is due until told to stop.
///
/// Cancel-safe: a plan that was not recorded stays due.
pub async fn run<S: Store>(
    store: S,
    pipeline: Arc<Pipeline<S>>,
    recorded: Arc<Notify>,
    now_ms: fn() -> u64,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let woken = recorded.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let next = ask_due(&store, &pipeline, now_ms()).await.unwrap_or_else(|error| {
            tracing::error!("failed to ask again: {error}");
            Some(STORE_RETRY)
        });
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(next.unwrap_or(Duration::MAX)) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Asks what is due, and says when to look again by the clock alone.
async fn ask_due<S: Store>(
    store: &S,
    pipeline: &Arc<Pipeline<S>>,
    now_ms: u64,
) -> Result<Option<Duration>, StoreError> {
    let due = store.asks_due(now_ms, ASKS_MAX).await?;
    if !due.is_empty() {
        pipeline.revisit(due).await?;
        return Ok(Some(Duration::ZERO));
    }
    let next_at_ms = store.next_ask_at_ms(now_ms).await?;
    Ok(next_at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms))))
}
