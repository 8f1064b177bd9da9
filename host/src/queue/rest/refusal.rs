//! What it means that the queue said no. Pure: knows nothing of connections.

use crate::queue::QueueError;
use crate::retry::after::retry_after_ms;
use anyhow::anyhow;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// The longest a queue is left alone because it asked for it. Cloudflare blocks for five minutes
/// (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>).
const AFTER_MAX: Duration = Duration::from_secs(5 * 60);

/// How long a paused queue is left alone: somebody will resume it.
const PAUSED_AFTER: Duration = Duration::from_secs(10);

/// Whom the request was for: what to check when they do not know us.
#[derive(Debug)]
pub(super) struct Addressee {
    pub(super) base_url: String,
    pub(super) account_id: String,
    pub(super) queue_id: String,
}

/// A queue's "no".
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    after: Option<Duration>,
    reasons: Vec<Reason>,
}

#[derive(Debug)]
struct Reason {
    code: u64,
    message: String,
}

impl Refusal {
    /// Reads a refusal as far as it can be read: `errors` may be a list, an object or missing.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap, answer: &Value) -> Self {
        let reasons = answer["errors"].as_array().into_iter().flatten().map(|error| Reason {
            code: error["code"].as_u64().unwrap_or(0),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
        });
        Self {
            status,
            after: retry_after_ms(headers).map(|ms| Duration::from_millis(ms).min(AFTER_MAX)),
            reasons: reasons.collect(),
        }
    }

    /// What the caller does about it. Codes: <https://developers.cloudflare.com/queues/reference/error-codes/>;
    /// which status goes with which code is not documented, so a code counts for more than a status.
    pub(super) fn into_error(self, addressee: &Addressee) -> QueueError {
        let Addressee { base_url, account_id, queue_id } = addressee;
        let permanent =
            |check: String| QueueError::Permanent { cause: anyhow!("the queue refused: {self}; {check}") };
        let status = self.status.as_u16();
        if self.has_code(&[10_104, 10_107, 7_003]) {
            return permanent(format!(
                "check the queue id `{queue_id}` (an id, not a name) and the account id `{account_id}`"
            ));
        }
        if self.has_code(&[10_000, 10_106, 9_109]) || matches!(status, 401 | 403) {
            return permanent(format!(
                "check that the token is for account `{account_id}`, has not expired, and may edit queues \
                 (queues_read and queues_write)"
            ));
        }
        if status == 409 || self.mentions("queue_delivery_paused") {
            return QueueError::Transient {
                after: self.after.or(Some(PAUSED_AFTER)),
                cause: anyhow!("the queue does not deliver for now: {self}"),
            };
        }
        let is_overload = self.has_code(&[10_250, 10_251, 10_252, 10_253, 15_000]);
        if is_overload || matches!(status, 408 | 425 | 429) || self.status.is_server_error() {
            return QueueError::Transient {
                after: self.after,
                cause: anyhow!("the queue asks to try later: {self}"),
            };
        }
        match status {
            404 => permanent(format!(
                "check the base URL `{base_url}`, the account id `{account_id}` and the queue id `{queue_id}`"
            )),
            405 => permanent(
                "check that the queue has an HTTP pull consumer (wrangler queues consumer http add)"
                    .to_owned(),
            ),
            300..=399 => permanent(format!("redirects are not followed: check the base URL `{base_url}`")),
            200..=299 => QueueError::Transient {
                after: self.after,
                cause: anyhow!("the queue did not succeed: {self}"),
            },
            _ => permanent("it does not take requests like ours: check its version".to_owned()),
        }
    }

    fn has_code(&self, codes: &[u64]) -> bool {
        self.reasons.iter().any(|reason| codes.contains(&reason.code))
    }

    fn mentions(&self, word: &str) -> bool {
        self.reasons.iter().any(|reason| reason.message.contains(word))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for Reason { code, message } in &self.reasons {
            write!(f, ", {message} ({code})")?;
        }
        Ok(())
    }
}
