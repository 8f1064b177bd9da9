//! Queues and consumers as they are configured. Knows nothing of messages.

use crate::fault::QueueError;
use crate::id::{ConsumerId, QueueId};
use crate::limit;
use serde::{Deserialize, Serialize};

/// Settings of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// Seconds a message waits when it names no delay of its own.
    #[serde(rename = "delivery_delay")]
    pub delay_s: u32,
    /// Whether pulls are refused.
    #[serde(rename = "delivery_paused")]
    pub paused: bool,
    /// Seconds a message is kept.
    #[serde(rename = "message_retention_period")]
    pub retention_s: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { delay_s: 0, paused: false, retention_s: limit::RETENTION_S_DEFAULT }
    }
}

impl QueueSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`QueueError::QueueSettings`], naming the setting.
    pub fn check(&self) -> Result<(), QueueError> {
        if self.delay_s > limit::DELAY_S_MAX {
            return Err(QueueError::QueueSettings(format!(
                "delivery_delay must be 0 to {} s",
                limit::DELAY_S_MAX
            )));
        }
        if !(limit::RETENTION_S_MIN..=limit::RETENTION_S_MAX).contains(&self.retention_s) {
            return Err(QueueError::QueueSettings(format!(
                "message_retention_period must be {} to {} s",
                limit::RETENTION_S_MIN,
                limit::RETENTION_S_MAX
            )));
        }
        Ok(())
    }
}

/// A queue, without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRecord {
    /// Its id.
    pub id: QueueId,
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When its name or settings last changed, in milliseconds since 1970.
    pub modified_ms: u64,
    /// Its settings.
    pub settings: QueueSettings,
    /// Its consumer, if it has one.
    pub consumer: Option<Consumer>,
    /// When it was last purged, in milliseconds since 1970.
    pub purged_ms: Option<u64>,
}

/// Checks a queue's name.
///
/// # Errors
/// [`QueueError::NameInvalid`].
pub(crate) fn check_name(name: &str) -> Result<(), QueueError> {
    let fits = (1..=limit::QUEUE_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits { Ok(()) } else { Err(QueueError::NameInvalid(name.chars().take(80).collect())) }
}

/// Who consumes a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerKind {
    /// Anyone who pulls over HTTP.
    HttpPull,
    /// A Worker of this script name. It is recorded only: nothing is pushed.
    Worker(String),
}

/// A queue's consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its id.
    pub id: ConsumerId,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// What it is.
    pub spec: ConsumerSpec,
}

/// What a consumer is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerSpec {
    /// Who consumes.
    pub kind: ConsumerKind,
    /// Name of the queue that takes what could not be delivered; without one it is deleted.
    pub dead_letter_queue: Option<String>,
    /// How it consumes.
    pub settings: ConsumerSettings,
}

/// Settings of a consumer. What is `None` has the default of its field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerSettings {
    /// Messages per pull: [`limit::PULL_MESSAGES_DEFAULT`].
    pub batch_size: Option<u32>,
    /// Retries before a message is dead: [`limit::RETRIES_DEFAULT`].
    pub max_retries: Option<u32>,
    /// Seconds until a retried message may be pulled: 0.
    pub retry_delay: Option<u32>,
    /// Length of a lease: [`limit::VISIBILITY_MS_DEFAULT`].
    pub visibility_timeout_ms: Option<u64>,
    /// Of a Worker only; recorded.
    pub max_concurrency: Option<u32>,
    /// Of a Worker only; recorded.
    pub max_wait_time_ms: Option<u32>,
}

impl ConsumerSpec {
    /// A pull consumer that is never dead-lettered early: as many retries as Cloudflare allows.
    #[must_use]
    pub fn http_pull() -> Self {
        Self {
            kind: ConsumerKind::HttpPull,
            dead_letter_queue: None,
            settings: ConsumerSettings {
                max_retries: Some(limit::RETRIES_MAX),
                ..ConsumerSettings::default()
            },
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`QueueError::ConsumerSettings`], naming the setting, or [`QueueError::NameInvalid`] for the dead letter
    /// queue.
    pub fn check(&self) -> Result<(), QueueError> {
        let settings = &self.settings;
        let batch_size_max = u32::try_from(limit::PULL_MESSAGES_MAX).unwrap_or(u32::MAX);
        let bad = |what: String| Err(QueueError::ConsumerSettings(what));
        if settings.batch_size.is_some_and(|n| n == 0 || n > batch_size_max) {
            return bad(format!("batch_size must be 1 to {batch_size_max}"));
        }
        if settings.max_retries.is_some_and(|n| n > limit::RETRIES_MAX) {
            return bad(format!("max_retries must be 0 to {}", limit::RETRIES_MAX));
        }
        if settings.retry_delay.is_some_and(|n| n > limit::DELAY_S_MAX) {
            return bad(format!("retry_delay must be 0 to {} s", limit::DELAY_S_MAX));
        }
        if settings.visibility_timeout_ms.is_some_and(|n| n > limit::VISIBILITY_MS_MAX) {
            return bad(format!("visibility_timeout_ms must be 0 to {}", limit::VISIBILITY_MS_MAX));
        }
        match &self.dead_letter_queue {
            Some(name) => check_name(name),
            None => Ok(()),
        }
    }
}
