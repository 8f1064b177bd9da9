//! Puts a version to work: check, compile, record, switch. In that order: a version that is recorded can run,
//! and one that decides is recorded.

use crate::account::{AccountRow, Accounts};
use crate::effect::secret::NamedSecret;
use crate::limits::Limits;
use crate::plugin::{Manifest, ManifestError, PluginName, Version};
use crate::registry::{Active, Registry, Switchboard};
use crate::sandbox::{AdmissionError, Sandbox};
use crate::store::{Batch, Deployment, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What deploying needs. One value, shared by the admin API and the start of the host.
pub struct Deployer<S> {
    /// Where versions are recorded.
    pub store: S,
    /// What compiles them.
    pub sandbox: Arc<Sandbox>,
    /// What is switched.
    pub switchboard: Arc<Switchboard>,
    /// The most that a manifest may ask for.
    pub limits: Limits,
    /// The secrets that the operator named.
    pub secrets: Arc<[NamedSecret]>,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// What each version costs.
    pub accounts: Accounts,
}

/// What was deployed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployed {
    /// The plugin.
    pub plugin: PluginName,
    /// Its active version from now on.
    pub version: Version,
    /// The version that was active before, if any.
    pub before: Option<Version>,
    /// The kinds it is asked about.
    pub kinds: Vec<String>,
    /// The hosts it may reach.
    pub hosts: Vec<String>,
}

/// Why nothing was deployed. The version that was active before still is.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The manifest was refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The component was refused.
    #[error(transparent)]
    Component(#[from] AdmissionError),
    /// The version could not be recorded.
    #[error("failed to record the version: {0}")]
    Store(#[from] StoreError),
}

impl<S: Store> Deployer<S> {
    /// Makes this component under this manifest the plugin's active version. The next batch is decided by it;
    /// batches under way finish with the version they hold.
    ///
    /// # Errors
    /// When the manifest or the component is refused, or the store cannot record it.
    pub async fn deploy(&self, manifest: Manifest, component: Vec<u8>) -> Result<Deployed, DeployError> {
        let version = Version::of(&component, &manifest);
        let deployment = Deployment { version, manifest, component, deployed_at_ms: (self.now_ms)() };
        let active = self.prepare(&deployment).await?;
        let deployed = Deployed {
            plugin: active.manifest.name.clone(),
            version: active.version.clone(),
            before: self
                .switchboard
                .current()
                .find(&active.manifest.name)
                .map(|active| active.version.clone()),
            kinds: active.manifest.kinds.clone(),
            hosts: active.manifest.hosts.clone(),
        };
        self.store.commit(Batch { deployments: vec![deployment], ..Batch::default() }).await?;
        self.switchboard.activate(active);
        tracing::info!(plugin = %deployed.plugin, version = deployed.version.short(), "deployed");
        Ok(deployed)
    }

    /// Brings back what was active when the host last stopped. Called once, before the first pull.
    ///
    /// # Errors
    /// When the store cannot be read, or a version that ran before is refused now: deciding without it would
    /// lose its decisions.
    pub async fn restore(&self) -> Result<Arc<Registry>, DeployError> {
        for deployment in self.store.active().await? {
            self.switchboard.activate(self.prepare(&deployment).await?);
        }
        Ok(self.switchboard.current())
    }

    /// What each version cost since the host started.
    #[must_use]
    pub fn usage(&self) -> Vec<AccountRow> {
        let registry = self.switchboard.current();
        self.accounts
            .rows(|plugin, version| registry.find(plugin).is_some_and(|active| active.version == *version))
    }

    async fn prepare(&self, deployment: &Deployment) -> Result<Active, DeployError> {
        let limits = deployment.manifest.limits(&self.limits)?;
        let grants = deployment.manifest.grants(&self.secrets).map_err(ManifestError::Host)?;
        let (sandbox, component) = (Arc::clone(&self.sandbox), deployment.component.clone());
        let compiled = tokio::task::spawn_blocking(move || sandbox.prepare_for(&component, &limits)).await;
        Ok(Active {
            version: deployment.version.clone(),
            settings: deployment.manifest.settings.clone().into_iter().collect(),
            manifest: deployment.manifest.clone(),
            grants,
            writes_back_to: deployment.manifest.writes_back_to().map_err(ManifestError::Host)?,
            limits,
            code: compiled.expect("compiling a component does not panic")?,
            // After the others: what was refused has none.
            account: self.accounts.open(&deployment.manifest.name, &deployment.version),
        })
    }
}
