//! Queues: list, make, read, change, delete, empty. Knows nothing of what a setting does.

use super::Rest;
use super::answer::{Answer, ApiError, Done, Listing, Page};
use super::consumer::{ConsumerView, time_text};
use super::message::MetricsView;
use super::payload::{Payload, Target};
use crate::record::{QueueRecord, QueueSettings};
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct QueueBody {
    queue_name: Option<String>,
    settings: Option<SettingsBody>,
}

#[derive(Deserialize, Default)]
struct SettingsBody {
    delivery_delay: Option<u32>,
    delivery_paused: Option<bool>,
    message_retention_period: Option<u32>,
}

impl SettingsBody {
    fn over(self, base: QueueSettings) -> QueueSettings {
        QueueSettings {
            delay_s: self.delivery_delay.unwrap_or(base.delay_s),
            paused: self.delivery_paused.unwrap_or(base.paused),
            retention_s: self.message_retention_period.unwrap_or(base.retention_s),
        }
    }
}

/// A queue as Cloudflare shows it.
#[derive(Serialize)]
pub(super) struct QueueView {
    queue_id: String,
    queue_name: String,
    created_on: String,
    modified_on: String,
    producers: [(); 0],
    producers_total_count: u32,
    consumers_total_count: usize,
    consumers: Vec<ConsumerView>,
    settings: QueueSettings,
}

impl From<QueueRecord> for QueueView {
    fn from(record: QueueRecord) -> Self {
        let consumers: Vec<_> = record
            .consumer
            .as_ref()
            .map(|consumer| ConsumerView::new(&record, consumer))
            .into_iter()
            .collect();
        Self {
            queue_id: record.id.to_string(),
            created_on: time_text(record.created_ms),
            modified_on: time_text(record.modified_ms),
            producers: [],
            producers_total_count: 0,
            consumers_total_count: consumers.len(),
            consumers,
            settings: record.settings,
            queue_name: record.name,
        }
    }
}

/// `?page=N&name=X&name=Y`: everything is on page 1; names are matched whole.
pub(super) async fn list(
    State(rest): State<Rest>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Listing<QueueView>, ApiError> {
    let find =
        |key: &'static str| query.iter().filter(move |(k, _)| k == key).map(|(_, value)| value.as_str());
    let names: Vec<_> = find("name").collect();
    let is_past_the_end = find("page").any(|page| page.parse::<u32>().is_ok_and(|page| page > 1));
    let mut records = rest.queues.list().await?;
    records.retain(|record| !is_past_the_end && (names.is_empty() || names.contains(&record.name.as_str())));
    let page = Page::whole(records.len());
    Ok(Listing(records.into_iter().map(QueueView::from).collect(), page))
}

pub(super) async fn create(
    State(rest): State<Rest>,
    payload: Payload,
) -> Result<Answer<QueueView>, ApiError> {
    let body: QueueBody = payload.json()?;
    let Some(name) = body.queue_name else {
        return Err(ApiError::bad(10_207, "request body: missing field `queue_name`"));
    };
    let settings = body.settings.unwrap_or_default().over(QueueSettings::default());
    Ok(Answer(rest.queues.create(&name, settings).await?.into()))
}

pub(super) async fn read(State(rest): State<Rest>, target: Target) -> Result<Answer<QueueView>, ApiError> {
    Ok(Answer(rest.queues.queue(&target.queue).await?.into()))
}

/// PUT: what is not named goes back to its default.
pub(super) async fn replace(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<QueueView>, ApiError> {
    let body: QueueBody = payload.json()?;
    let settings = body.settings.unwrap_or_default().over(QueueSettings::default());
    let record = rest.queues.update(&target.queue, body.queue_name, settings).await?;
    Ok(Answer(record.into()))
}

/// PATCH: what is not named stays.
pub(super) async fn edit(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<QueueView>, ApiError> {
    let body: QueueBody = payload.json()?;
    let current = rest.queues.queue(&target.queue).await?.settings;
    let settings = body.settings.unwrap_or_default().over(current);
    let record = rest.queues.update(&target.queue, body.queue_name, settings).await?;
    Ok(Answer(record.into()))
}

pub(super) async fn delete(State(rest): State<Rest>, target: Target) -> Result<Done, ApiError> {
    rest.queues.delete(&target.queue).await?;
    Ok(Done)
}

pub(super) async fn metrics(
    State(rest): State<Rest>,
    target: Target,
) -> Result<Answer<MetricsView>, ApiError> {
    Ok(Answer(rest.queues.metrics(&target.queue).await?.into()))
}

#[derive(Deserialize)]
struct PurgeBody {
    delete_messages_permanently: Option<bool>,
}

/// How a purge goes: the SDKs read `completed`, wrangler reads `complete`. A purge is over when it is answered.
#[derive(Serialize)]
pub(super) struct PurgeView {
    started_at: String,
    completed: String,
    complete: bool,
}

impl PurgeView {
    fn new(purged_ms: Option<u64>) -> Self {
        let at = purged_ms.map_or_else(String::new, time_text);
        Self { started_at: at.clone(), completed: at, complete: true }
    }
}

pub(super) async fn purge(
    State(rest): State<Rest>,
    target: Target,
    payload: Payload,
) -> Result<Answer<QueueView>, ApiError> {
    let body: PurgeBody = payload.json()?;
    if body.delete_messages_permanently != Some(true) {
        return Err(ApiError::bad(10_207, "delete_messages_permanently must be true"));
    }
    Ok(Answer(rest.queues.purge(&target.queue).await?.into()))
}

pub(super) async fn purge_status(
    State(rest): State<Rest>,
    target: Target,
) -> Result<Answer<PurgeView>, ApiError> {
    let record = rest.queues.queue(&target.queue).await?;
    Ok(Answer(PurgeView::new(record.purged_ms)))
}
