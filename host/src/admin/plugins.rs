//! The part of the API that is about plugins: versions are brought, and given work. Knows nothing of SQL or wasm.

use super::{Admin, Refused};
use crate::deploy::{By, Candidate, DeployError, Deployed, Role};
use crate::deployment::{Deployment, Roles};
use crate::plugin::{Manifest, PluginName, Version};
use crate::rights::RightChange;
use crate::signature::Evidence;
use crate::store::Store;
use crate::store::versions::{DriftRow, KeptVersion, Provenance, VersionQuery, VersionState};
use crate::versions::VersionError;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of a plugin's history, and of its versions, that are shown.
const ROWS_MAX: usize = 100;

/// A version to bring, as it travels.
#[derive(Debug, Default, Serialize, Deserialize)]
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
#[derive(Debug, Default, Serialize, Deserialize)]
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
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// To go back: the number of the deployment to restore.
    #[serde(default)]
    pub to: Option<i64>,
    /// Who says so.
    #[serde(default)]
    pub by: By,
}

/// A version that was recorded and has no work yet.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecordedVersion {
    /// The version.
    pub version: Version,
    /// What it asks for that the active one does not, and the other way.
    pub changes: Vec<RightChange>,
}

/// One plugin at work.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Serialize, Deserialize)]
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
#[derive(Debug, Serialize, Deserialize)]
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
            error => unprocessable(&error),
        }
    }
}

fn unprocessable(error: &dyn std::fmt::Display) -> Refused {
    Refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
}

pub(super) type Answer<T> = Result<Json<T>, Refused>;

fn candidate(request: &mut DeployRequest) -> Result<Candidate, Refused> {
    let mut manifest = Manifest::parse(&request.manifest).map_err(|error| unprocessable(&error))?;
    let evidence = Evidence {
        manifest: std::mem::take(&mut request.manifest),
        signature: request.signature.take(),
        adds_hosts: !request.hosts.is_empty(),
    };
    manifest.settings.append(&mut request.settings);
    manifest.hosts.append(&mut request.hosts);
    manifest.grants(&Arc::default()).map_err(|error| unprocessable(&format!("--host: {error}")))?;
    let component = STANDARD
        .decode(std::mem::take(&mut request.component))
        .map_err(|error| unprocessable(&format!("component: {error}")))?;
    Ok(Candidate { manifest, component, provenance: std::mem::take(&mut request.provenance), evidence })
}

/// Runs to its end though the client goes away: a version is recorded and switched, or neither.
async fn whole<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(work).await.expect("deploying does not panic")
}

pub(super) async fn deploy<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Json(mut request): Json<DeployRequest>,
) -> Answer<Deployed> {
    let candidate = candidate(&mut request)?;
    let deploying = async move { admin.deployer.deploy(candidate, request.role, request.by).await };
    Ok(Json(whole(deploying).await?))
}

pub(super) async fn record<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Json(mut request): Json<DeployRequest>,
) -> Answer<RecordedVersion> {
    let candidate = candidate(&mut request)?;
    let changes = admin.deployer.asks(&candidate.manifest).await?;
    let version = whole(async move { admin.deployer.record(candidate).await }).await?;
    Ok(Json(RecordedVersion { version, changes }))
}

pub(super) async fn assign<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Path(plugin): Path<PluginName>,
    Json(request): Json<AssignRequest>,
) -> Answer<Deployed> {
    let version = admin.deployer.find(&plugin, &request.version).await?;
    Ok(Json(whole(async move { admin.deployer.assign(&version, request.role, request.by).await }).await?))
}

pub(super) async fn change<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Path((plugin, action)): Path<(PluginName, String)>,
    Json(ChangeRequest { to, by }): Json<ChangeRequest>,
) -> Answer<Deployed> {
    let changed = whole(async move {
        match action.as_str() {
            "promote" => admin.deployer.promote(&plugin, by).await,
            "end" => admin.deployer.end(&plugin, by).await,
            "rollback" => admin.deployer.rollback(&plugin, to, by).await,
            "retire" => admin.deployer.retire(&plugin, by).await,
            other => Err(DeployError::Refused(format!("`{other}` is nothing that can be done to a plugin"))),
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
    Path(plugin): Path<PluginName>,
) -> Answer<PluginDetail> {
    let history = admin.store.history(plugin.clone(), ROWS_MAX).await?;
    let query = VersionQuery { plugin: plugin.clone(), prefix: None, rows_max: ROWS_MAX };
    let versions: Vec<VersionRow> =
        admin.store.versions(query).await?.into_iter().map(VersionRow::from).collect();
    if history.is_empty() && versions.is_empty() {
        let why =
            format!("no plugin was ever called `{plugin}` here: `tidegate plugin list` has those at work");
        return Err(Refused(StatusCode::NOT_FOUND, why));
    }
    let roles = history.first().map(|deployment| deployment.roles.clone()).unwrap_or_default();
    let drifts = admin.store.drifts(plugin.clone(), ROWS_MAX).await?;
    Ok(Json(PluginDetail { plugin, roles, versions, history, drifts }))
}

pub(super) async fn usage<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Response {
    Json(admin.deployer.usage()).into_response()
}
