//! The part of the API that is about plugins: versions are brought, and given work. Knows nothing of SQL or wasm.

use super::Admin;
use super::extract::{Only, Operate, Path, Sent};
use super::refusal::Refused;
use super::veil;
use crate::access::{Caller, LOCAL};
use crate::account::AccountRow;
use crate::deploy::{By, Candidate, DeployError, Deployed, Role};
use crate::deployment::{Deployment, Roles};
use crate::plugin::{Manifest, PluginName, Version};
use crate::rights::RightChange;
use crate::signature::Evidence;
use crate::store::Store;
use crate::store::versions::{DriftRow, KeptVersion, Provenance, VersionQuery, VersionState};
use crate::versions::VersionError;
use axum::extract::State;
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of a plugin's history, and of its versions, that are shown.
const ROWS_MAX: usize = 100;

/// A version to bring, as it travels.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// The text of `plugin.toml`, as its author wrote it: it may be signed.
    pub manifest: String,
    /// Settings over the manifest's.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Hosts that it may reach beside the manifest's.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The component, in base64.
    pub component: String,
    /// The text of the component's signature, which speaks of the manifest too.
    #[serde(default)]
    pub signature: Option<String>,
    /// Where it comes from.
    #[serde(default)]
    pub provenance: Provenance,
    /// What it is to do.
    #[serde(default)]
    pub role: Role,
    /// Who brings it.
    #[serde(default)]
    pub by: By,
}

/// What a recorded version is to do, as it travels.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignRequest {
    /// How the version begins.
    pub version: String,
    /// What it is to do.
    #[serde(default)]
    pub role: Role,
    /// Who says so.
    #[serde(default)]
    pub by: By,
}

/// A change that needs no version, as it travels.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// To go back: the number of the deployment to restore.
    #[serde(default)]
    pub to: Option<i64>,
    /// Who says so.
    #[serde(default)]
    pub by: By,
}

/// A plugin's name in a path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfPlugin {
    /// Which plugin.
    pub(super) plugin: PluginName,
}

/// A plugin's name in a path, and what is to be done to it.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfChange {
    /// Which plugin.
    plugin: PluginName,
    /// What.
    action: PluginChange,
}

/// A change that needs no version.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PluginChange {
    /// The canary, or else the shadow, is the active version from now on.
    Promote,
    /// No canary and no shadow any more.
    End,
    /// What was at work before is again.
    Rollback,
    /// Asked about nothing any more.
    Retire,
}

/// A version that was recorded and has no work yet.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecordedVersion {
    /// The version.
    pub version: Version,
    /// What it asks for that the active one does not, and the other way.
    pub changes: Vec<RightChange>,
}

/// One plugin at work.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PluginRow {
    /// The plugin.
    pub plugin: PluginName,
    /// Its active version; absent when it has none.
    pub version: Option<Version>,
    /// Which version has which role.
    pub roles: Roles,
    /// Since when, in milliseconds since the Unix epoch.
    pub deployed_at_ms: u64,
    /// The kinds it is asked about.
    pub kinds: Vec<String>,
    /// The hosts it may reach.
    pub hosts: Vec<String>,
}

/// One version as lists show it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct VersionRow {
    /// The version.
    pub version: Version,
    /// `usable`, `withdrawn` or `retired`.
    pub state: VersionState,
    /// The component's SHA-256; absent when an older Tidegate recorded it.
    pub component_sha256: Option<String>,
    /// The component's length.
    pub component_bytes: u64,
    /// Where it comes from.
    pub provenance: Provenance,
    /// When it was recorded, in milliseconds since the Unix epoch.
    pub made_at_ms: u64,
    /// What its manifest says.
    pub manifest: Manifest,
}

/// All about one plugin.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PluginDetail {
    /// The plugin.
    pub plugin: PluginName,
    /// Which version has which role.
    pub roles: Roles,
    /// Its versions, the newest first.
    pub versions: Vec<VersionRow>,
    /// What changed, the newest first.
    pub history: Vec<Deployment>,
    /// Events about which a shadow or a canary and the active version differ, the newest first.
    pub drifts: Vec<DriftRow>,
}

impl From<KeptVersion> for VersionRow {
    fn from(kept: KeptVersion) -> Self {
        Self {
            version: kept.version,
            state: kept.state,
            component_sha256: kept.component_sha256.map(|digest| digest.to_string()),
            component_bytes: kept.component_bytes,
            provenance: kept.provenance,
            made_at_ms: kept.made_at_ms,
            manifest: kept.manifest,
        }
    }
}

impl From<DeployError> for Refused {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::Store(error) | DeployError::Version(VersionError::Store(error)) => error.into(),
            error => Refused::unprocessable(error),
        }
    }
}

pub(super) type Answer<T> = Result<Json<T>, Refused>;

fn candidate(request: &mut DeployRequest) -> Result<Candidate, Refused> {
    let mut manifest = Manifest::parse(&request.manifest).map_err(Refused::unprocessable)?;
    let evidence = Evidence {
        manifest: std::mem::take(&mut request.manifest),
        signature: request.signature.take(),
        adds_hosts: !request.hosts.is_empty(),
    };
    manifest.settings.append(&mut request.settings);
    manifest.hosts.append(&mut request.hosts);
    manifest.grants(&Arc::default()).map_err(|error| Refused::unprocessable(format!("--host: {error}")))?;
    let component = STANDARD
        .decode(std::mem::take(&mut request.component))
        .map_err(|error| Refused::unprocessable(format!("component: {error}")))?;
    Ok(Candidate { manifest, component, provenance: std::mem::take(&mut request.provenance), evidence })
}

/// Who does it: on the host's own machine whoever one says one is, else the token's holder.
fn by(given: By, caller: &Caller) -> By {
    if caller.name == LOCAL { given } else { By { who: caller.name.clone(), ..given } }
}

/// Runs to its end though the client goes away: a version is recorded and switched, or neither.
async fn whole<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(work).await.expect("deploying does not panic")
}

pub(super) async fn deploy<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Only { caller, .. }: Only<Operate>,
    Sent(mut request): Sent<DeployRequest>,
) -> Answer<Deployed> {
    let candidate = candidate(&mut request)?;
    let by = by(request.by, &caller);
    let deploying = async move { admin.deployer.deploy(candidate, request.role, by).await };
    Ok(Json(whole(deploying).await?))
}

pub(super) async fn record<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Operate>,
    Sent(mut request): Sent<DeployRequest>,
) -> Answer<RecordedVersion> {
    let candidate = candidate(&mut request)?;
    let changes = admin.deployer.asks(&candidate.manifest).await?;
    let version = whole(async move { admin.deployer.record(candidate).await }).await?;
    Ok(Json(RecordedVersion { version, changes }))
}

pub(super) async fn assign<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Only { caller, .. }: Only<Operate>,
    Path(OfPlugin { plugin }): Path<OfPlugin>,
    Sent(request): Sent<AssignRequest>,
) -> Answer<Deployed> {
    let version = admin.deployer.find(&plugin, &request.version).await?;
    let by = by(request.by, &caller);
    Ok(Json(whole(async move { admin.deployer.assign(&version, request.role, by).await }).await?))
}

pub(super) async fn change<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Only { caller, .. }: Only<Operate>,
    Path(OfChange { plugin, action }): Path<OfChange>,
    Sent(ChangeRequest { to, by: given }): Sent<ChangeRequest>,
) -> Answer<Deployed> {
    let by = by(given, &caller);
    let changed = whole(async move {
        match action {
            PluginChange::Promote => admin.deployer.promote(&plugin, by).await,
            PluginChange::End => admin.deployer.end(&plugin, by).await,
            PluginChange::Rollback => admin.deployer.rollback(&plugin, to, by).await,
            PluginChange::Retire => admin.deployer.retire(&plugin, by).await,
        }
    });
    Ok(Json(changed.await?))
}

pub(super) async fn list<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Answer<Vec<PluginRow>> {
    let registry = admin.deployer.switchboard.current();
    let deployments = admin.store.deployments().await?.into_iter();
    let at_work = deployments.filter(|deployment| deployment.roles.versions().next().is_some());
    let row = |deployment: Deployment| {
        let manifest = registry.find(&deployment.plugin).map(|active| active.manifest.clone());
        let (kinds, hosts) = manifest.map(|manifest| (manifest.kinds, manifest.hosts)).unwrap_or_default();
        PluginRow {
            plugin: deployment.plugin,
            version: deployment.roles.active.clone(),
            roles: deployment.roles,
            deployed_at_ms: deployment.at_ms,
            kinds,
            hosts,
        }
    };
    Ok(Json(at_work.map(row).collect()))
}

pub(super) async fn show<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Extension(caller): Extension<Caller>,
    Path(OfPlugin { plugin }): Path<OfPlugin>,
) -> Answer<PluginDetail> {
    let history = admin.store.history(plugin.clone(), ROWS_MAX).await?;
    let query = VersionQuery { plugin: plugin.clone(), prefix: None, rows_max: ROWS_MAX };
    let versions: Vec<VersionRow> =
        admin.store.versions(query).await?.into_iter().map(VersionRow::from).collect();
    if history.is_empty() && versions.is_empty() {
        let why =
            format!("no plugin was ever called `{plugin}` here: `tidegate plugin list` has those at work");
        return Err(Refused::not_found(why));
    }
    let roles = history.first().map(|deployment| deployment.roles.clone()).unwrap_or_default();
    let drifts = admin.store.drifts(plugin.clone(), ROWS_MAX).await?;
    let mut detail = PluginDetail { plugin, roles, versions, history, drifts };
    veil::plugin(&mut detail, caller.role);
    Ok(Json(detail))
}

pub(super) async fn usage<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Answer<Vec<AccountRow>> {
    Ok(Json(admin.deployer.usage_of_all().await?))
}
