//! Where everything is, and what is published of it: the description is made of the handlers' own types. Knows nothing of
//! what they do.

use super::guard::guard;
use super::refusal::Refused;
use super::{Admin, dryrun, forget, hosts, listing, overview, plugins, sources, stream, tokens};
use crate::store::Store;
use aide::axum::ApiRouter;
use aide::axum::routing::{delete_with, get_with, post_with};
use aide::generate;
use aide::openapi::{OpenApi, SecurityScheme};
use aide::transform::{TransformOpenApi, TransformOperation};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Bytes of the largest request: a component of 48 MiB as base64.
const REQUEST_BYTES_MAX: usize = 64 << 20;
/// The scheme's name in the description.
const BEARER: &str = "token";

/// The API, with nobody let in without a token but to `/healthz`.
pub fn router<S: Store + Clone>(admin: Admin<S>) -> Router {
    let (routes, description) = described::<S>();
    let admin = Arc::new(admin);
    let openapi = Arc::new(description);
    let publish = move || async move { Json(Arc::unwrap_or_clone(openapi)) };
    routes
        .route("/api/v1/openapi.json", get(publish))
        .fallback(|| async { Refused::not_found("nothing is here: `GET /api/v1/openapi.json` says what is") })
        .method_not_allowed_fallback(|| async {
            Refused::new(StatusCode::METHOD_NOT_ALLOWED, "that is not how this is asked for")
        })
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), guard::<S>))
        .route(
            "/healthz",
            get(|| async { Json(serde_json::json!({ "version": env!("CARGO_PKG_VERSION") })) }),
        )
        .with_state(admin)
}

/// What is published of the API, in OpenAPI 3.1.
#[must_use]
pub fn description<S: Store + Clone>() -> OpenApi {
    described::<S>().1
}

fn described<S: Store + Clone>() -> (Router<Arc<Admin<S>>>, OpenApi) {
    generate::extract_schemas(true);
    generate::infer_responses(true);
    let mut description = OpenApi::default();
    let routes = seeing::<S>().merge(deploying()).merge(administering());
    let routes = routes.finish_api_with(&mut description, about);
    // A path's wildcard is the router's word: to the reader it is a parameter like others.
    if let Some(paths) = &mut description.paths {
        paths.paths = std::mem::take(&mut paths.paths)
            .into_iter()
            .map(|(path, item)| (path.replace("{*", "{"), item))
            .collect();
    }
    (routes, description)
}

fn about(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let scheme = SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: None,
        description: Some(
            "A token: that of DIR/admin.json, or one that `tidegate token new` made.".to_owned(),
        ),
        extensions: Default::default(),
    };
    api.title("Tidegate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(
            "The admin API of a Tidegate host. Times are in milliseconds since the Unix epoch. `x-role` names the role that an \
             operation takes where it is not `read`.",
        )
        .security_scheme(BEARER, scheme)
        .security_requirement(BEARER)
}

/// How an operation is called, and what it is for.
fn named<'a>(
    name: &'a str,
    what: &'a str,
) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> + use<'a> {
    move |operation| operation.id(name).summary(what).default_response::<Refused>()
}

/// What is only looked at.
fn seeing<S: Store + Clone>() -> ApiRouter<Arc<Admin<S>>> {
    let row = named;
    ApiRouter::new()
        .api_route("/api/v1/me", get_with(tokens::me, row("me", "Who one is")))
        .api_route("/api/v1/overview", get_with(overview::overview::<S>, row("overview", "How things are")))
        .api_route(
            "/api/v1/stats",
            get_with(listing::stats::<S>, row("stats", "How many there are of everything")),
        )
        .api_route(
            "/api/v1/hosts",
            get_with(hosts::hosts::<S>, row("hosts", "The hosts that share the work, and what each holds")),
        )
        .api_route("/api/v1/sources", get_with(sources::sources::<S>, row("sources", "How the sources are")))
        .api_route(
            "/api/v1/gaps",
            get_with(sources::gaps::<S>, row("gaps", "Times in which events may have been lost")),
        )
        .api_route(
            "/api/v1/alerts",
            get_with(sources::alerts::<S>, row("alerts", "What the operator was told")),
        )
        .api_route("/api/v1/events", get_with(listing::events::<S>, row("events", "Events, page by page")))
        .api_route(
            "/api/v1/events/{receipt}",
            get_with(listing::event::<S>, row("event", "One event, with its story")),
        )
        .api_route(
            "/api/v1/effects",
            get_with(listing::effects::<S>, row("effects", "Effects, the newest first")),
        )
        .api_route("/api/v1/parked", get_with(listing::parked::<S>, row("parked", "What needs a person")))
        .api_route(
            "/api/v1/parked/of/{*id}",
            get_with(listing::parked_detail::<S>, row("parkedDetail", "All about it")),
        )
        .api_route("/api/v1/usage", get_with(plugins::usage::<S>, row("usage", "What each version cost")))
        .api_route(
            "/api/v1/usage/series",
            get_with(overview::usage_series::<S>, row("usageSeries", "How versions did in the last hour")),
        )
        .api_route(
            "/api/v1/plugins/of/{plugin}",
            get_with(plugins::show::<S>, row("plugin", "All about one plugin")),
        )
        .api_route(
            "/api/v1/stream",
            get_with(stream::stream::<S>, row("stream", "What is recorded, as it happens")),
        )
        .api_route(
            "/metrics",
            get_with(listing::metrics::<S>, row("metrics", "The counters, as Prometheus reads them")),
        )
}

/// What takes an operator.
fn deploying<S: Store + Clone>() -> ApiRouter<Arc<Admin<S>>> {
    let row = named;
    let in_turn = middleware::from_fn_with_state(Arc::new(Semaphore::new(1)), in_turn);
    let deploy = post_with(plugins::deploy::<S>, row("deploy", "Bring a version and give it work"));
    let record = post_with(plugins::record::<S>, row("record", "Bring a version"));
    ApiRouter::new()
        .api_route("/api/v1/plugins", deploy.layer(in_turn.clone()))
        .api_route("/api/v1/plugins", get_with(plugins::list::<S>, row("plugins", "The plugins at work")))
        .api_route("/api/v1/plugins/versions", record.layer(in_turn))
        .api_route(
            "/api/v1/plugins/of/{plugin}/assign",
            post_with(plugins::assign::<S>, row("assign", "Give a version work")),
        )
        .api_route(
            "/api/v1/plugins/of/{plugin}/dry-run",
            post_with(dryrun::run::<S>, row("dryRun", "Ask a version about events of the past")),
        )
        .api_route(
            "/api/v1/plugins/of/{plugin}/{action}",
            post_with(plugins::change::<S>, row("change", "Promote, end, go back, retire")),
        )
        .api_route(
            "/api/v1/sources/{source}/test",
            post_with(sources::test::<S>, row("testSource", "Post the sender's sample to the edge")),
        )
        .api_route(
            "/api/v1/parked/redrive",
            post_with(listing::redrive::<S>, row("redrive", "Try what is parked again")),
        )
        .api_route(
            "/api/v1/parked/drop",
            post_with(
                listing::drop_parked::<S>,
                row("dropParked", "Say that what is parked needs nothing more"),
            ),
        )
}

/// What takes an administrator.
fn administering<S: Store + Clone>() -> ApiRouter<Arc<Admin<S>>> {
    let row = named;
    let forget = post_with(forget::start::<S>, row("forget", "Forget a person"));
    let tokens = get_with(tokens::list::<S>, row("tokens", "Who may ask"));
    ApiRouter::new()
        .api_route(
            "/api/v1/forget",
            forget.get_with(forget::progress::<S>, row("forgetProgress", "How far forgetting is")),
        )
        .api_route(
            "/api/v1/audit",
            get_with(tokens::audit::<S>, row("audit", "What people did, the newest first")),
        )
        .api_route("/api/v1/tokens", tokens.post_with(tokens::make::<S>, row("makeToken", "Let somebody in")))
        .api_route(
            "/api/v1/tokens/{name}",
            delete_with(tokens::remove::<S>, row("removeToken", "Let somebody in no more")),
        )
        .api_route(
            "/api/v1/tokens/{name}/rotate",
            post_with(tokens::rotate::<S>, row("rotateToken", "A new token in the place of one")),
        )
}

/// Components are taken in one by one, so that many at once cost no more memory than one.
async fn in_turn(State(one): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let _turn = one.acquire().await.expect("the semaphore is never closed");
    next.run(request).await
}
