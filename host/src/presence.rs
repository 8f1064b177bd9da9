//! What this host says of itself to those that share the store, again and again, and what it hears of the sources from the one
//! that watches over them. Knows nothing of who reads it.

use crate::account::Accounts;
use crate::holding::Holding;
use crate::partition::Partition;
use crate::signal::Signals;
use crate::store::group::{Doing, Said};
use crate::store::{Batch, Store, StoreError};
use crate::vigil::report::SourcesReport;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// How often it says it.
const EVERY: Duration = Duration::from_secs(2);

/// This host.
#[derive(Clone)]
pub struct Own {
    /// What people call it.
    pub name: String,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// How many hosts pull from each queue, this one included; none where it is not this one's to pull from.
    pub pullers: Vec<watch::Receiver<usize>>,
    /// What it counts.
    pub signals: Arc<Signals>,
}

impl Own {
    /// What it is at now.
    #[must_use]
    pub fn doing(&self) -> Doing {
        let pulled = (1..).zip(&self.pullers).filter(|(_, pullers)| *pullers.borrow() > 0);
        Doing::new(self.signals.counts.in_flight(), pulled.map(|(queue, _)| queue).collect())
    }
}

/// A host as those see it that share the store with it.
pub struct Presence<S> {
    /// What they share.
    pub store: S,
    /// What it says.
    pub own: Arc<Own>,
    /// What each version cost on it.
    pub accounts: Arc<Accounts>,
    /// What it holds.
    pub holding: Arc<Holding>,
    /// How the sources are: said by whoever holds the first partition, heard by all others.
    pub sources: watch::Sender<Arc<SourcesReport>>,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
}

/// Says it until told to stop, and then that it leaves.
///
/// Cancel-safe: what was not said is said the next time.
pub async fn run<S: Store>(presence: Presence<S>, mut stop: watch::Receiver<bool>) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        let leaves = *stop.borrow();
        if let Err(error) = presence.say(leaves).await {
            tracing::warn!("failed to tell the other hosts of this one: {error}");
        }
        if leaves {
            return;
        }
    }
}

impl<S: Store> Presence<S> {
    async fn say(&self, leaves: bool) -> Result<(), StoreError> {
        let Some(host) = self.store.own() else { return Ok(()) };
        let watches = self.holding.held().await.partitions.contains(Partition::FIRST);
        if !watches {
            self.hear().await?;
        }
        let report = Arc::clone(&self.sources.borrow());
        let sources = watches.then(|| serde_json::to_string(&*report).expect("a report is plain data"));
        let (at_ms, doing) = ((self.now_ms)(), self.own.doing());
        // Which of them decide now is known to whoever reads it.
        let accounts = self.accounts.rows(|_, _| false);
        let said = Some(Said { host, at_ms, leaves, doing, sources, accounts });
        self.store.commit(Batch { said, ..Batch::default() }).await
    }

    /// What the host says of the sources that watches over them. One of another release may say it in words that are not known
    /// here: then what was heard last stands.
    async fn hear(&self) -> Result<(), StoreError> {
        let Some(said) = self.store.sources().await? else { return Ok(()) };
        match serde_json::from_str(&said) {
            Ok(report) => drop(self.sources.send_replace(Arc::new(report))),
            Err(error) => {
                tracing::debug!("failed to read what another host says of the sources: {error}");
            }
        }
        Ok(())
    }
}
