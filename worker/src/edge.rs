//! The Worker as JavaScript sees it: a few synchronous functions around the pure ones. The only file that
//! names workers-rs.
//!
//! The I/O (reading the body, sending, answering) is done by `shell.js`, for two reasons. A request then
//! leaves nothing in wasm memory while it waits, so should a dependency panic, that one call fails and no
//! other request in flight does. And each trip between JavaScript and wasm costs: one trip per request is
//! as fast as a Worker written in JavaScript, `#[event(fetch)]` takes a third more CPU.

use crate::accept::{self, Arrival, Body};
use crate::answer::Answer;
use crate::head::Head;
use std::cell::RefCell;
use tidegate_source::Sources;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::{Date, Env, console_error, wasm_bindgen};

/// Name of the secret that lists sources and tokens.
const SOURCES_BINDING: &str = "SOURCES";
/// Name of the queue.
const QUEUE_BINDING: &str = "QUEUE";

thread_local! {
    static SOURCES: RefCell<Result<Sources, String>> = const { RefCell::new(Err(String::new())) };
    static RANDOM: RefCell<RandomPool> = const { RefCell::new(RandomPool::empty()) };
}

/// Reads the bindings. Called once per environment, before its first request.
#[wasm_bindgen]
pub fn configure(env: &Env) {
    let sources = read_sources(env);
    if let Err(why) = &sources {
        console_error!("this Worker is not configured: {why}");
    }
    SOURCES.set(sources);
}

fn read_sources(env: &Env) -> Result<Sources, String> {
    let text = env.secret(SOURCES_BINDING).map_err(|_| "the secret SOURCES is not set".to_owned())?;
    env.queue(QUEUE_BINDING).map_err(|_| "the queue QUEUE is not bound".to_owned())?;
    Sources::parse(&text.to_string()).map_err(|error| error.to_string())
}

/// Decides one request; called once per request. `body` is `None` when it is over the limit. The result is
/// [`Answer::pack`]'s text.
#[wasm_bindgen]
pub fn accept(head: &str, body: Option<Box<[u8]>>) -> String {
    SOURCES
        .with_borrow(|sources| match sources {
            Err(why) => Answer::misconfigured(why),
            Ok(sources) => {
                let arrival = Arrival {
                    head: Head::read(head),
                    body: body.as_deref().map_or(Body::OverLimit, Body::Whole),
                    now_ms: Date::now().as_millis(),
                    random: RANDOM.with_borrow_mut(RandomPool::draw),
                };
                Answer::to(accept::accept(sources, &arrival))
            }
        })
        .pack()
}

/// The answer when the queue did not take the message; `why` goes to the log.
#[wasm_bindgen]
pub fn undelivered(why: &str) -> String {
    console_error!("failed to send to the queue: {why}");
    Answer::undelivered().pack()
}

/// Bytes of the largest body worth reading.
#[wasm_bindgen]
pub fn body_bytes_max() -> usize {
    accept::BODY_BYTES_MAX
}

/// The headers to bring in the head, separated by spaces.
#[wasm_bindgen]
pub fn headers_wanted() -> String {
    accept::headers_wanted().collect::<Vec<_>>().join(" ")
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
