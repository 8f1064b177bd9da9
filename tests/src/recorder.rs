//! A queue that only records: workerd's binding protocol in front of a list in memory. It stands in where a
//! test needs a queue that refuses or hangs on command, or a bench one that costs next to nothing.

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes of the largest request taken: a batch in base64, with room.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// One message, as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `X-Msg-Fmt`: text, json, bytes or v8.
    pub format: String,
    /// `X-Queue`: which queue the sender meant.
    pub queue: String,
    /// Whether it came in a batch.
    pub batched: bool,
    /// The raw bytes.
    pub body: Bytes,
}

/// How the recorder answers a send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Records it and says so.
    #[default]
    Takes,
    /// Says so, records nothing: for benches, which would fill the memory.
    TakesAndForgets,
    /// 429 with Cloudflare's code and cause for an overloaded queue.
    Overloaded,
    /// Says nothing until its mood changes; then answers in the new one.
    Hangs,
    /// Refuses what holds a message with this word, records the rest.
    Refuses(&'static str),
}

#[derive(Debug, Default)]
struct Shared {
    mood: Mood,
    recorded: Vec<Recorded>,
    /// Sends that came, whatever became of them.
    sends: usize,
    /// Bytes of the messages of the largest send.
    largest_bytes: usize,
}

/// A running recorder. Dropping it closes its port.
#[derive(Debug)]
pub struct Recorder {
    addr: SocketAddr,
    shared: Arc<watch::Sender<Shared>>,
    serving: JoinHandle<()>,
}

impl Recorder {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
        let addr = listener.local_addr().context("learn the port")?;
        let shared = Arc::new(watch::Sender::new(Shared::default()));
        let router = Router::new()
            .route("/message", post(message))
            .route("/batch", post(batch))
            .layer(axum::extract::DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a bound listener serves until it is dropped");
        });
        Ok(Self { addr, shared, serving })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes how it answers from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.shared.send_modify(|shared| shared.mood = mood);
    }

    /// Takes what was recorded since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Recorded> {
        let mut taken = Vec::new();
        self.shared.send_modify(|shared| taken = std::mem::take(&mut shared.recorded));
        taken
    }

    /// Waits until so many messages were recorded, and takes them.
    pub async fn take_all(&self, count: usize) -> Vec<Recorded> {
        let mut changes = self.shared.subscribe();
        changes.wait_for(|shared| shared.recorded.len() >= count).await.expect("the recorder lives");
        self.take()
    }

    /// Bytes of the messages of the largest send since the start.
    #[must_use]
    pub fn largest_send_bytes(&self) -> usize {
        self.shared.borrow().largest_bytes
    }

    /// Sends that have come since the start, whatever became of them.
    #[must_use]
    pub fn sends_so_far(&self) -> usize {
        self.shared.borrow().sends
    }

    /// Waits until so many sends have come since the start, whatever became of them.
    pub async fn sends(&self, count: usize) {
        let mut changes = self.shared.subscribe();
        changes.wait_for(|shared| shared.sends >= count).await.expect("the recorder lives");
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Queue = State<Arc<watch::Sender<Shared>>>;

async fn message(State(shared): Queue, headers: HeaderMap, body: Bytes) -> Response {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let message = Recorded { format: header("X-Msg-Fmt"), queue: header("X-Queue"), batched: false, body };
    answer(&shared, vec![message]).await
}

async fn batch(State(shared): Queue, headers: HeaderMap, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Batch {
        messages: Vec<Entry>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        body: String,
        content_type: String,
    }
    let queue = headers.get("X-Queue").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(Batch { messages }) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let messages = messages.into_iter().map(|Entry { body, content_type }| Recorded {
        format: content_type,
        queue: queue.to_owned(),
        batched: true,
        body: STANDARD.decode(body).expect("workerd writes base64").into(),
    });
    answer(&shared, messages.collect()).await
}

async fn answer(shared: &watch::Sender<Shared>, messages: Vec<Recorded>) -> Response {
    let bytes = messages.iter().map(|message| message.body.len()).sum();
    shared.send_modify(|shared| {
        shared.sends += 1;
        shared.largest_bytes = shared.largest_bytes.max(bytes);
    });
    let mut changes = shared.subscribe();
    let mood = match changes.wait_for(|shared| shared.mood != Mood::Hangs).await {
        Ok(shared) => shared.mood,
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let refused = match mood {
        Mood::Overloaded | Mood::Hangs => true,
        Mood::Refuses(word) => {
            messages.iter().any(|message| String::from_utf8_lossy(&message.body).contains(word))
        }
        Mood::Takes | Mood::TakesAndForgets => false,
    };
    if refused {
        let named = [("CF-Queues-Error-Code", "10250"), ("CF-Queues-Error-Cause", "overloaded")];
        return (StatusCode::TOO_MANY_REQUESTS, named).into_response();
    }
    if mood != Mood::TakesAndForgets {
        shared.send_modify(|shared| shared.recorded.extend(messages));
    }
    let metrics =
        r#"{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0,"oldestMessageTimestamp":0}}}"#;
    ([("Content-Type", "application/json")], metrics).into_response()
}
