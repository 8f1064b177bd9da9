//! Puts versions to work. In this order: check, compile, record, switch: a version that is recorded can run, and one that
//! decides is recorded. Each change is one row that holds from then on.

mod back;
mod together;

use crate::account::{self, AccountRow};
use crate::deployment::{Action, Canary, Deployment, Roles, Share};
use crate::gate::{self, Gate, GateError};
use crate::plugin::{Manifest, PluginName, Version};
use crate::registry::{Active, CanaryAtWork, Standing, Switchboard};
use crate::rights::{self, RightChange};
use crate::signature::{self, Evidence, Trust, Untrusted};
use crate::store::versions::{NewVersion, Provenance, VersionState};
use crate::store::{Batch, Store, StoreError};
use crate::versions::{VersionError, Versions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What deploying needs. One value, shared by the admin API, the start of the host and what watches versions.
pub struct Deployer<S> {
    /// What makes versions ready.
    pub versions: Arc<Versions<S>>,
    /// What is switched.
    pub switchboard: Arc<Switchboard>,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// What a version runs through before it goes to work; `None`: it is asked about nothing before.
    gate: Option<Gate<S>>,
    /// What the operator lets in.
    trust: Trust,
    /// Held while something changes: each change begins where the one before ended.
    turn: Mutex<Seen>,
}

/// The last change of what is at work that is on the board, of each plugin.
type Seen = BTreeMap<PluginName, i64>;

/// A version that is brought to the host.
#[derive(Debug)]
pub struct Candidate {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its component.
    pub component: Vec<u8>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What speaks for it.
    pub evidence: Evidence,
}

/// What a version is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Decide.
    #[default]
    Active,
    /// Decide for a share of the assets.
    Canary {
        /// Which share, at first.
        share: Share,
        /// What it is raised to by itself.
        #[serde(default)]
        steps: Vec<Share>,
    },
    /// Be compared with the active one.
    Shadow,
}

/// Who changes something, and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct By {
    /// Who.
    pub who: String,
    /// Why, where they say so.
    pub why: Option<String>,
    /// Whether they approve what the version asks for beyond the active one.
    pub approve: bool,
}

impl By {
    /// The host itself, for this reason.
    #[must_use]
    pub fn host(why: String) -> Self {
        Self { who: "tidegate".to_owned(), why: Some(why), approve: true }
    }
}

/// A change of what is at work of a plugin, and which version it is about.
struct Change {
    before: Roles,
    roles: Roles,
    action: Action,
    version: Option<Version>,
}

/// What was deployed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Deployed {
    /// The plugin.
    pub plugin: PluginName,
    /// The version that the change is about; absent when the plugin was taken out of work.
    pub version: Option<Version>,
    /// The version that was active before, if any.
    pub before: Option<Version>,
    /// What is at work from now on.
    pub roles: Roles,
    /// What was done.
    pub action: Action,
    /// The kinds it is asked about.
    pub kinds: Vec<String>,
    /// The hosts it may reach.
    pub hosts: Vec<String>,
    /// What it asks for that the active one did not, and the other way.
    pub changes: Vec<RightChange>,
}

/// Why nothing was deployed. What was at work before still is.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The version was refused.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// It does not pass a gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// Nobody whom the operator trusts stands for it.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// What was asked for cannot be done with what is at work.
    #[error("{0}")]
    Refused(String),
    /// The change could not be recorded.
    #[error("failed to record the deployment: {0}")]
    Store(#[from] StoreError),
}

impl Candidate {
    /// A version of which nobody says where it comes from.
    #[must_use]
    pub fn new(manifest: Manifest, component: Vec<u8>) -> Self {
        Self { manifest, component, provenance: Provenance::default(), evidence: Evidence::default() }
    }
}

impl<S: Store> Deployer<S> {
    /// What switches this board.
    #[must_use]
    pub fn new(versions: Arc<Versions<S>>, switchboard: Arc<Switchboard>, now_ms: fn() -> u64) -> Self {
        let trust = Trust::default();
        Self { versions, switchboard, now_ms, gate: None, trust, turn: Mutex::default() }
    }

    /// The same, and each version is asked about real events before it goes to work.
    #[must_use]
    pub fn with_gate(self, gate: Gate<S>) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// The same, which lets in what the operator trusts alone.
    #[must_use]
    pub fn trusting(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Records a version, which changes nothing about what is at work. One that is known already stays as it is.
    ///
    /// # Errors
    /// When nobody whom the operator trusts stands for it, its manifest or its component is refused, or the store cannot
    /// record it.
    pub async fn record(&self, candidate: Candidate) -> Result<Version, DeployError> {
        let Candidate { manifest, component, mut provenance, evidence } = candidate;
        // What who brings it says of that does not count.
        provenance.signed_by = signature::check(&self.trust, &component, &evidence)?;
        let version = Version::of(&component, &manifest);
        let new = NewVersion { version, manifest, component, provenance, made_at_ms: (self.now_ms)() };
        let admitted = self.versions.admit(&new).await?;
        self.versions.store.commit(Batch { versions: vec![new], ..Batch::default() }).await?;
        Ok(admitted.version.clone())
    }

    /// Gives a recorded version a role. The next batch is decided so; batches under way finish with the versions they
    /// hold, and what they ask again is asked of the same.
    ///
    /// # Errors
    /// When it does not pass a gate, or the store cannot record it.
    pub async fn assign(&self, version: &Version, role: Role, by: By) -> Result<Deployed, DeployError> {
        let candidate = self.versions.get(version).await?;
        self.pass(&candidate, &by).await?;
        let _turn = self.turn.lock().await;
        let plugin = &candidate.manifest.name;
        let before = self.roles(plugin).await?;
        // Once more: what is active may have changed meanwhile.
        let changes = self.rights(&before, &candidate.manifest).await?;
        gate::approved(&changes, by.approve)?;
        let (roles, action) = match role {
            Role::Active => (Roles { active: Some(version.clone()), ..Roles::default() }, Action::Deploy),
            Role::Canary { .. } | Role::Shadow if before.active.is_none() => {
                let why = format!(
                    "no version of `{plugin}` is at work that this one could stand beside: deploy one first"
                );
                return Err(DeployError::Refused(why));
            }
            _ if before.active.as_ref() == Some(version) => {
                return Err(DeployError::Refused(format!(
                    "version {} is the active one already",
                    version.short()
                )));
            }
            Role::Canary { share, steps } => {
                let canary = Some(Canary { version: version.clone(), share, steps });
                (Roles { canary, ..before.clone() }, Action::Canary)
            }
            Role::Shadow => (Roles { shadow: Some(version.clone()), ..before.clone() }, Action::Shadow),
        };
        let change = Change { before, roles, action, version: Some(version.clone()) };
        Ok(Deployed { changes, ..self.change(plugin, change, by).await? })
    }

    /// Records a version and gives it a role: [`Deployer::record`], then [`Deployer::assign`].
    ///
    /// # Errors
    /// As both.
    pub async fn deploy(&self, candidate: Candidate, role: Role, by: By) -> Result<Deployed, DeployError> {
        let version = self.record(candidate).await?;
        self.assign(&version, role, by).await
    }

    /// Makes the canary, or else the shadow, the active version.
    ///
    /// # Errors
    /// When there is neither, it does not pass a gate, or the store cannot record it.
    pub async fn promote(&self, plugin: &PluginName, by: By) -> Result<Deployed, DeployError> {
        let next = next(plugin, &self.roles(plugin).await?)?;
        self.pass(&self.versions.get(&next).await?, &by).await?;
        let _turn = self.turn.lock().await;
        let before = self.roles(plugin).await?;
        if self::next(plugin, &before)? != next {
            let why = format!("what is at work of `{plugin}` has changed meanwhile: try it again");
            return Err(DeployError::Refused(why));
        }
        let roles = Roles { active: Some(next.clone()), ..Roles::default() };
        self.change(plugin, Change { before, roles, action: Action::Promote, version: Some(next) }, by).await
    }

    /// Ends the canary and the shadow: the active version decides about all assets.
    ///
    /// # Errors
    /// When there is neither, or the store cannot record it.
    pub async fn end(&self, plugin: &PluginName, by: By) -> Result<Deployed, DeployError> {
        let _turn = self.turn.lock().await;
        let before = self.roles(plugin).await?;
        if before.canary.is_none() && before.shadow.is_none() {
            return Err(DeployError::Refused(format!("`{plugin}` has no canary and no shadow")));
        }
        let roles = Roles { active: before.active.clone(), ..Roles::default() };
        let version = before.active.clone();
        self.change(plugin, Change { before, roles, action: Action::End, version }, by).await
    }

    /// Takes a plugin out of work: it is asked about nothing any more. Its versions and its history stay.
    ///
    /// # Errors
    /// When it is not at work, or the store cannot record it.
    pub async fn retire(&self, plugin: &PluginName, by: By) -> Result<Deployed, DeployError> {
        let _turn = self.turn.lock().await;
        let before = self.roles(plugin).await?;
        if before.versions().next().is_none() {
            return Err(DeployError::Refused(format!("`{plugin}` is not at work")));
        }
        let change = Change { before, roles: Roles::default(), action: Action::Retire, version: None };
        self.change(plugin, change, by).await
    }

    /// What each version cost since the host started.
    #[must_use]
    pub fn usage(&self) -> Vec<AccountRow> {
        self.versions.accounts.rows(|plugin, version| self.decides(plugin, version))
    }

    fn decides(&self, plugin: &PluginName, version: &Version) -> bool {
        self.switchboard.current().find(plugin).is_some_and(|active| active.version == *version)
    }

    /// What each version cost on all hosts that share the store: on those since each started, as far as they are remembered.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn usage_of_all(&self) -> Result<Vec<AccountRow>, StoreError> {
        let others = self.versions.store.accounts().await?;
        let mut all = account::together(std::iter::once(self.usage()).chain(others));
        for row in &mut all {
            row.active = self.decides(&row.plugin, &row.version);
        }
        Ok(all)
    }

    /// What a candidate asks for that the plugin's active version does not, and the other way; nothing when there is no
    /// active one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn asks(&self, candidate: &Manifest) -> Result<Vec<RightChange>, DeployError> {
        let before = self.roles(&candidate.name).await?;
        self.rights(&before, candidate).await
    }

    /// The version of this plugin that is meant: `active`, or the only one that begins like this.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn find(&self, plugin: &PluginName, text: &str) -> Result<Version, DeployError> {
        if text == "active" {
            let active = self.roles(plugin).await?.active;
            return active
                .ok_or_else(|| DeployError::Refused(format!("no version of `{plugin}` is at work")));
        }
        Ok(self.versions.find(plugin, text).await?.version)
    }

    /// Leads a version through the gates. Nothing waits for that but the version itself, least of all a rollback.
    async fn pass(&self, candidate: &Arc<Active>, by: &By) -> Result<(), DeployError> {
        let before = self.roles(&candidate.manifest.name).await?;
        if before.active.as_ref() == Some(&candidate.version) {
            return Ok(());
        }
        gate::approved(&self.rights(&before, &candidate.manifest).await?, by.approve)?;
        match &self.gate {
            Some(gate) => Ok(gate.check(candidate).await??),
            None => Ok(()),
        }
    }

    async fn rights(&self, before: &Roles, candidate: &Manifest) -> Result<Vec<RightChange>, DeployError> {
        let Some(active) = &before.active else { return Ok(Vec::new()) };
        let active = self.versions.get(active).await?;
        Ok(rights::compare(&active.manifest, candidate, &self.versions.limits))
    }

    async fn roles(&self, plugin: &PluginName) -> Result<Roles, DeployError> {
        let last = self.versions.store.history(plugin.clone(), 1).await?;
        Ok(last.into_iter().next().map(|deployment| deployment.roles).unwrap_or_default())
    }

    /// The change itself: recorded, then switched. A version that is withdrawn is so in the same transaction.
    async fn change(&self, plugin: &PluginName, change: Change, by: By) -> Result<Deployed, DeployError> {
        let (Change { before, roles, action, version }, By { who, why, .. }) = (change, by);
        let standing = self.standing(plugin, &roles).await?;
        for active in standing.at_work() {
            self.versions.warm(active).await?;
        }
        let usable = roles.versions().map(|version| (version.clone(), VersionState::Usable));
        let withdrawn = version.clone().filter(|_| action == Action::Withdraw);
        let withdrawn = withdrawn.map(|version| (version, VersionState::Withdrawn));
        let version_states = usable.chain(withdrawn).collect();
        let at_ms = (self.now_ms)();
        let deployment = Deployment { id: 0, plugin: plugin.clone(), roles, action, who, why, at_ms };
        let (roles, why) = (deployment.roles.clone(), deployment.why.clone());
        let batch = Batch { deployments: vec![deployment], version_states, ..Batch::default() };
        self.versions.store.commit(batch).await?;
        let manifest = standing.active.as_ref().map(|active| active.manifest.clone());
        self.switchboard.set(vec![standing]);
        self.await_others().await?;
        let active = roles.active.as_ref().map_or("none", Version::short);
        tracing::info!(%plugin, version = active, action = action.name(), why, "deployed");
        let (kinds, hosts) = manifest.map(|manifest| (manifest.kinds, manifest.hosts)).unwrap_or_default();
        let (plugin, before, changes) = (plugin.clone(), before.active, Vec::new());
        Ok(Deployed { plugin, version, before, roles, action, kinds, hosts, changes })
    }

    async fn standing(&self, plugin: &PluginName, roles: &Roles) -> Result<Standing, DeployError> {
        let mut standing = Standing::none(plugin.clone());
        if let Some(version) = &roles.active {
            standing.active = Some(self.versions.get(version).await?);
        }
        if let Some(canary) = &roles.canary {
            let active = self.versions.get(&canary.version).await?;
            standing.canary = Some(CanaryAtWork { active, share: canary.share, steps: canary.steps.clone() });
        }
        if let Some(version) = &roles.shadow {
            standing.shadow = Some(self.versions.get(version).await?);
        }
        Ok(standing)
    }
}

/// The version that is promoted next.
fn next(plugin: &PluginName, roles: &Roles) -> Result<Version, DeployError> {
    let next = roles.canary.as_ref().map(|canary| &canary.version).or(roles.shadow.as_ref());
    next.cloned().ok_or_else(|| {
        DeployError::Refused(format!("`{plugin}` has no canary and no shadow that could be promoted"))
    })
}
