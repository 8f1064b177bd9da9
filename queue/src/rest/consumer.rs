//! Consumers: one per queue at most. A `worker` consumer is recorded and shown; nothing is pushed, and this
//! file knows nothing of pulling.

use super::Rest;
use super::answer::{Answer, ApiError, Done, Listing, Page};
use super::payload::{Payload, Target};
use crate::limit;
use crate::record::{Consumer, ConsumerKind, ConsumerSettings, ConsumerSpec, QueueRecord};
use axum::extract::State;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct ConsumerBody {
    r#type: Option<String>,
    script_name: Option<String>,
    dead_letter_queue: Option<String>,
    settings: Option<ConsumerSettings>,
}

impl ConsumerBody {
    fn spec(self, base: Option<ConsumerSpec>) -> Result<ConsumerSpec, ApiError> {
        let kind = match (self.r#type.as_deref(), self.script_name) {
            (Some("http_pull"), _) => ConsumerKind::HttpPull,
            (Some("worker"), Some(script)) => ConsumerKind::Worker(script),
            (None, _) if base.is_some() => base.map_or(ConsumerKind::HttpPull, |spec| spec.kind),
            (Some("worker"), None) => {
                return Err(ApiError::bad(100_127, "a worker consumer has a script_name"));
            }
            _ => return Err(ApiError::bad(100_127, "type is neither `http_pull` nor `worker`")),
        };
        Ok(ConsumerSpec {
            kind,
            dead_letter_queue: self.dead_letter_queue.filter(|name| !name.is_empty()),
            settings: self.settings.unwrap_or_default(),
        })
    }
}

/// A consumer as Cloudflare shows it.
#[derive(Serialize)]
pub(super) struct ConsumerView {
    consumer_id: String,
    queue_id: String,
    queue_name: String,
    created_on: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_name: Option<String>,
    /// Empty when there is none.
    dead_letter_queue: String,
    settings: SettingsView,
}

#[derive(Serialize)]
struct SettingsView {
    batch_size: u32,
    max_retries: u32,
    retry_delay: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility_timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_wait_time_ms: Option<u32>,
}

impl ConsumerView {
    pub(super) fn new(record: &QueueRecord, consumer: &Consumer) -> Self {
        let (kind, script) = match &consumer.spec.kind {
            ConsumerKind::HttpPull => ("http_pull", None),
            ConsumerKind::Worker(script) => ("worker", Some(script.clone())),
        };
        let given = &consumer.spec.settings;
        let batch_size = u32::try_from(limit::PULL_MESSAGES_DEFAULT).unwrap_or(u32::MAX);
        let visibility_ms = given.visibility_timeout_ms.unwrap_or(limit::VISIBILITY_MS_DEFAULT);
        Self {
            consumer_id: consumer.id.to_string(),
            queue_id: record.id.to_string(),
            queue_name: record.name.clone(),
            created_on: time_text(consumer.created_ms),
            r#type: kind,
            dead_letter_queue: consumer.spec.dead_letter_queue.clone().unwrap_or_default(),
            settings: SettingsView {
                batch_size: given.batch_size.unwrap_or(batch_size),
                max_retries: given.max_retries.unwrap_or(limit::RETRIES_DEFAULT),
                retry_delay: given.retry_delay.unwrap_or(0),
                visibility_timeout_ms: script.is_none().then_some(visibility_ms),
                max_concurrency: given.max_concurrency,
                max_wait_time_ms: given.max_wait_time_ms,
            },
            script_name: script.clone(),
            script,
        }
    }
}

/// RFC 3339 in UTC, as `created_on` and its like.
pub(super) fn time_text(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| format!("{at:.6}"))
        .unwrap_or_default()
}

pub(super) async fn list(
    State(rest): State<Rest>,
    target: Target,
) -> Result<Listing<ConsumerView>, ApiError> {
    let record = rest.queues.queue(&target.queue).await?;
    let consumers = record.consumer.iter();
    let views: Vec<_> = consumers.map(|consumer| ConsumerView::new(&record, consumer)).collect();
    let page = Page::whole(views.len());
    Ok(Listing(views, page))
}

pub(super) async fn create(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<ConsumerView>, ApiError> {
    let spec = payload.json::<ConsumerBody>()?.spec(None)?;
    let consumer = rest.queues.create_consumer(&target.queue, spec).await?;
    let record = rest.queues.queue(&target.queue).await?;
    Ok(Answer(ConsumerView::new(&record, &consumer)))
}

pub(super) async fn read(State(rest): State<Rest>, target: Target) -> Result<Answer<ConsumerView>, ApiError> {
    let (record, consumer) = find(&rest, &target).await?;
    Ok(Answer(ConsumerView::new(&record, &consumer)))
}

/// PUT: settings not named go back to their defaults; the type may be left out.
pub(super) async fn update(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<ConsumerView>, ApiError> {
    let (record, old) = find(&rest, &target).await?;
    let spec = payload.json::<ConsumerBody>()?.spec(Some(old.spec))?;
    let consumer = rest.queues.update_consumer(&target.queue, old.id, spec).await?;
    Ok(Answer(ConsumerView::new(&record, &consumer)))
}

pub(super) async fn delete(State(rest): State<Rest>, target: Target) -> Result<Done, ApiError> {
    let consumer = target.consumer()?;
    rest.queues.delete_consumer(&target.queue, consumer).await?;
    Ok(Done)
}

async fn find(rest: &Rest, target: &Target) -> Result<(QueueRecord, Consumer), ApiError> {
    let wanted = target.consumer()?;
    let record = rest.queues.queue(&target.queue).await?;
    match record.consumer.clone().filter(|consumer| consumer.id == wanted) {
        Some(consumer) => Ok((record, consumer)),
        None => Err(crate::fault::QueueError::ConsumerNotFound.into()),
    }
}
