//! The edge's `GET /status`, served from a value that a test sets: it stands in where a test needs an edge that is
//! in trouble on command.

use anyhow::Context as _;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_source::status::Status;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the host must show to be answered.
pub const TOKEN: &str = "edge-horse-battery-staple-9d41";

struct Shared {
    status: watch::Sender<Option<Status>>,
    asked: watch::Sender<u64>,
}

/// A running server. Dropping it closes its port.
pub struct EdgeStatus {
    addr: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl EdgeStatus {
    /// Listens on a free port of the loopback. Answers 503 until a status is set.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
        let addr = listener.local_addr().context("learn the port")?;
        let shared = Arc::new(Shared { status: watch::Sender::new(None), asked: watch::Sender::new(0) });
        let router = Router::new().route("/status", get(answer)).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a bound listener serves until it is dropped");
        });
        Ok(Self { addr, shared, serving })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What it answers from now on; `None` for 503.
    pub fn set(&self, status: Option<Status>) {
        self.shared.status.send_replace(status);
    }

    /// Waits until it was asked so many times more.
    ///
    /// # Errors
    /// When it was not in time.
    pub async fn asked_again(&self, times: u64) -> anyhow::Result<()> {
        let mut asked = self.shared.asked.subscribe();
        let enough = *asked.borrow_and_update() + times;
        let waited = tokio::time::timeout(crate::system::PATIENCE, asked.wait_for(|asked| *asked >= enough));
        waited.await.context("the host does not ask the edge")?.context("the server stopped")?;
        Ok(())
    }
}

impl Drop for EdgeStatus {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given != Some(&format!("Bearer {TOKEN}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let status = shared.status.borrow().clone();
    let answer =
        status.map_or_else(|| StatusCode::SERVICE_UNAVAILABLE.into_response(), |it| Json(it).into_response());
    shared.asked.send_modify(|asked| *asked += 1);
    answer
}
