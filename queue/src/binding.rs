//! workerd's queue-binding protocol: what a Worker's `env.QUEUE.send()` becomes on the wire. Knows nothing of the
//! REST contract, and asks for no credentials: it is for a listener on the loopback address.
//!
//! workerd always sends `Host: fake-host`; queues are told apart by a header `X-Queue`, which the workerd
//! configuration injects, or there is one queue by default.

use crate::behavior::Behavior;
use crate::engine::Queues;
use crate::limit;
use crate::message::{ContentType, Metrics, NewMessage, Producer};
use crate::rest::ApiError;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

const ERROR_CODE: HeaderName = HeaderName::from_static("cf-queues-error-code");
const ERROR_CAUSE: HeaderName = HeaderName::from_static("cf-queues-error-cause");

#[derive(Clone)]
struct Binding {
    queues: Queues,
    /// Name of the queue for requests that name none.
    default_queue: Option<Arc<str>>,
}

pub(crate) fn router(queues: Queues, default_queue: Option<&str>) -> Router {
    let binding = Binding { queues, default_queue: default_queue.map(Arc::from) };
    Router::new()
        .route("/message", post(message))
        .route("/batch", post(batch))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(limit::REQUEST_BYTES_MAX))
        .with_state(binding)
}

impl Binding {
    fn queue_name(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let named = header(headers, "x-queue").or(self.default_queue.as_deref());
        let name = named.ok_or_else(|| {
            let text = "no queue: the request has no X-Queue header and there is no default queue";
            Refusal(ApiError::new(StatusCode::NOT_FOUND, 10_104, text))
        })?;
        Ok(name.to_owned())
    }
}

/// An error as workerd passes it on to the Worker: by two headers, and by the status for older Workers.
struct Refusal(ApiError);

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<crate::fault::QueueError> for Refusal {
    fn from(error: crate::fault::QueueError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = self.0;
        // Older Workers see nothing but the status: let it say what is wrong.
        let status = match error.code {
            10_204 | 10_205 => StatusCode::PAYLOAD_TOO_LARGE,
            _ => error.status,
        };
        let cause: String =
            error.message.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect();
        let cause = HeaderValue::from_str(&cause).unwrap_or(HeaderValue::from_static("unknown"));
        let headers = [(ERROR_CODE, HeaderValue::from(error.code)), (ERROR_CAUSE, cause)];
        (status, headers, error.message).into_response()
    }
}

#[derive(Serialize)]
struct Reply {
    metadata: Metadata,
}

#[derive(Serialize)]
struct Metadata {
    metrics: MetricsView,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetricsView {
    backlog_count: u64,
    backlog_bytes: u64,
    oldest_message_timestamp: u64,
}

impl From<Metrics> for MetricsView {
    fn from(metrics: Metrics) -> Self {
        Self {
            backlog_count: metrics.backlog_count,
            backlog_bytes: metrics.backlog_bytes,
            oldest_message_timestamp: metrics.oldest_message_timestamp_ms,
        }
    }
}

fn reply(metrics: Metrics) -> Json<Reply> {
    let metadata = Metadata { metrics: metrics.into() };
    Json(Reply { metadata })
}

async fn message(
    State(binding): State<Binding>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Reply>, Refusal> {
    let queue = binding.queue_name(&headers)?;
    let format = header(&headers, "x-msg-fmt");
    let delay_s = delay_header(&headers, 10_203)?;
    let message = new_message(body, format, delay_s, binding.queues.behavior())?;
    Ok(reply(binding.queues.send_to(queue, vec![message]).await?))
}

#[derive(Deserialize)]
struct BatchBody<'a> {
    #[serde(borrow)]
    messages: Vec<BatchEntry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchEntry<'a> {
    #[serde(borrow)]
    body: Cow<'a, str>,
    content_type: Option<String>,
    delay_secs: Option<i64>,
}

async fn batch(
    State(binding): State<Binding>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Reply>, Refusal> {
    let queue = binding.queue_name(&headers)?;
    let behavior = binding.queues.behavior();
    let batch: BatchBody<'_> = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad(10_208, format!("batch body: {error}")))?;
    let count = batch.messages.len();
    if count == 0 || count > limit::BATCH_MESSAGES_MAX {
        return Err(ApiError::batch_count(count).into());
    }
    let batch_delay_s = delay_header(&headers, 10_202)?;
    let mut messages = Vec::with_capacity(count);
    let mut bytes = 0;
    for entry in batch.messages {
        let body = BASE64_STANDARD
            .decode(entry.body.as_bytes())
            .map_err(|error| ApiError::bad(10_207, format!("message body: {error}")))?;
        bytes += body.len();
        let own_delay_s = entry.delay_secs.map(|s| check_delay(s, 10_203)).transpose()?;
        let delay_s = own_delay_s.or(batch_delay_s);
        messages.push(new_message(body.into(), entry.content_type.as_deref(), delay_s, behavior)?);
    }
    if bytes > limit::BATCH_BYTES_MAX {
        return Err(ApiError::batch_size(behavior, bytes).into());
    }
    Ok(reply(binding.queues.send_to(queue, messages).await?))
}

async fn metrics(State(binding): State<Binding>, headers: HeaderMap) -> Result<Response, Refusal> {
    let name = binding.queue_name(&headers)?;
    let id = binding.queues.find(&name).await?;
    let id = id.ok_or(crate::fault::QueueError::NotFound)?;
    let view = MetricsView::from(binding.queues.metrics(&id).await?);
    Ok(([(CONTENT_TYPE, "application/json")], Json(view)).into_response())
}

fn new_message(
    body: Bytes,
    format: Option<&str>,
    delay_s: Option<u32>,
    behavior: &Behavior,
) -> Result<NewMessage, ApiError> {
    // A Worker that names no format sends JSON (compatibility flag `queues_json_messages`).
    let format = format.unwrap_or("json");
    let content_type = ContentType::from_name(format)
        .ok_or_else(|| ApiError::bad(10_203, format!("message format `{format}` is not known")))?;
    if body.len() > limit::BODY_BYTES_MAX {
        return Err(ApiError::message_size(behavior, body.len()));
    }
    Ok(NewMessage { body, content_type, delay_s, producer: Producer::Worker })
}

fn delay_header(headers: &HeaderMap, code: u32) -> Result<Option<u32>, ApiError> {
    let Some(text) = header(headers, "x-msg-delay-secs") else {
        return Ok(None);
    };
    check_delay(text.parse().unwrap_or(-1), code).map(Some)
}

fn check_delay(seconds: i64, code: u32) -> Result<u32, ApiError> {
    crate::rest::check_delay(seconds, code)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
