//! The target of effects: fails a third of the time, half of these after it has taken what it was sent.

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// What it took: for each event's receipt, how often under which key.
type Taken = HashMap<String, HashMap<String, u32>>;

#[derive(Default)]
pub(crate) struct Book {
    pub(crate) taken: Taken,
    pub(crate) requests: usize,
    pub(crate) failed: usize,
}

struct Counter {
    book: Mutex<Book>,
    random: Mutex<fastrand::Rng>,
}

pub(crate) struct Target {
    addr: SocketAddr,
    counter: Arc<Counter>,
}

impl Target {
    pub(crate) async fn start(seed: u64) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
        let addr = listener.local_addr().context("learn the port")?;
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let counter = Arc::new(Counter { book: Mutex::default(), random });
        let router = Router::new().fallback(take).with_state(Arc::clone(&counter));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { addr, counter })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/told", self.addr)
    }

    /// What it has noted.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.counter.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn take(State(counter): State<Arc<Counter>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let chance = counter.random.lock().unwrap_or_else(PoisonError::into_inner).u32(0..6);
    let mut book = counter.book.lock().unwrap_or_else(PoisonError::into_inner);
    book.requests += 1;
    book.failed += usize::from(chance < 2);
    if chance > 0 {
        let receipt = String::from_utf8_lossy(&body).into_owned();
        *book.taken.entry(receipt).or_default().entry(key).or_default() += 1;
    }
    if chance < 2 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
}
