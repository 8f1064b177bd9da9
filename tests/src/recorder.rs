//! A queue that only records: workerd's binding protocol in front of a list in memory. It stands in where a
//! test needs a queue that refuses on command, or a bench one that costs next to nothing.

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One message, as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `X-Msg-Fmt`: text, json, bytes or v8.
    pub format: String,
    /// `X-Queue`: which queue the sender meant.
    pub queue: String,
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
}

#[derive(Debug, Default)]
struct Shared {
    mood: Mood,
    recorded: Vec<Recorded>,
}

/// A running recorder. Dropping it closes its port.
#[derive(Debug)]
pub struct Recorder {
    addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
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
        let shared = Arc::new(Mutex::new(Shared::default()));
        let router = Router::new().route("/message", post(message)).with_state(Arc::clone(&shared));
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
        self.shared.lock().expect("no holder panics").mood = mood;
    }

    /// Takes what was recorded since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.shared.lock().expect("no holder panics").recorded)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn message(State(shared): State<Arc<Mutex<Shared>>>, headers: HeaderMap, body: Bytes) -> Response {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut shared = shared.lock().expect("no holder panics");
    match shared.mood {
        Mood::Overloaded => {
            let named = [("CF-Queues-Error-Code", "10250"), ("CF-Queues-Error-Cause", "overloaded")];
            return (StatusCode::TOO_MANY_REQUESTS, named).into_response();
        }
        Mood::Takes => {
            shared.recorded.push(Recorded { format: header("X-Msg-Fmt"), queue: header("X-Queue"), body })
        }
        Mood::TakesAndForgets => {}
    }
    let metrics =
        r#"{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0,"oldestMessageTimestamp":0}}}"#;
    ([("Content-Type", "application/json")], metrics).into_response()
}
