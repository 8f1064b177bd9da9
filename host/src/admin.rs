//! The admin API: what the command line speaks to. Loopback only, with a token, because a plugin that may
//! reach loopback must not be able to deploy another. Knows nothing of SQL or wasm.

pub mod client;
pub mod dryrun;
mod forget;
mod listing;
pub mod plugins;

use crate::deploy::Deployer;
use crate::dryrun::DryRun;
use crate::forget::Forgetter;
use crate::pipeline::Pipeline;
use crate::store::{Store, StoreError};
use crate::vigil::report::SourcesReport;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
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
    /// What asks versions about events of the past.
    pub dry_run: Arc<DryRun<S>>,
    /// What carries out what is said about what is parked.
    pub pipeline: Arc<Pipeline<S>>,
    /// Told when an alert is to be sent again.
    pub raised: Arc<Notify>,
    /// What forgets a person.
    pub forgetter: Arc<Forgetter<S>>,
    /// How the sources are.
    pub sources: watch::Receiver<Arc<SourcesReport>>,
    /// Who may ask: the bearer token, compared in constant time.
    pub token: String,
}

/// The API's routes.
pub fn router<S: Store + Clone>(admin: Admin<S>) -> Router {
    let admin = Arc::new(admin);
    let in_turn = middleware::from_fn_with_state(Arc::new(Semaphore::new(1)), in_turn);
    Router::new()
        .route("/api/v1/plugins", post(plugins::deploy::<S>).layer(in_turn.clone()).get(plugins::list::<S>))
        .route("/api/v1/plugins/versions", post(plugins::record::<S>).layer(in_turn))
        .route("/api/v1/plugins/of/{plugin}", get(plugins::show::<S>))
        .route("/api/v1/plugins/of/{plugin}/assign", post(plugins::assign::<S>))
        .route("/api/v1/plugins/of/{plugin}/dry-run", post(dryrun::run::<S>))
        .route("/api/v1/plugins/of/{plugin}/{action}", post(plugins::change::<S>))
        .route("/api/v1/usage", get(plugins::usage::<S>))
        .route("/api/v1/events", get(listing::events::<S>))
        .route("/api/v1/events/{receipt}", get(listing::event::<S>))
        .route("/api/v1/parked", get(listing::parked::<S>))
        .route("/api/v1/parked/redrive", post(listing::redrive::<S>))
        .route("/api/v1/parked/drop", post(listing::drop_parked::<S>))
        .route("/api/v1/parked/of/{*id}", get(listing::parked_detail::<S>))
        .route("/api/v1/stats", get(listing::stats::<S>))
        .route("/metrics", get(listing::metrics::<S>))
        .route("/api/v1/forget", post(forget::start::<S>).get(forget::progress::<S>))
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
