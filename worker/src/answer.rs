//! What the sender is told: every status and every word of it. Knows nothing of how it is sent.

use crate::accept::Verdict;
use tidegate_envelope::limit::BODY_INLINE_BYTES_MAX;

/// What the sender is told, and what must be on the queue before it is told so.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status. A 503 goes out with `Retry-After: 1`.
    pub status: Status,
    /// JSON.
    pub body: String,
    /// The message that the queue must have taken first; `None` when there is nothing to send.
    pub message: Option<String>,
}

/// The statuses the edge gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200
    Ok,
    /// 202
    Accepted,
    /// 404
    NotFound,
    /// 503
    Unavailable,
}

impl Status {
    /// Its three digits.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::Accepted => 202,
            Self::NotFound => 404,
            Self::Unavailable => 503,
        }
    }
}

impl Answer {
    /// The answer to a request that was judged so.
    #[must_use]
    pub fn to(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted { receipt, message } => Self {
                status: Status::Accepted,
                body: format!(r#"{{"receipt":"{receipt}"}}"#),
                message: Some(message),
            },
            Verdict::Health => Self {
                status: Status::Ok,
                body: format!(r#"{{"status":"ok","version":"{}"}}"#, env!("CARGO_PKG_VERSION")),
                message: None,
            },
            Verdict::NotFound => Self::error(Status::NotFound, "no source has this URL"),
            // 503, not 413: the sender counts both as failures, but only a 503 invites it to come back after
            // the limit was raised.
            Verdict::TooLarge => Self::error(
                Status::Unavailable,
                &format!("the body is over {BODY_INLINE_BYTES_MAX} bytes; nothing was kept"),
            ),
        }
    }

    /// The answer when the queue did not take the message. Why is for the log: it may name what is behind.
    #[must_use]
    pub fn undelivered() -> Self {
        Self::error(Status::Unavailable, "the queue did not take the event; nothing was kept")
    }

    /// The answer to everything while the Worker is not configured.
    #[must_use]
    pub fn misconfigured(why: &str) -> Self {
        Self::error(Status::Unavailable, &format!("this Worker is not configured: {why}"))
    }

    /// The answer as one text, so that it crosses out of wasm once: three digits of status, four of the
    /// body's length in bytes, the body (ASCII), then the message.
    #[must_use]
    pub fn pack(&self) -> String {
        let message = self.message.as_deref().unwrap_or_default();
        format!("{:03}{:04}{}{message}", self.status.code(), self.body.len(), self.body)
    }

    fn error(status: Status, why: &str) -> Self {
        // Any text becomes ASCII here, and at most 4 digits long: `pack` relies on it.
        let why: String = why
            .chars()
            .take(ERROR_CHARS_MAX)
            .map(|c| match c {
                '"' => '\'',
                '\\' => '/',
                ' '..='~' => c,
                _ => '?',
            })
            .collect();
        Self { status, body: format!(r#"{{"error":"{why}"}}"#), message: None }
    }
}

/// Characters of the longest error text.
const ERROR_CHARS_MAX: usize = 1_000;
