//! A real HTTP receiver that behaves as badly as it is told, and keeps what came.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a request is answered with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// This status and no body.
    Status(u16),
    /// 200 with this receipt.
    Receipt(&'static str),
    /// 308 to another path of the receiver.
    Redirect,
    /// Nothing, ever.
    Hangs,
    /// 200, and a body that never ends.
    Drips,
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) method: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Shared {
    replies: Vec<Reply>,
    came: Vec<Came>,
}

/// A running receiver. Dropping it closes its port.
#[derive(Debug)]
pub(crate) struct Receiver {
    addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Gives these replies in order; the last is repeated.
    pub(crate) async fn start(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let addr = listener.local_addr().expect("its port");
        let shared = Arc::new(Mutex::new(Shared { replies: replies.to_vec(), came: Vec::new() }));
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a bound listener serves until it is dropped");
        });
        Self { addr, shared, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/secret", self.addr)
    }

    /// What came, in order.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.shared.lock().expect("no holder panics").came.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State(shared): State<Arc<Mutex<Shared>>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let reply = {
        let mut shared = shared.lock().expect("no holder panics");
        let came =
            Came { method: method.to_string(), content_type: content_type.to_owned(), body: body.to_vec() };
        shared.came.push(came);
        let nth = shared.came.len().min(shared.replies.len());
        shared.replies[nth - 1]
    };
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Reply::Receipt(receipt) => format!("{{\"receipt\":\"{receipt}\"}}").into_response(),
        Reply::Redirect => {
            (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response()
        }
        Reply::Hangs => std::future::pending().await,
        // A promised byte that does not come.
        Reply::Drips => ([(header::CONTENT_LENGTH, "1")], Body::from_stream(Never)).into_response(),
    }
}

/// A stream that never gives anything.
struct Never;

impl futures_core::Stream for Never {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}
