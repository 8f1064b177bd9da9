//! What is at work of what the store says is at work: after a start, and after another host on the same store changed it.

use super::{DeployError, Deployer};
use crate::registry::Registry;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a change waits for other hosts to follow, and how often that is looked for.
const OTHERS_MAX: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

impl<S: Store> Deployer<S> {
    /// Brings back what was at work when the host last stopped. Called once, before the first pull.
    ///
    /// # Errors
    /// When the store cannot be read, or a version that ran before is refused now: deciding without it would
    /// lose its decisions.
    pub async fn restore(&self) -> Result<Arc<Registry>, DeployError> {
        self.refresh().await?;
        Ok(self.switchboard.current())
    }

    /// Puts on the board what was changed through another host on the same store. The next batch is decided so. Says which
    /// change is the last on the board.
    ///
    /// # Errors
    /// As [`Deployer::restore`]; nothing is switched then.
    pub async fn refresh(&self) -> Result<i64, DeployError> {
        let mut seen = self.turn.lock().await;
        let mut deployments = self.versions.store.deployments().await?;
        let last = deployments.iter().map(|deployment| deployment.id).max().unwrap_or(0);
        deployments.retain(|deployment| seen.get(&deployment.plugin) != Some(&deployment.id));
        if deployments.is_empty() {
            return Ok(last);
        }
        let versions = deployments.iter().flat_map(|deployment| deployment.roles.versions().cloned());
        // Held until they are at work.
        let _held = self.versions.get_all(versions.collect()).await?;
        let mut standings = Vec::with_capacity(deployments.len());
        for deployment in &deployments {
            standings.push(self.standing(&deployment.plugin, &deployment.roles).await?);
        }
        self.switchboard.set(standings);
        seen.extend(deployments.into_iter().map(|deployment| (deployment.plugin, deployment.id)));
        Ok(last)
    }

    /// Waits until the other hosts on the same store decide by the last change, too: some may have to compile first.
    pub(super) async fn await_others(&self) -> Result<(), StoreError> {
        let store = &self.versions.store;
        if store.own().is_none() {
            return Ok(());
        }
        let deployments = store.deployments().await?;
        let last = deployments.iter().map(|deployment| deployment.id).max().unwrap_or(0);
        let until = Instant::now() + OTHERS_MAX;
        loop {
            let members = store.members().await?;
            let others = members.all.iter().enumerate().filter(|(place, _)| Some(*place) != members.own);
            let behind: Vec<_> = others.filter(|(_, member)| member.deployment < last).collect();
            if behind.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                let names: Vec<_> = behind.iter().map(|(_, member)| member.host.name.as_str()).collect();
                tracing::warn!("deployed, and {} decide by what was at work before still", names.join(", "));
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
