//! The Worker as JavaScript sees it: a few synchronous functions around the pure ones. The only file that
//! names workers-rs.
//!
//! The I/O (reading the body, storing, sending, answering) is done by `shell.js` and the modules beside it, for two
//! reasons. A request then leaves nothing in wasm memory while it waits, so should a dependency panic, that one call
//! fails and no other request in flight does. And each trip between JavaScript and wasm costs: one trip per request
//! is as fast as a Worker written in JavaScript, `#[event(fetch)]` takes a third more CPU.

use crate::accept::{self, Arrival, Body, Verdict};
use crate::answer::Answer;
use crate::head::Head;
use crate::route::Route;
use crate::setting::{self, HostToken};
use crate::status;
use serde::Serialize;
use std::cell::RefCell;
use tidegate_envelope::{Digest, VaultBody};
use tidegate_source::Sources;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::{Env, console_error, wasm_bindgen};

/// What the bindings say.
struct Configuration {
    sources: Sources,
    faults: Vec<String>,
    host_token: Option<HostToken>,
    body_bytes_max: u64,
    shards: usize,
}

thread_local! {
    static CONFIGURATION: RefCell<Result<Configuration, String>> = const { RefCell::new(Err(String::new())) };
    static RANDOM: RefCell<RandomPool> = const { RefCell::new(RandomPool::empty()) };
}

/// Reads the bindings, and gives the bytes kept of the largest body. Called once per environment, before its first
/// request. `shards` is how many queues are bound.
#[wasm_bindgen]
pub fn configure(env: &Env, shards: usize, vault_bound: bool) -> f64 {
    let read = read_configuration(env, shards, vault_bound);
    let bytes = match &read {
        Ok(configuration) => {
            for fault in &configuration.faults {
                console_error!("{fault}");
            }
            configuration.body_bytes_max
        }
        Err(why) => {
            console_error!("this Worker is not configured: {why}");
            setting::BODY_BYTES_MAX_USUAL
        }
    };
    CONFIGURATION.set(read);
    u32::try_from(bytes).map_or(f64::MAX, f64::from)
}

fn read_configuration(env: &Env, shards: usize, vault_bound: bool) -> Result<Configuration, String> {
    let text = |name: &str| env.secret(name).ok().map(|value| value.to_string());
    let sources = text("SOURCES").ok_or("the secret SOURCES is not set")?;
    if shards == 0 {
        return Err("the queue QUEUE is not bound".to_owned());
    }
    let sources = Sources::parse(&sources).map_err(|error| error.to_string())?;
    let mut faults: Vec<_> = sources.faults().iter().map(ToString::to_string).collect();
    if !vault_bound {
        faults.push("the Durable Object VAULT is not bound: there is one store only".to_owned());
    }
    let host_token = HostToken::new(text("HOST_TOKEN").as_deref()).map_err(|fault| faults.push(fault)).ok();
    let body_bytes_max = setting::body_bytes_max(text("BODY_BYTES_MAX").as_deref()).unwrap_or_else(|fault| {
        faults.push(fault);
        setting::BODY_BYTES_MAX_USUAL
    });
    Ok(Configuration { sources, faults, host_token, body_bytes_max, shards })
}

/// What a URL asks for, as the shell reads it.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Asked<'a> {
    Source {
        place: usize,
        token: usize,
        name: &'a str,
        accepted: u16,
        whole_bytes_max: usize,
        headers: Vec<String>,
    },
    Status {
        names: Vec<&'a str>,
    },
    Body {
        name: String,
        receipt: String,
    },
    Say {
        answer: Answer,
    },
}

/// What a URL asks for, as JSON. Called for URLs that the shell has not seen yet.
#[wasm_bindgen]
pub fn route(url: &str) -> String {
    CONFIGURATION.with_borrow(|configuration| match configuration {
        Err(why) => json(&Asked::Say { answer: Answer::misconfigured(why) }),
        Ok(configuration) => json(&asked(configuration, url)),
    })
}

fn asked<'a>(configuration: &'a Configuration, url: &str) -> Asked<'a> {
    let sources = &configuration.sources;
    match Route::of(url, sources) {
        Route::Source(found) => Asked::Source {
            place: sources.iter().position(|source| source.name == found.source.name).unwrap_or(usize::MAX),
            token: found.token,
            name: found.source.name.as_str(),
            accepted: found.source.profile.accepted(),
            whole_bytes_max: accept::whole_bytes_max(found.source),
            headers: accept::headers_wanted(found.source),
        },
        Route::Health => Asked::Say { answer: Answer::health(&configuration.faults) },
        Route::Status => Asked::Status { names: sources.iter().map(|source| source.name.as_str()).collect() },
        Route::Body { source, receipt } => {
            Asked::Body { name: source.to_string(), receipt: receipt.to_string() }
        }
        Route::Nothing => Asked::Say { answer: Answer::not_found() },
    }
}

/// Decides one request on a live source's URL; called once per request. `body` is `None` when it is over what the
/// route said. Gives [`pack`]'s text.
#[wasm_bindgen]
pub fn accept(place: usize, head: &str, body: Option<Box<[u8]>>, now_ms: f64) -> String {
    with_source(place, |source, shards| {
        let arrival = Arrival {
            head: Head::read(head),
            body: body.as_deref().map_or(Body::Unread, Body::Whole),
            now_ms: whole(now_ms),
            random: RANDOM.with_borrow_mut(RandomPool::draw),
        };
        accept::accept(source, &arrival, shards)
    })
}

/// Decides a request whose body the vault has; called after [`accept`] asked for it. `total_bytes` is `None` when the
/// shell stopped counting. Gives [`pack`]'s text.
#[wasm_bindgen]
pub fn seal(
    place: usize,
    head: &str,
    receipt: &str,
    bytes: f64,
    total_bytes: Option<f64>,
    sha256: &[u8],
) -> String {
    with_source(place, |source, shards| {
        let (Ok(receipt), Ok(sha256)) = (receipt.parse(), <[u8; 32]>::try_from(sha256)) else {
            return Verdict::Say(Answer::broken());
        };
        let (bytes, total_bytes) = (whole(bytes), total_bytes.map(whole));
        let body = VaultBody { bytes, total_bytes, truncated: total_bytes != Some(bytes) };
        accept::seal(source, &Head::read(head), receipt, body, Digest::from_bytes(sha256), shards)
    })
}

fn with_source(place: usize, decide: impl FnOnce(&tidegate_source::Source, usize) -> Verdict) -> String {
    let verdict = CONFIGURATION.with_borrow(|configuration| match configuration {
        Err(why) => Verdict::Say(Answer::misconfigured(why)),
        Ok(configuration) => match configuration.sources.iter().nth(place) {
            Some(source) => decide(source, configuration.shards),
            None => Verdict::Say(Answer::not_found()),
        },
    });
    pack(verdict)
}

/// A verdict as one text, so that it crosses out of wasm once: `K`, a digit for the queue, 26 characters of receipt
/// and the message; or `V` and the receipt; or `S` and an answer as JSON.
fn pack(verdict: Verdict) -> String {
    match verdict {
        Verdict::Keep { receipt, shard, message } => format!("K{shard}{receipt}{message}"),
        Verdict::Vault(receipt) => format!("V{receipt}"),
        Verdict::Say(answer) => format!("S{}", json(&answer)),
    }
}

/// Whether a header `Authorization` presents the host's token.
#[wasm_bindgen]
pub fn is_host(authorization: &str) -> bool {
    CONFIGURATION.with_borrow(|configuration| {
        let token = configuration.as_ref().ok().and_then(|configuration| configuration.host_token.as_ref());
        token.is_some_and(|token| token.is_presented_by(authorization))
    })
}

/// The body of the answer to `GET /status`, from what the shell gathered.
#[wasm_bindgen]
pub fn status_text(now_ms: f64, gathered: &str) -> String {
    CONFIGURATION.with_borrow(|configuration| match configuration {
        Err(why) => json(&Answer::misconfigured(why)),
        Ok(Configuration { sources, faults, .. }) => {
            match status::status(sources, faults, whole(now_ms), gathered) {
                Ok(status) => json(&status),
                Err(error) => {
                    console_error!("failed to read what was counted: {error}");
                    json(&Answer::broken())
                }
            }
        }
    })
}

/// Answers that are always the same, as JSON by their names: fetched once, so that they can be given when wasm
/// cannot be asked.
#[wasm_bindgen]
pub fn answers() -> String {
    #[derive(Serialize)]
    struct Answers {
        undelivered: Answer,
        broken: Answer,
        unauthorized: Answer,
        status_method: Answer,
        body_method: Answer,
        no_body: Answer,
        vault_silent: Answer,
    }
    json(&Answers {
        undelivered: Answer::undelivered(),
        broken: Answer::broken(),
        unauthorized: Answer::unauthorized(),
        status_method: Answer::no_such_method("GET, HEAD"),
        body_method: Answer::no_such_method("GET, DELETE"),
        no_body: Answer::no_body(),
        vault_silent: Answer::vault_silent(),
    })
}

/// Writing JSON of our own types to memory does not fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A whole number as JavaScript has it. Times and sizes are far below 2^53, up to which it is exact.
#[expect(clippy::as_conversions, reason = "the only conversion there is; it saturates")]
const fn whole(number: f64) -> u64 {
    number as u64
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);
}

/// Random bytes fetched by the kilobyte: one call out of wasm per hundred receipts.
struct RandomPool {
    bytes: [u8; RandomPool::BYTES],
    used: usize,
}

impl RandomPool {
    const BYTES: usize = 1_000;
    const DRAWN_BYTES: usize = 10;

    const fn empty() -> Self {
        Self { bytes: [0; Self::BYTES], used: Self::BYTES }
    }

    /// 80 random bits, each bit given out once.
    fn draw(&mut self) -> u128 {
        if self.used.saturating_add(Self::DRAWN_BYTES) > Self::BYTES {
            fill_random(&mut self.bytes);
            self.used = 0;
        }
        let end = self.used.saturating_add(Self::DRAWN_BYTES);
        let drawn = self.bytes.get(self.used..end).unwrap_or_default();
        self.used = end;
        drawn.iter().fold(0, |random, byte| (random << 8) | u128::from(*byte))
    }
}
