//! Publishing messages. Knows nothing of who will pull them.

use super::Rest;
use super::answer::{Answer, ApiError};
use super::payload::{Payload, Target};
use crate::behavior::Behavior;
use crate::limit;
use crate::message::{ContentType, Metrics, NewMessage, Producer};
use axum::extract::State;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct MessageBody {
    body: Option<Box<RawValue>>,
    content_type: Option<String>,
    delay_seconds: Option<i64>,
}

#[derive(Deserialize)]
struct BatchBody {
    messages: Vec<MessageBody>,
    delay_seconds: Option<i64>,
}

/// `metadata.metrics`, which publishing and pulling answer with.
#[derive(Serialize)]
pub(super) struct Metadata {
    metrics: MetricsView,
}

#[derive(Serialize)]
pub(super) struct MetricsView {
    backlog_count: u64,
    backlog_bytes: u64,
    oldest_message_timestamp_ms: u64,
}

impl From<Metrics> for MetricsView {
    fn from(metrics: Metrics) -> Self {
        Self {
            backlog_count: metrics.backlog_count,
            backlog_bytes: metrics.backlog_bytes,
            oldest_message_timestamp_ms: metrics.oldest_message_timestamp_ms,
        }
    }
}

impl From<Metrics> for Metadata {
    fn from(metrics: Metrics) -> Self {
        Self { metrics: metrics.into() }
    }
}

#[derive(Serialize)]
pub(super) struct Published {
    metadata: Metadata,
}

pub(super) async fn publish(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<Published>, ApiError> {
    let message = parse(payload.json()?, None, rest.queues.behavior())?;
    let metrics = rest.queues.send(&target.queue, vec![message]).await?;
    Ok(Answer(Published { metadata: metrics.into() }))
}

pub(super) async fn publish_batch(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<Published>, ApiError> {
    let batch: BatchBody = payload.json()?;
    let behavior = rest.queues.behavior();
    let count = batch.messages.len();
    if count == 0 || count > limit::BATCH_MESSAGES_MAX {
        return Err(ApiError::batch_count(count));
    }
    let delay_s = batch.delay_seconds.map(|s| check_delay(s, 10_202)).transpose()?;
    let messages = batch
        .messages
        .into_iter()
        .map(|message| parse(message, delay_s, behavior))
        .collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = messages.iter().map(|message| message.body.len()).sum();
    if bytes > limit::BATCH_BYTES_MAX {
        return Err(ApiError::batch_size(behavior, bytes));
    }
    let metrics = rest.queues.send(&target.queue, messages).await?;
    Ok(Answer(Published { metadata: metrics.into() }))
}

fn parse(message: MessageBody, delay_s: Option<u32>, behavior: &Behavior) -> Result<NewMessage, ApiError> {
    let Some(raw) = message.body else {
        return Err(ApiError::bad(10_207, "request body: missing field `body`"));
    };
    let (content_type, body) = match message.content_type.as_deref() {
        None | Some("json") => (ContentType::Json, raw.get().to_owned()),
        Some("text") => {
            let text = serde_json::from_str::<String>(raw.get())
                .map_err(|_| ApiError::bad(10_203, "a text message's body is a string"))?;
            (ContentType::Text, text)
        }
        Some(other) => {
            let text = format!("content_type `{other}` is neither `text` nor `json`");
            return Err(ApiError::bad(10_203, text));
        }
    };
    if body.len() > limit::BODY_BYTES_MAX {
        return Err(ApiError::message_size(behavior, body.len()));
    }
    let own_delay_s = message.delay_seconds.map(|s| check_delay(s, 10_203)).transpose()?;
    Ok(NewMessage {
        body: Bytes::from(body),
        content_type,
        delay_s: own_delay_s.or(delay_s),
        producer: Producer::Api,
    })
}

/// Seconds of delay in range, or an error of this code.
pub(crate) fn check_delay(seconds: i64, code: u32) -> Result<u32, ApiError> {
    u32::try_from(seconds)
        .ok()
        .filter(|s| *s <= limit::DELAY_S_MAX)
        .ok_or_else(|| ApiError::bad(code, format!("delay_seconds must be 0 to {}", limit::DELAY_S_MAX)))
}
