//! Cloudflare's REST contract for Queues, under `/client/v4`
//! (<https://developers.cloudflare.com/api/resources/queues/>). Knows nothing of how messages are kept.

mod answer;
mod auth;
mod consumer;
mod message;
mod payload;
mod pull;
mod queue;

use crate::engine::Queues;
pub(crate) use answer::ApiError;
pub(crate) use message::check_delay;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::watch;

/// What every request needs.
#[derive(Clone)]
pub(crate) struct Rest {
    pub(crate) queues: Queues,
    account_id: Arc<str>,
    /// Hash of the token, so that comparing takes the same time whatever its length.
    token_hash: [u8; 32],
    /// Set when the server is closing: held pulls then return.
    closing: watch::Receiver<bool>,
}

impl Rest {
    pub(crate) fn new(queues: Queues, account_id: &str, token: &str, closing: watch::Receiver<bool>) -> Self {
        Self {
            queues,
            account_id: account_id.into(),
            token_hash: Sha256::digest(token.as_bytes()).into(),
            closing,
        }
    }
}

pub(crate) fn router(rest: Rest) -> Router {
    let queue = "/client/v4/accounts/{account}/queues/{queue}";
    let at = |path: &str| format!("{queue}{path}");
    Router::new()
        .route("/client/v4/accounts/{account}/queues", get(queue::list).post(queue::create))
        .route(queue, get(queue::read).put(queue::replace).patch(queue::edit).delete(queue::delete))
        .route(&at("/metrics"), get(queue::metrics))
        .route(&at("/purge"), get(queue::purge_status).post(queue::purge))
        .route(&at("/consumers"), get(consumer::list).post(consumer::create))
        .route(
            &at("/consumers/{consumer}"),
            get(consumer::read).put(consumer::update).delete(consumer::delete),
        )
        .route(&at("/messages"), post(message::publish))
        .route(&at("/messages/batch"), post(message::publish_batch))
        .route(&at("/messages/pull"), post(pull::pull))
        .route(&at("/messages/ack"), post(pull::ack))
        .route(&at("/messages/peek"), post(pull::peek))
        .route(&at("/messages/purge"), post(pull::purge))
        .fallback(async || ApiError::no_route(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || ApiError::no_route(StatusCode::METHOD_NOT_ALLOWED))
        .layer(from_fn_with_state(rest.clone(), auth::check))
        .layer(DefaultBodyLimit::max(crate::limit::REQUEST_BYTES_MAX))
        .with_state(rest)
}
