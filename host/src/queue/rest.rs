//! A queue behind Cloudflare's REST pull contract, there or anywhere else. Knows nothing of what serves it.

mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use super::{PollHint, Pulled, Queue, QueueError, Settle};
use anyhow::{Context, anyhow, ensure};
use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderName};
use refusal::{Addressee, Refusal};
use reqwest::{Client, Response, redirect};
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;
use url::{Host, Url};

/// Messages in one pull, and leases in one acknowledgement
/// (<https://developers.cloudflare.com/queues/configuration/pull-consumers/>).
pub const BATCH_MAX: usize = 100;

/// Milliseconds in the longest lease: 12 hours.
pub const VISIBILITY_TIMEOUT_MS_MAX: u64 = 12 * 60 * 60 * 1_000;

/// How long a queue that can is asked to hold a pull until a message is ready (RFC 7240). The embedded queue
/// can; Cloudflare takes no notice.
const WAIT: Duration = Duration::from_secs(20);

/// How long an answer may take once the queue has nothing to wait for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A queue that says it waited, has nothing, and answered sooner than this is not asked again at once.
const WAITED_MIN: Duration = Duration::from_secs(1);

/// Bytes of the longest answer: a full pull of the largest messages, each byte escaped, is below.
const ANSWER_BYTES_MAX: usize = 96 << 20;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: &str = "preference-applied";

/// A bearer token. Its value is never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes a token as it stands in a file or an environment variable: white space around it is no part of it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Where the queue is, and how to pull from it.
#[derive(Clone, Debug)]
pub struct RestQueueConfig {
    /// What comes before `/accounts`: `https://api.cloudflare.com/client/v4` for Cloudflare.
    pub base_url: String,
    /// The account's id.
    pub account_id: String,
    /// The queue's id: 32 hexadecimal digits, not its name.
    pub queue_id: String,
    /// A token that may read and write queues: an acknowledgement is a write.
    pub token: Token,
    /// Milliseconds a delivery is leased for, from 1 to [`VISIBILITY_TIMEOUT_MS_MAX`].
    pub visibility_timeout_ms: u64,
    /// Deliveries per pull at most, from 1 to [`BATCH_MAX`].
    pub batch_max: usize,
}

/// A queue behind the REST pull contract.
#[derive(Debug)]
pub struct RestQueue {
    client: Client,
    pull_url: Url,
    ack_url: Url,
    authorization: HeaderValue,
    visibility_timeout_ms: u64,
    batch_max: usize,
    addressee: Addressee,
}

/// What the queue answered to a request it did.
struct Answer {
    result: Value,
    /// Whether it would have waited for a message.
    waits: bool,
}

impl RestQueue {
    /// Checks the configuration; the queue is not asked yet.
    ///
    /// # Errors
    /// Which setting cannot be right, and what would be.
    pub fn new(config: RestQueueConfig) -> anyhow::Result<Self> {
        let base = Url::parse(&config.base_url).context("read the queue's base URL")?;
        ensure!(
            matches!(base.scheme(), "http" | "https") && base.query().is_none(),
            "the queue's base URL is an http or https URL without a query, like https://api.cloudflare.com/client/v4"
        );
        for (name, id) in [("account id", &config.account_id), ("queue id", &config.queue_id)] {
            let fits = !id.is_empty()
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            ensure!(fits, "`{id}` is not the {name}: Cloudflare's have 32 hexadecimal digits");
        }
        ensure!(
            (1..=BATCH_MAX).contains(&config.batch_max),
            "{} deliveries per pull: from 1 to {BATCH_MAX} can be asked for",
            config.batch_max
        );
        ensure!(
            (1..=VISIBILITY_TIMEOUT_MS_MAX).contains(&config.visibility_timeout_ms),
            "a lease of {} ms: from 1 to {VISIBILITY_TIMEOUT_MS_MAX} can be asked for",
            config.visibility_timeout_ms
        );
        ensure!(!config.token.0.is_empty(), "the queue's token is empty");
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", config.token.0))
            .context("the queue's token has a character that no token has")?;
        authorization.set_sensitive(true);
        Ok(Self {
            client: client(&base)?,
            pull_url: endpoint(&base, &config, "pull")?,
            ack_url: endpoint(&base, &config, "ack")?,
            authorization,
            visibility_timeout_ms: config.visibility_timeout_ms,
            batch_max: config.batch_max,
            addressee: Addressee {
                base_url: base.to_string(),
                account_id: config.account_id,
                queue_id: config.queue_id,
            },
        })
    }

    async fn call(&self, url: &Url, body: &Value, wait: Option<Duration>) -> Result<Answer, QueueError> {
        let mut request = self
            .client
            .post(url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .timeout(ANSWER_TIMEOUT + wait.unwrap_or_default())
            .json(body);
        if let Some(wait) = wait {
            request = request.header(PREFER, format!("wait={}", wait.as_secs()));
        }
        let response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = read(response).await?;
        let answer = serde_json::from_slice::<Value>(&text).ok().filter(Value::is_object);
        match answer {
            Some(mut answer) if status.is_success() && answer["success"] != false => Ok(Answer {
                result: wire::take(&mut answer, "result"),
                waits: headers
                    .get(PREFERENCE_APPLIED)
                    .is_some_and(|applied| applied.as_bytes().starts_with(b"wait")),
            }),
            None if status.is_success() => Err(QueueError::Transient {
                after: None,
                cause: anyhow!(
                    "{} answered {status} but not as a queue does: check the base URL",
                    self.addressee.base_url
                ),
            }),
            answer => {
                let refusal = Refusal::read(status, &headers, &answer.unwrap_or_default());
                Err(refusal.into_error(&self.addressee))
            }
        }
    }
}

impl Queue for RestQueue {
    async fn pull(&self, max: usize) -> Result<Pulled, QueueError> {
        let asked = max.min(self.batch_max);
        if asked == 0 {
            return Ok(Pulled { deliveries: vec![], backlog: None, again: PollHint::Idle });
        }
        let started = Instant::now();
        let body = serde_json::json!({
            "batch_size": asked,
            "visibility_timeout_ms": self.visibility_timeout_ms,
        });
        let answer = self.call(&self.pull_url, &body, Some(WAIT)).await?;
        let (deliveries, backlog) = wire::deliveries(answer.result);
        let again = hint(answer.waits.then(|| started.elapsed()), deliveries.len(), asked, backlog);
        Ok(Pulled { deliveries, backlog, again })
    }

    async fn settle(&self, settled: Vec<Settle>) -> Result<(), QueueError> {
        let mut failed = None;
        for chunk in settled.chunks(BATCH_MAX) {
            // One part that fails does not keep the others from being settled.
            match self.call(&self.ack_url, &wire::settlement(chunk), None).await {
                Ok(answer) => wire::log_warnings(&answer.result),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// When to pull again, given how long the queue waited if it does wait. A backlog counts what others hold too, so
/// alone it is no reason to hurry.
fn hint(waited: Option<Duration>, pulled: usize, asked: usize, backlog: Option<u64>) -> PollHint {
    let has_more = pulled > 0
        && (pulled >= asked
            || backlog.is_some_and(|backlog| usize::try_from(backlog).is_ok_and(|n| n > pulled)));
    let has_waited = waited.is_some_and(|waited| pulled > 0 || waited >= WAITED_MIN);
    if has_more || has_waited { PollHint::Now } else { PollHint::Idle }
}

/// A proxy the operator set in the environment is used, as everything that talks to Cloudflare does, but not on
/// the way to this machine. Redirects are not followed: the token is for this address.
fn client(base: &Url) -> anyhow::Result<Client> {
    let is_local = match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(ANSWER_TIMEOUT)
        .user_agent(concat!("Tidegate/", env!("CARGO_PKG_VERSION")));
    let builder = if is_local { builder.no_proxy() } else { builder };
    builder.build().context("build the client for the queue")
}

fn endpoint(base: &Url, config: &RestQueueConfig, verb: &str) -> anyhow::Result<Url> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| anyhow!("the queue's base URL has no path"))?
        .pop_if_empty()
        .extend(["accounts", &config.account_id, "queues", &config.queue_id, "messages", verb]);
    Ok(url)
}

async fn read(mut response: Response) -> Result<Vec<u8>, QueueError> {
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if text.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(QueueError::Transient {
                after: None,
                cause: anyhow!("the queue answered with more than {ANSWER_BYTES_MAX} bytes"),
            });
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn unreachable(error: reqwest::Error) -> QueueError {
    QueueError::Transient { after: None, cause: anyhow::Error::new(error).context("reach the queue") }
}
