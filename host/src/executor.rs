//! Performs effects: one attempt at one HTTP request under the egress rules. Knows nothing of plugins, of the
//! store, or of when to try again.

pub mod address;
mod verdict;

use crate::effect::Effect;
use address::{Loopback, PublicResolver, RefusedAddress};
use anyhow::Context;
use http::HeaderMap;
use http::header::HeaderName;
use reqwest::{Client, Response, redirect, retry};
use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Tells a repeat from a new request
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What the host says of itself when a plugin does not say otherwise.
const USER_AGENT: &str = concat!("Tidegate/", env!("CARGO_PKG_VERSION"));

/// The bounds of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutorConfig {
    /// Whether loopback addresses may be dialled: for development, where the targets run on the same machine.
    /// Nothing else opens with it.
    pub allow_loopback: bool,
    /// Milliseconds one attempt may take, from looking up the name to the end of the response. A plugin may
    /// ask for less.
    pub deadline_ms: u64,
    /// Bytes of a response that are read; the rest is left with its sender.
    pub response_bytes_max: usize,
    /// The longest wait a target can ask for with `Retry-After`, in milliseconds.
    pub retry_after_ms_max: u64,
    /// Idle connections kept per host. Fewer than are used at a time, and they are made anew all the time.
    pub idle_connections_max: usize,
    /// Milliseconds an idle connection is kept.
    pub idle_connection_ms: u64,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            allow_loopback: false,
            deadline_ms: 10_000,
            response_bytes_max: 64 << 10,
            retry_after_ms_max: 60 * 60 * 1_000,
            idle_connections_max: 128,
            idle_connection_ms: 30_000,
        }
    }
}

/// What one attempt gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target took it: it answered 2xx.
    Done {
        /// The response's status.
        status: u16,
        /// Bytes of the response that were read, at most the configured number.
        response_bytes: usize,
        /// Milliseconds the attempt took.
        elapsed_ms: u64,
    },
    /// It did not, or nobody knows whether it did.
    Failed {
        /// What happened, without the URL.
        what: String,
        /// Whether another attempt makes sense.
        again: Again,
    },
}

/// Whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Yes; not before this many milliseconds when the target said so.
    After(Option<u64>),
    /// No: it would end the same.
    Never,
}

/// Performs effects over a pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor {
    client: Client,
    loopback: Loopback,
    config: ExecutorConfig,
}

impl Executor {
    /// An executor with an empty pool. The environment's proxies are not used: a proxy would dial addresses
    /// that nobody here checks.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(config: ExecutorConfig) -> anyhow::Result<Self> {
        let loopback = if config.allow_loopback { Loopback::Allowed } else { Loopback::Refused };
        let client = Client::builder()
            .dns_resolver(Arc::new(PublicResolver::new(loopback)))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .pool_max_idle_per_host(config.idle_connections_max)
            .pool_idle_timeout(Duration::from_millis(config.idle_connection_ms))
            .build()
            .context("build the client for effects")?;
        Ok(Self { client, loopback, config })
    }

    /// Makes one attempt. Called once per attempt of an effect in the outbox, at any concurrency.
    ///
    /// Cancel-safe: a cancelled attempt may have reached the target, and the key makes a repeat recognisable.
    pub async fn perform(&self, effect: &Effect) -> Outcome {
        let started = Instant::now();
        let deadline_ms = self.deadline_ms(effect);
        let deadline = started + Duration::from_millis(deadline_ms);
        // A resolver is not asked about a host that is an address, so this is the only check it gets.
        if let Err(refused) = address::check_literal(effect.request().url(), self.loopback) {
            return never(&refused);
        }
        let response = match timeout_at(deadline, self.send(effect)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return failure(error),
            Err(_) => {
                return Outcome::Failed {
                    what: format!("no answer within {deadline_ms} ms"),
                    again: Again::After(None),
                };
            }
        };
        let status = response.status();
        let verdict = verdict::judge(status, response.headers(), self.config.retry_after_ms_max);
        // A failure's body is read too, within the same bounds: an unread one would cost the connection.
        let response_bytes = drain(response, self.config.response_bytes_max, deadline).await;
        match verdict {
            None => Outcome::Done {
                status: status.as_u16(),
                response_bytes,
                elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            },
            Some((what, again)) => Outcome::Failed { what, again },
        }
    }

    fn deadline_ms(&self, effect: &Effect) -> u64 {
        let asked_ms = effect.request().timeout_ms().map_or(u64::MAX, u64::from);
        asked_ms.min(self.config.deadline_ms)
    }

    async fn send(&self, effect: &Effect) -> reqwest::Result<Response> {
        let request = effect.request();
        let mut headers: HeaderMap = request.headers().clone();
        headers.insert(IDEMPOTENCY_KEY, effect.key().to_header());
        let mut builder =
            self.client.request(request.method().clone(), request.url().clone()).headers(headers);
        if let Some(body) = request.body() {
            builder = builder.body(body.clone());
        }
        builder.send().await
    }
}

/// Reads a response without keeping it: at most so many bytes, not beyond the deadline. What happened to the
/// effect was decided by the status, so an end that comes early changes nothing.
async fn drain(mut response: Response, bytes_max: usize, deadline: Instant) -> usize {
    let mut bytes = 0;
    while bytes < bytes_max {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => bytes += chunk.len(),
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    bytes.min(bytes_max)
}

/// No answer came: the network's fault, which may pass, unless the address was refused or the request itself
/// cannot be made.
fn failure(error: reqwest::Error) -> Outcome {
    if let Some(refused) = find::<RefusedAddress>(&error) {
        return never(refused);
    }
    let again = if error.is_builder() { Again::Never } else { Again::After(None) };
    Outcome::Failed { what: chain(&error.without_url()), again }
}

fn never(refused: &RefusedAddress) -> Outcome {
    Outcome::Failed { what: refused.to_string(), again: Again::Never }
}

/// The first error of this type among an error and its causes.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// An error and its causes as one sentence.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let separator = if text.is_empty() { "" } else { ": " };
        write!(text, "{separator}{cause}").expect("a string can always grow");
    }
    text
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
