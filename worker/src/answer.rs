//! What is said: every status and every word of it. Knows nothing of how it is sent.

use serde::Serialize;
use serde_json::json;
use tidegate_source::Handshake;

use crate::accept::BODY_JUDGED_BYTES_MAX;

/// An answer, other than the 2xx of an event that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Name and value of each header.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// Why it is not a 2xx, for the source's tally; empty when it is one.
    pub why: String,
}

impl Answer {
    /// To whom has no live URL.
    #[must_use]
    pub fn not_found() -> Self {
        Self::error(404, "no source has this URL")
    }

    /// To a question about the Worker's health. `faults` says what is configured and not live.
    #[must_use]
    pub fn health(faults: &[String]) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let body = if faults.is_empty() {
            format!(r#"{{"status":"ok","version":"{version}"}}"#)
        } else {
            json!({ "status": "ok", "version": version, "faults": faults }).to_string()
        };
        Self { status: 200, headers: vec![json_type()], body, why: String::new() }
    }

    /// When the request is not from the source's sender.
    #[must_use]
    pub fn forged(why: &str) -> Self {
        Self::error(401, why)
    }

    /// To a question about the URL itself.
    #[must_use]
    pub fn handshake(handshake: Handshake) -> Self {
        let Handshake { content_type, mut headers, body } = handshake;
        headers.insert(0, ("Content-Type", content_type.to_owned()));
        Self { status: 200, headers, body, why: String::new() }
    }

    /// When a signed body is too large to be judged.
    #[must_use]
    pub fn too_large() -> Self {
        let why = format!(
            "the body is over {BODY_JUDGED_BYTES_MAX} bytes, too large for its signature to be checked; nothing was kept"
        );
        Self::error(413, &why)
    }

    /// When no store confirmed an event in time. Why is for the log: it may name what is behind.
    #[must_use]
    pub fn undelivered() -> Self {
        Self::again("no store confirmed the event in time: send it again")
    }

    /// When the request itself failed, be it that its sender hung up.
    #[must_use]
    pub fn broken() -> Self {
        Self::again("the request failed: send it again")
    }

    /// When the host's bearer token is wrong or none is configured.
    #[must_use]
    pub fn unauthorized() -> Self {
        let mut answer = Self::error(401, "this path needs the host's bearer token");
        answer.headers.push(("WWW-Authenticate", "Bearer".to_owned()));
        answer
    }

    /// When a path of the host's is asked for by a method it does not have.
    #[must_use]
    pub fn no_such_method(allowed: &'static str) -> Self {
        let mut answer = Self::error(405, "this path has no such method");
        answer.headers.push(("Allow", allowed.to_owned()));
        answer
    }

    /// When the vault has no such body.
    #[must_use]
    pub fn no_body() -> Self {
        Self::error(404, "the vault has no such body")
    }

    /// When the vault does not answer.
    #[must_use]
    pub fn vault_silent() -> Self {
        Self::again("the vault does not answer")
    }

    /// To everything while no source is live.
    #[must_use]
    pub fn misconfigured(why: &str) -> Self {
        Self::again(&format!("this Worker is not configured: {why}"))
    }

    fn again(why: &str) -> Self {
        let mut answer = Self::error(503, why);
        answer.headers.push(("Retry-After", "1".to_owned()));
        answer
    }

    fn error(status: u16, why: &str) -> Self {
        Self {
            status,
            headers: vec![json_type()],
            body: json!({ "error": why }).to_string(),
            why: format!("{status}: {why}"),
        }
    }
}

fn json_type() -> (&'static str, String) {
    ("Content-Type", "application/json".to_owned())
}
