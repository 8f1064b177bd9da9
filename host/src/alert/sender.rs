//! Sends alerts that were recorded, when they are due, and records what came of it. Knows nothing of what they say.

use super::signature::Secret;
use crate::alert::Alert;
use crate::retry::{self, Next, RetryPolicy, after};
use crate::store::watched::{AlertOutcome, DueAlert, WatchedBatch};
use crate::store::{self, Batch, EffectState, Store, StoreError};
use anyhow::Context as _;
use reqwest::{Client, Response, Url, redirect};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// The longest that one attempt may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Alerts read in one go. They are sent one after the other: who reads them is told things in their order.
const ALERTS_MAX: usize = 32;
/// How long to stay away from a store that fails.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// Bytes of the answer to a test that are shown.
const BODY_BYTES_MAX: usize = 500;
/// What the host says of itself.
const USER_AGENT: &str = concat!("Tidegate/", env!("CARGO_PKG_VERSION"));

/// Where alerts go, and what they are signed with. Neither is ever logged: the URL may hold a secret, too.
#[derive(Clone)]
pub struct Target {
    url: Url,
    secret: Secret,
    http: Client,
}

impl Target {
    /// The target at this URL.
    ///
    /// # Errors
    /// When the URL is none or not secure, or the secret is missing, malformed or short: says what to do.
    pub fn new(url: &str, secret: Option<&str>) -> anyhow::Result<Self> {
        let url = crate::config::secure_url(url).context("alerts.url")?;
        let secret = secret.context("alerts.url is set: set TIDEGATE_ALERTS_SECRET, too; make one: echo whsec_$(head -c 24 /dev/urandom | base64)")?;
        let secret = Secret::parse(secret).context("TIDEGATE_ALERTS_SECRET")?;
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .timeout(DEADLINE)
            .build()
            .context("build the client for alerts")?;
        Ok(Self { url, secret, http })
    }

    async fn send(&self, id: &str, payload: &str, now_ms: u64) -> anyhow::Result<Response> {
        let timestamp_s = now_ms / 1_000;
        let request = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp_s.to_string())
            .header("webhook-signature", self.secret.sign(id, timestamp_s, payload))
            .body(payload.to_owned());
        // The chain says what went wrong; the URL, which may hold a secret, is not part of it.
        Ok(request.send().await.map_err(reqwest::Error::without_url)?)
    }

    /// Sends an alert that tells of nothing, once. Cancel-safe.
    ///
    /// # Errors
    /// When there is no answer. The error does not name the URL.
    pub async fn test(&self, now_ms: u64) -> anyhow::Result<Reply> {
        let (started, alert) = (Instant::now(), Alert::Test { at_ms: now_ms });
        let mut response = self.send(&alert.id(), &alert.payload().to_string(), now_ms).await?;
        let (status, took) = (response.status().as_u16(), started.elapsed());
        let mut body = Vec::new();
        while body.len() < BODY_BYTES_MAX
            && let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)?
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(BODY_BYTES_MAX);
        let body = String::from_utf8_lossy(&body).escape_debug().to_string();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Ok(Reply { id: alert.id(), status, took_ms, body })
    }

    /// Posts a message once. Its id is the same at each attempt, the timestamp is the attempt's own.
    async fn post(&self, due: &DueAlert, now_ms: u64) -> Result<String, (String, Option<u64>)> {
        let started = Instant::now();
        let sent = self.send(&due.id, &due.payload, now_ms).await;
        let response = sent.map_err(|error| (format!("{error:#}"), None))?;
        let what = format!("{} in {} ms", response.status().as_u16(), started.elapsed().as_millis());
        if response.status().is_success() {
            Ok(what)
        } else {
            Err((what, after::retry_after_ms(response.headers())))
        }
    }
}

/// What came back of a test.
#[derive(Debug, Serialize)]
pub struct Reply {
    /// The id of what was sent, as `webhook-id` had it.
    pub id: String,
    /// The status.
    pub status: u16,
    /// How long it took until the answer began, in milliseconds.
    pub took_ms: u64,
    /// How the answer begins, with what cannot be shown escaped.
    pub body: String,
}

/// What sending is made of.
#[derive(Clone)]
pub struct AlertSender<S> {
    /// Where alerts are recorded.
    pub store: S,
    /// Where they go.
    pub target: Target,
    /// When to try again.
    pub retry: RetryPolicy,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// A number in 0..1, another each time.
    pub chance: fn() -> f64,
    /// Tells that alerts were recorded.
    pub raised: Arc<Notify>,
}

/// Sends due alerts until told to stop.
///
/// Cancel-safe: an alert whose outcome was not recorded is sent again, with the same id.
pub async fn run<S: Store>(sender: AlertSender<S>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let raised = sender.raised.notified();
        tokio::pin!(raised);
        raised.as_mut().enable();
        let next = tokio::select! {
            next = send_due(&sender) => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let wait = next.unwrap_or_else(|error| {
            tracing::error!("failed to read the alerts to send: {error}");
            Some(STORE_RETRY)
        });
        tokio::select! {
            () = raised => {}
            () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Sends what is due, and says when to look again by the clock alone.
async fn send_due<S: Store>(sender: &AlertSender<S>) -> Result<Option<Duration>, StoreError> {
    let now_ms = (sender.now_ms)();
    let due = sender.store.alerts_due(now_ms, ALERTS_MAX).await?;
    if due.is_empty() {
        let next_at_ms = sender.store.next_alert_at_ms(now_ms).await?;
        return Ok(next_at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms))));
    }
    for due in due {
        let outcome = attempt(sender, due).await;
        let watched = WatchedBatch { outcomes: vec![outcome], ..WatchedBatch::default() };
        store::record(&sender.store, Batch { watched, ..Batch::default() }).await;
    }
    Ok(Some(Duration::ZERO))
}

async fn attempt<S: Store>(sender: &AlertSender<S>, due: DueAlert) -> AlertOutcome {
    let attempts = due.attempts.saturating_add(1);
    let result = sender.target.post(&due, (sender.now_ms)()).await;
    let at_ms = (sender.now_ms)();
    let (id, kind) = (&due.id, &due.kind);
    let (state, what) = match result {
        Ok(what) => {
            tracing::info!(id, kind, attempts, "sent an alert: {what}");
            (EffectState::Done, what)
        }
        Err((what, retry_after_ms)) => {
            let retry_after_ms = retry_after_ms.map(|ms| ms.min(sender.retry.cap_ms));
            let next = retry::next(&sender.retry, attempts, retry_after_ms, (sender.chance)());
            match next {
                Next::After(_) => {
                    tracing::warn!(id, kind, attempts, "failed to send an alert, will try again: {what}");
                }
                Next::GiveUp => tracing::error!(id, kind, attempts, "parked an alert: {what}"),
            }
            EffectState::after_failure(next, attempts, at_ms, &what)
        }
    };
    AlertOutcome { seq: due.seq, attempts, state, what, at_ms }
}
