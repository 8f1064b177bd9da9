//! Reads all that the metrics are made of. Knows nothing of who wants them.

use crate::deploy::Deployer;
use crate::holding::Holding;
use crate::machine::Disk;
use crate::metric::Family;
use crate::metric::catalog::{GroupReading, Readings, families};
use crate::registry::Registry;
use crate::roster;
use crate::signal::Signals;
use crate::store::{Store, StoreError};
use crate::vigil::report::SourcesReport;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// What the metrics are read from.
pub struct Meter<S> {
    /// What the store counts.
    pub store: S,
    /// What is at work, and what it costs.
    pub deployer: Arc<Deployer<S>>,
    /// What this host holds.
    pub holding: Arc<Holding>,
    /// How the sources are.
    pub sources: watch::Receiver<Arc<SourcesReport>>,
    /// What the host counts.
    pub signals: Arc<Signals>,
    /// Where the store is.
    pub data: PathBuf,
    /// When the host started, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
}

impl<S: Store + Clone> Meter<S> {
    /// All metrics as they are now. Reads little, however much is stored. Cancel-safe.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn families(&self) -> Result<Vec<Family>, StoreError> {
        let sources = Arc::clone(&self.sources.borrow());
        let group = self.group().await?;
        let readings = Readings {
            group,
            now_ms: (self.now_ms)(),
            started_ms: self.started_ms,
            stats: self.store.stats().await?,
            oldest_waiting_ms: self.store.oldest_waiting_ms().await?,
            counted: self.signals.counts.read(),
            accounts: self.deployer.usage(),
            deployments: at_work(&self.deployer.switchboard.current()),
            sources: SourcesReport::clone(&sources),
            sandbox: self.deployer.versions.sandbox.occupancy(),
            pages: self.store.pages().await?,
            disk_free_bytes: Disk::of(&self.data).ok().map(|disk| disk.free_bytes),
        };
        Ok(families(&readings))
    }

    /// A host that shares with nobody is the only one.
    async fn group(&self) -> Result<GroupReading, StoreError> {
        let held = self.holding.held().await.partitions;
        let (mut hosts, mut errands) = (1, 0);
        if self.store.own().is_some() {
            hosts = u64::try_from(self.store.members().await?.all.len()).unwrap_or(u64::MAX);
            errands = roster::waiting(&self.store.behind().await?, held).1;
        }
        Ok(GroupReading { hosts, partitions: held.len().into(), errands })
    }
}

/// Plugin, role and the beginning of the version of all that is at work.
fn at_work(registry: &Registry) -> Vec<(String, &'static str, String)> {
    let mut rows = Vec::new();
    for standing in registry.standings() {
        let canary = standing.canary.as_ref().map(|canary| &canary.active);
        let roles =
            [("active", standing.active.as_ref()), ("canary", canary), ("shadow", standing.shadow.as_ref())];
        rows.extend(roles.into_iter().filter_map(|(role, active)| {
            Some((standing.name.to_string(), role, active?.version.short().to_owned()))
        }));
    }
    rows
}
