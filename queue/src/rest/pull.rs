//! Pulling messages, ending their leases, looking at them. Knows nothing of when a lease holds.

use super::Rest;
use super::answer::{Answer, ApiError};
use super::message::{Metadata, check_delay};
use super::payload::{Payload, Target};
use crate::behavior::{Behavior, JsonBody, PullWithoutConsumer};
use crate::lease::Seal;
use crate::limit;
use crate::message::{ContentType, Message, Peeked, Producer, Pulled, Retry};
use crate::write::PullSpec;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

#[derive(Deserialize)]
struct PullBody {
    batch_size: Option<u64>,
    visibility_timeout_ms: Option<u64>,
    /// What Cloudflare's own docs call it in places; milliseconds as well.
    visibility_timeout: Option<u64>,
}

#[derive(Serialize)]
struct PullView {
    message_backlog_count: u64,
    messages: Vec<MessageView>,
    metadata: Metadata,
}

#[derive(Serialize)]
struct MessageView {
    id: String,
    timestamp_ms: u64,
    attempts: u32,
    body: String,
    metadata: Labels,
    lease_id: String,
}

#[derive(Serialize)]
pub(super) struct PeekedView {
    id: String,
    timestamp_ms: u64,
    attempts: u32,
    body: String,
    metadata: Labels,
    r#ref: String,
}

#[derive(Serialize)]
struct Labels {
    #[serde(rename = "CF-sourceMessageSource")]
    producer: &'static str,
    #[serde(rename = "CF-Content-Type")]
    content_type: &'static str,
}

impl Labels {
    fn new(content_type: ContentType, producer: Producer) -> Self {
        Self { producer: producer.name(), content_type: content_type.name() }
    }
}

pub(super) async fn pull(
    State(rest): State<Rest>,
    target: Target,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, ApiError> {
    let body: PullBody = payload.json()?;
    let visibility_ms = body.visibility_timeout_ms.or(body.visibility_timeout);
    if visibility_ms.is_some_and(|ms| ms > limit::VISIBILITY_MS_MAX) {
        let text = format!("visibility_timeout_ms must be 0 to {}", limit::VISIBILITY_MS_MAX);
        return Err(ApiError::bad(10_207, text));
    }
    let spec = PullSpec {
        messages_max: body.batch_size.map(check_batch_size).transpose()?,
        visibility_ms,
        needs_consumer: rest.queues.behavior().pull_without_consumer == PullWithoutConsumer::Refused,
    };
    let wait = preferred_wait(&headers);
    let pulled = pull_or_wait(rest.clone(), &target, spec, wait).await?;
    let view = PullView {
        message_backlog_count: pulled.metrics.backlog_count,
        messages: view_messages(pulled.messages, rest.queues.seal(), rest.queues.behavior()),
        metadata: pulled.metrics.into(),
    };
    let mut response = Answer(view).into_response();
    if wait.is_some() {
        let applied = HeaderValue::from_static("wait");
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// Pulls; with nothing ready it waits that long for something, or until the server closes.
async fn pull_or_wait(
    mut rest: Rest,
    target: &Target,
    spec: PullSpec,
    wait: Option<Duration>,
) -> Result<Pulled, ApiError> {
    let deadline = Instant::now() + wait.unwrap_or_default();
    loop {
        let pulled = rest.queues.pull_with(&target.queue, spec).await?;
        if !pulled.messages.is_empty() || Instant::now() >= deadline {
            return Ok(pulled);
        }
        let ready = timeout_at(deadline, rest.queues.wait_until_ready(&target.queue));
        tokio::select! {
            ready = ready => match ready {
                Ok(ready) => ready?,
                Err(_elapsed) => return Ok(pulled),
            },
            _closing = rest.closing.wait_for(|closing| *closing) => return Ok(pulled),
        }
    }
}

/// `Prefer: wait=N` (RFC 7240): how long the client would have the answer held.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse::<u64>().ok())
        .map(|seconds| Duration::from_secs(seconds.min(limit::WAIT_S_MAX)))
}

fn check_batch_size(asked: u64) -> Result<usize, ApiError> {
    usize::try_from(asked)
        .ok()
        .filter(|n| (1..=limit::PULL_MESSAGES_MAX).contains(n))
        .ok_or_else(|| ApiError::bad(10_206, format!("batch_size must be 1 to {}", limit::PULL_MESSAGES_MAX)))
}

fn view_messages(messages: Vec<Message>, seal: &Seal, behavior: &Behavior) -> Vec<MessageView> {
    messages
        .into_iter()
        .map(|message| MessageView {
            id: message.id.to_string(),
            timestamp_ms: message.timestamp_ms,
            attempts: message.attempts,
            body: view_body(message.content_type, &message.body, behavior),
            metadata: Labels::new(message.content_type, message.producer),
            lease_id: seal.lease_text(&message.lease),
        })
        .collect()
}

/// A body as JSON can carry it: text as it is, everything else in base64, JSON as the behaviour says.
fn view_body(content_type: ContentType, body: &Bytes, behavior: &Behavior) -> String {
    let is_plain = match content_type {
        ContentType::Text => true,
        ContentType::Json => behavior.json_body == JsonBody::Plain,
        ContentType::Bytes | ContentType::V8 => false,
    };
    if is_plain { String::from_utf8_lossy(body).into_owned() } else { BASE64_STANDARD.encode(body) }
}

#[derive(Deserialize)]
struct AckBody {
    #[serde(default)]
    acks: Vec<AckEntry>,
    #[serde(default)]
    retries: Vec<RetryEntry>,
}

#[derive(Deserialize)]
struct AckEntry {
    lease_id: String,
}

#[derive(Deserialize)]
struct RetryEntry {
    lease_id: String,
    delay_seconds: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct AckView {
    #[serde(rename = "ackCount")]
    acks: usize,
    #[serde(rename = "retryCount")]
    retries: usize,
    warnings: BTreeMap<String, String>,
}

pub(super) async fn ack(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<AckView>, ApiError> {
    let body: AckBody = payload.json()?;
    let entries_max = rest.queues.behavior().ack_entries_max;
    if body.acks.len() + body.retries.len() > entries_max {
        let text = format!("acks and retries together may be {entries_max} at most");
        return Err(ApiError::bad(10_206, text));
    }
    let seal = rest.queues.seal();
    let mut warnings = BTreeMap::new();
    let mut read = |text: &str| {
        let lease = seal.read_lease(text);
        if lease.is_none() {
            warnings.insert(text.to_owned(), "lease_id is not one of this queue".to_owned());
        }
        lease
    };
    let acks = body.acks.iter().filter_map(|entry| read(&entry.lease_id)).collect();
    let mut retries = Vec::with_capacity(body.retries.len());
    for entry in &body.retries {
        let delay_s = entry.delay_seconds.map(|s| check_delay(s, 10_203)).transpose()?;
        if let Some(lease) = read(&entry.lease_id) {
            retries.push(Retry { lease, delay_s });
        }
    }
    let report = rest.queues.ack(&target.queue, acks, retries).await?;
    for (lease, warning) in report.warnings {
        warnings.insert(seal.lease_text(&lease), warning.to_string());
    }
    Ok(Answer(AckView { acks: report.acks, retries: report.retries, warnings }))
}

#[derive(Deserialize)]
struct PeekBody {
    batch_size: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct PeekView {
    messages: Vec<PeekedView>,
}

pub(super) async fn peek(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<PeekView>, ApiError> {
    let body: PeekBody = payload.json()?;
    let asked = body.batch_size.map(check_batch_size).transpose()?;
    let messages_max = asked.unwrap_or(limit::PULL_MESSAGES_DEFAULT);
    let peeked = rest.queues.peek(&target.queue, messages_max).await?;
    let (seal, behavior) = (rest.queues.seal(), rest.queues.behavior());
    let messages = peeked.into_iter().map(|m| view_peeked(&m, seal, behavior)).collect();
    Ok(Answer(PeekView { messages }))
}

fn view_peeked(peeked: &Peeked, seal: &Seal, behavior: &Behavior) -> PeekedView {
    PeekedView {
        id: peeked.id.to_string(),
        timestamp_ms: peeked.timestamp_ms,
        attempts: peeked.attempts,
        body: view_body(peeked.content_type, &peeked.body, behavior),
        metadata: Labels::new(peeked.content_type, peeked.producer),
        r#ref: seal.reference_text(&peeked.reference),
    }
}

#[derive(Deserialize)]
struct PurgeBody {
    refs: Vec<PurgeEntry>,
}

#[derive(Deserialize)]
struct PurgeEntry {
    r#ref: String,
}

#[derive(Serialize)]
pub(super) struct PurgeView {
    errors: [(); 0],
    warnings: BTreeMap<String, String>,
}

pub(super) async fn purge(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<PurgeView>, ApiError> {
    let body: PurgeBody = payload.json()?;
    if body.refs.len() > limit::PULL_MESSAGES_MAX {
        let text = format!("refs may be {} at most", limit::PULL_MESSAGES_MAX);
        return Err(ApiError::bad(10_206, text));
    }
    let seal = rest.queues.seal();
    let mut warnings = BTreeMap::new();
    let mut references = Vec::with_capacity(body.refs.len());
    for entry in &body.refs {
        match seal.read_reference(&entry.r#ref) {
            Some(reference) => references.push(reference),
            None => drop(warnings.insert(entry.r#ref.clone(), "ref is not one of this queue".to_owned())),
        }
    }
    for missing in rest.queues.purge_messages(&target.queue, references).await? {
        warnings.insert(seal.reference_text(&missing), "message is not in the queue".to_owned());
    }
    Ok(Answer(PurgeView { errors: [], warnings }))
}
