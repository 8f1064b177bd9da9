//! The admin API: what the command line speaks to. Loopback only, with a token, because a plugin that may
//! reach loopback must not be able to deploy another. Knows nothing of SQL or wasm.

pub mod client;
mod listing;

use crate::deploy::{DeployError, Deployer};
use crate::pipeline::Pipeline;
use crate::plugin::{Manifest, PluginName, Version};
use crate::store::{Store, StoreError};
use crate::vigil::report::SourcesReport;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use tokio::sync::{Notify, Semaphore, watch};

/// Bytes of the largest request: a component of 48 MiB as base64.
const REQUEST_BYTES_MAX: usize = 64 << 20;
/// Rows in one page of a list.
pub const PAGE_ROWS_MAX: usize = 500;

/// What the API works on.
pub struct Admin<S> {
    /// What is listed.
    pub store: S,
    /// What deploys.
    pub deployer: Arc<Deployer<S>>,
    /// What carries out what is said about what is parked.
    pub pipeline: Arc<Pipeline<S>>,
    /// Told when an alert is to be sent again.
    pub raised: Arc<Notify>,
    /// How the sources are.
    pub sources: watch::Receiver<Arc<SourcesReport>>,
    /// Who may ask: the bearer token, compared in constant time.
    pub token: String,
}

/// A plugin to deploy, as it travels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// The text of `plugin.toml`.
    pub manifest: String,
    /// The component, in base64.
    pub component: String,
}

/// One deployed plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PluginRow {
    /// The plugin.
    pub plugin: PluginName,
    /// Its active version.
    pub version: Version,
    /// Since when, in milliseconds since the Unix epoch.
    pub deployed_at_ms: u64,
    /// The kinds it is asked about.
    pub kinds: Vec<String>,
    /// The hosts it may reach.
    pub hosts: Vec<String>,
}

/// The API's routes.
pub fn router<S: Store + Clone>(admin: Admin<S>) -> Router {
    let admin = Arc::new(admin);
    let one = Arc::new(Semaphore::new(1));
    Router::new()
        .route(
            "/api/v1/plugins",
            post(deploy::<S>).layer(middleware::from_fn_with_state(one, in_turn)).get(plugins::<S>),
        )
        .route("/api/v1/usage", get(usage::<S>))
        .route("/api/v1/events", get(listing::events::<S>))
        .route("/api/v1/events/{receipt}", get(listing::event::<S>))
        .route("/api/v1/parked", get(listing::parked::<S>))
        .route("/api/v1/parked/redrive", post(listing::redrive::<S>))
        .route("/api/v1/parked/drop", post(listing::drop_parked::<S>))
        .route("/api/v1/parked/of/{*id}", get(listing::parked_detail::<S>))
        .route("/api/v1/stats", get(listing::stats::<S>))
        .route("/metrics", get(listing::metrics::<S>))
        .route("/api/v1/sources", get(sources::<S>))
        .route("/api/v1/gaps", get(gaps::<S>))
        .route("/api/v1/alerts", get(alerts::<S>))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), authorize::<S>))
        .route(
            "/healthz",
            get(|| async { Json(serde_json::json!({ "version": env!("CARGO_PKG_VERSION") })) }),
        )
        .with_state(admin)
}

async fn authorize<S: Store>(State(admin): State<Arc<Admin<S>>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| given.ct_eq(admin.token.as_bytes()).into()) {
        return next.run(request).await;
    }
    Refused(StatusCode::UNAUTHORIZED, "give the token of DIR/admin.json as `Authorization: Bearer`".into())
        .into_response()
}

/// Components are taken in one by one, so that many at once cost no more memory than one.
async fn in_turn(State(one): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let _turn = one.acquire().await.expect("the semaphore is never closed");
    next.run(request).await
}

async fn deploy<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Json(request): Json<DeployRequest>,
) -> Result<Response, Refused> {
    let bad = |why: String| Refused(StatusCode::UNPROCESSABLE_ENTITY, why);
    let manifest = Manifest::parse(&request.manifest).map_err(|error| bad(error.to_string()))?;
    let component =
        STANDARD.decode(&request.component).map_err(|error| bad(format!("component: {error}")))?;
    // A client that goes away does not stop half-way: the version is recorded and switched, or neither.
    let deployed = tokio::spawn(async move { admin.deployer.deploy(manifest, component).await }).await;
    match deployed.expect("deploying does not panic") {
        Ok(deployed) => Ok(Json(deployed).into_response()),
        Err(DeployError::Store(error)) => Err(error.into()),
        Err(error) => Err(bad(error.to_string())),
    }
}

async fn plugins<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Result<Response, Refused> {
    let rows = admin.store.active().await?.into_iter().map(|deployment| PluginRow {
        plugin: deployment.manifest.name,
        version: deployment.version,
        deployed_at_ms: deployment.deployed_at_ms,
        kinds: deployment.manifest.kinds,
        hosts: deployment.manifest.hosts,
    });
    Ok(Json(rows.collect::<Vec<_>>()).into_response())
}

async fn usage<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Response {
    Json(admin.deployer.usage()).into_response()
}

async fn sources<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Response {
    let report = Arc::clone(&admin.sources.borrow());
    Json(&*report).into_response()
}

async fn gaps<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Result<Response, Refused> {
    Ok(Json(admin.store.gaps(PAGE_ROWS_MAX).await?).into_response())
}

async fn alerts<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Result<Response, Refused> {
    Ok(Json(admin.store.alerts(PAGE_ROWS_MAX).await?).into_response())
}

/// An answer that says what was wrong.
struct Refused(StatusCode, String);

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!("failed to answer the admin API: {error}");
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}
