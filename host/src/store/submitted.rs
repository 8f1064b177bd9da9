//! What was handed over to the store, and how long whoever hands something over is patient.

use super::{Batch, Store, StoreError};
use std::time::Duration;
use tokio::sync::oneshot;

/// A batch that was handed over and will be written. Resolves when it is durable; dropping it changes nothing.
#[derive(Debug)]
pub struct Submitted {
    /// Which one, counted from 1 since the start.
    pub ticket: u64,
    durable: oneshot::Receiver<Batch>,
}

impl Submitted {
    /// The other half gives it back when it is durable.
    #[must_use]
    pub fn new(ticket: u64) -> (oneshot::Sender<Batch>, Self) {
        let (tell, durable) = oneshot::channel();
        (tell, Self { ticket, durable })
    }

    /// Waits until the batch, and all that were handed over before it, can be read by whoever looks.
    ///
    /// # Errors
    /// When the store has stopped: then nobody knows.
    pub async fn durable(self) -> Result<(), StoreError> {
        let written = self.durable.await;
        written.map(drop).map_err(|_| StoreError(anyhow::anyhow!("the store's writer has stopped")))
    }
}

/// The first wait before something that failed for the store's sake is tried again, and the longest.
pub(crate) const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// Hands over what was done, and waits until it is durable. When the store has stopped, only the log says what is missing
/// in it: it is done all the same.
pub async fn record<S: Store>(store: &S, batch: Batch) {
    let recorded = async { store.submit(batch).await?.durable().await };
    if let Err(error) = recorded.await {
        tracing::error!("failed to record what was done: {error}");
    }
}
