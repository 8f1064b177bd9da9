//! Performs effects: one attempt at one HTTP request under the egress rules. Knows nothing of plugins, of the
//! store, or of when to try again.

pub mod address;
mod client;
mod resolver;
pub mod secret;
#[cfg(test)]
mod tests;
mod verdict;

pub use client::ClientCertificate;

use crate::effect::{Denied, Effect};
use crate::target::Health;
use address::{Egress, Loopback, RefusedAddress};
use client::Clients;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use reqwest::Response;
use resolver::LookUp;
use secret::{End, Filled, Redactor, Secrets};
use std::error::Error;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Tells a repeat from a new request
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A plugin that gives its target less time than this, in milliseconds, finds out nothing about the target.
const DEADLINE_TELLING_MS: u64 = 1_000;
/// Bytes of a response's content type that are kept.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// The bounds of one attempt, and what the operator gave for all of them.
#[derive(Clone, Debug)]
pub struct ExecutorConfig {
    /// Whether loopback addresses may be dialled: for development, where the targets run on the same machine.
    /// Nothing else opens with it.
    pub allow_loopback: bool,
    /// Where this process itself listens: never dialled.
    pub own: Vec<SocketAddr>,
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
    /// Certificates, as PEM, that are trusted beside the public ones.
    pub roots_pem: Option<Vec<u8>>,
    /// What is shown to targets that ask who we are.
    pub client_certificates: Vec<ClientCertificate>,
    /// What is put into requests by name.
    pub secrets: Secrets,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            allow_loopback: false,
            own: Vec::new(),
            deadline_ms: 10_000,
            response_bytes_max: 64 << 10,
            retry_after_ms_max: 60 * 60 * 1_000,
            idle_connections_max: 128,
            idle_connection_ms: 30_000,
            roots_pem: None,
            client_certificates: Vec::new(),
            secrets: Secrets::default(),
        }
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What it gave.
    pub outcome: Outcome,
    /// What it says about the target.
    pub health: Health,
    /// What the target answered, if it did and the plugin wants to know.
    pub answer: Option<TargetAnswer>,
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

/// A target's answer, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetAnswer {
    /// Its status.
    pub status: u16,
    /// What its body is.
    pub content_type: Option<String>,
    /// Its body, at most the configured number of bytes.
    pub body: Vec<u8>,
    /// Whether there was more of it.
    pub is_cut: bool,
}

/// Whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Yes; not before this many milliseconds when the target said so.
    After(Option<u64>),
    /// No: it would end the same.
    Never,
}

/// Performs effects over pools of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor {
    clients: Clients,
    egress: Egress,
    config: Arc<ExecutorConfig>,
}

impl Executor {
    /// An executor with empty pools.
    ///
    /// # Errors
    /// When TLS cannot be set up: a certificate or a key that was given is none.
    pub fn new(config: ExecutorConfig) -> anyhow::Result<Self> {
        let by_the_system: LookUp = Arc::new(resolver::by_the_system);
        Self::build(config, &by_the_system)
    }

    fn build(config: ExecutorConfig, look_up: &LookUp) -> anyhow::Result<Self> {
        let loopback = if config.allow_loopback { Loopback::Allowed } else { Loopback::Refused };
        let egress = Egress::new(loopback, &config.own);
        let clients = Clients::new(&config, &egress, look_up)?;
        Ok(Self { clients, egress, config: Arc::new(config) })
    }

    /// Makes one attempt. Called once per attempt of an effect in the outbox, at any concurrency.
    ///
    /// Cancel-safe: a cancelled attempt may have reached the target, and the key makes a repeat recognisable.
    pub async fn perform(&self, effect: &Effect) -> Attempt {
        let started = Instant::now();
        let deadline_ms = self.deadline_ms(effect);
        let deadline = started + Duration::from_millis(deadline_ms);
        // A resolver is not asked about a host that is an address, so this is the only check it gets.
        if let Err(refused) = self.egress.check_literal(effect.request().url()) {
            return never(&refused);
        }
        let mut filled = match self.config.secrets.fill(effect.request()) {
            Ok(filled) => filled,
            Err(denied) => return never::<Denied>(&denied),
        };
        let redactor = std::mem::take(&mut filled.redactor);
        match timeout_at(deadline, self.send(effect, filled)).await {
            Ok(Ok(response)) => self.answered(effect, response, &redactor, started, deadline).await,
            Ok(Err(error)) => failure(error, &redactor),
            Err(_) => Attempt {
                outcome: Outcome::Failed {
                    what: format!("unknown: no answer within {deadline_ms} ms"),
                    again: Again::After(None),
                },
                health: if deadline_ms >= DEADLINE_TELLING_MS.min(self.config.deadline_ms) {
                    Health::Fails
                } else {
                    Health::Unknown
                },
                answer: None,
            },
        }
    }

    fn deadline_ms(&self, effect: &Effect) -> u64 {
        let asked_ms = effect.request().timeout_ms().map_or(u64::MAX, u64::from);
        asked_ms.min(self.config.deadline_ms)
    }

    async fn send(&self, effect: &Effect, filled: Filled) -> reqwest::Result<Response> {
        let Filled { url, mut headers, body, .. } = filled;
        headers.insert(IDEMPOTENCY_KEY, effect.key().to_header());
        let client = self.clients.find(&url, self.egress.port(&url));
        let mut builder = client.request(effect.request().method().clone(), url).headers(headers);
        if let Some(body) = body {
            builder = builder.body(body);
        }
        builder.send().await
    }

    /// What an answer gives. Its body is read even where nobody wants it: an unread one would cost the connection. What
    /// happened to the effect was decided by the status, so an end that comes early changes nothing.
    async fn answered(
        &self,
        effect: &Effect,
        response: Response,
        redactor: &Redactor,
        started: Instant,
        deadline: Instant,
    ) -> Attempt {
        let (status, headers) = (response.status(), response.headers().clone());
        let is_wanted = effect.request().reply_tag().is_some();
        let read = read(response, self.config.response_bytes_max, deadline, is_wanted).await;
        let response_bytes = read.bytes;
        let outcome = match verdict::judge(status, &headers, self.config.retry_after_ms_max) {
            None => Outcome::Done {
                status: status.as_u16(),
                response_bytes,
                elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            },
            Some((what, again)) => Outcome::Failed { what: redactor.text(&what), again },
        };
        let health = if status.is_server_error() { Health::Fails } else { Health::Answers };
        let answer = is_wanted.then(|| {
            let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            // What is compressed could hide a secret.
            let is_readable = redactor.is_idle() || !headers.contains_key(CONTENT_ENCODING);
            let (body, is_cut) =
                if is_readable { read.without_secrets(redactor) } else { (Vec::new(), true) };
            TargetAnswer {
                status: status.as_u16(),
                content_type: content_type
                    .map(|text| redactor.text(text))
                    .filter(|text| text.len() <= CONTENT_TYPE_BYTES_MAX),
                body,
                is_cut,
            }
        });
        Attempt { outcome, health, answer }
    }
}

/// What was read of a response.
struct Read {
    /// How much of it.
    bytes: usize,
    /// What it was, if it is wanted.
    kept: Vec<u8>,
    /// Whether there is more.
    is_cut: bool,
}

/// Reads a response: at most so many bytes, not beyond the deadline.
async fn read(mut response: Response, bytes_max: usize, deadline: Instant, is_wanted: bool) -> Read {
    let mut read = Read { bytes: 0, kept: Vec::new(), is_cut: true };
    while read.bytes < bytes_max || is_wanted {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = bytes_max - read.bytes;
                read.bytes += chunk.len().min(room);
                if is_wanted {
                    read.kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
                }
                if chunk.len() > room {
                    break;
                }
            }
            Ok(Ok(None)) => {
                read.is_cut = false;
                break;
            }
            Ok(Err(_)) | Err(_) => break,
        }
    }
    read
}

impl Read {
    /// The bytes as they may be kept, and whether that is not all.
    fn without_secrets(self, redactor: &Redactor) -> (Vec<u8>, bool) {
        if redactor.is_idle() {
            return (self.kept, self.is_cut);
        }
        let end = if self.is_cut { End::Cut } else { End::Whole };
        (redactor.bytes(&self.kept, end), self.is_cut)
    }
}

/// No answer came: the network's fault, which may pass, unless the address was refused or the request itself
/// cannot be made.
fn failure(error: reqwest::Error, redactor: &Redactor) -> Attempt {
    if let Some(refused) = find::<RefusedAddress>(&error) {
        return never(refused);
    }
    let error = error.without_url();
    let text = redactor.text(&chain(&error));
    let (what, again, health) = if error.is_builder() {
        (text, Again::Never, Health::Unknown)
    } else if error.is_connect() {
        (text, Again::After(None), Health::Fails)
    } else {
        // The request was on its way: the target may have taken it.
        (format!("unknown: {text}"), Again::After(None), Health::Fails)
    };
    Attempt { outcome: Outcome::Failed { what, again }, health, answer: None }
}

/// It was not even tried.
fn never<E: Error>(refused: &E) -> Attempt {
    let outcome = Outcome::Failed { what: refused.to_string(), again: Again::Never };
    Attempt { outcome, health: Health::Unknown, answer: None }
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
