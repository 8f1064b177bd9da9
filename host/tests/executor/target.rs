//! Targets for effects: real listeners on free ports of this machine.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One request as a target saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) body: Bytes,
    pub(crate) peer_port: u16,
    headers: HeaderMap,
}

impl Seen {
    /// A header's one value.
    pub(crate) fn header(&self, name: &str) -> String {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{name} in {:?}", self.headers);
        values[0].to_str().expect("text").to_owned()
    }
}

type Requests = Arc<Mutex<Vec<Seen>>>;

/// A web server that answers by path and keeps what it saw.
pub(crate) struct Target {
    pub(crate) port: u16,
    requests: Requests,
    failing: Arc<AtomicUsize>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let (requests, failing) = (Requests::default(), Arc::new(AtomicUsize::new(0)));
        let router = Router::new()
            .route("/status/{status}", any(|Path(number): Path<u16>| async move { status(number) }))
            .route(
                "/retry-after/{status}/{text}",
                any(|Path((number, text)): Path<(u16, String)>| async move {
                    (status(number), [("retry-after", text)], "later")
                }),
            )
            .route(
                "/redirect/{status}",
                any(|Path(number): Path<u16>| async move { (status(number), [("location", "/followed")]) }),
            )
            .route("/echo/{*rest}", any(echo))
            .fallback(|| async { StatusCode::NO_CONTENT })
            .layer(from_fn_with_state(Arc::clone(&failing), fail))
            .layer(from_fn_with_state(Arc::clone(&requests), keep));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener").port();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { port, requests, failing }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers so many more requests with 500, whatever they are.
    pub(crate) fn fail_next(&self, requests: usize) {
        self.failing.store(requests, Ordering::SeqCst);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.requests.lock().expect("nobody panics while holding it").clone()
    }

    /// How many connections brought a request.
    pub(crate) fn connections(&self) -> usize {
        let ports: BTreeSet<_> = self.seen().iter().map(|request| request.peer_port).collect();
        ports.len()
    }
}

/// Says all that it was sent, in the forms in which servers do.
async fn echo(request: Request) -> String {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a small body");
    let body = String::from_utf8_lossy(&body).into_owned();
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
        .collect();
    format!("{} {} {body} {:?}", parts.uri, headers.join("; "), body)
}

fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).expect("a status")
}

async fn fail(State(failing): State<Arc<AtomicUsize>>, request: Request, next: Next) -> Response {
    let one_less = |left: usize| left.checked_sub(1);
    match failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
        Ok(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(_) => next.run(request).await,
    }
}

async fn keep(
    State(requests): State<Requests>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a small body");
    let seen = Seen {
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        body: body.clone(),
        peer_port: peer.port(),
        headers: parts.headers.clone(),
    };
    requests.lock().expect("nobody panics while holding it").push(seen);
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// A socket that answers every request with the same bytes and then keeps the connection open.
pub(crate) struct RawTarget {
    port: u16,
    task: JoinHandle<u64>,
}

impl RawTarget {
    pub(crate) async fn start(answer: &'static [u8]) -> Self {
        Self::listen(answer, false).await
    }

    /// After the bytes come more, without end.
    pub(crate) async fn start_endless(answer: &'static [u8]) -> Self {
        Self::listen(answer, true).await
    }

    async fn listen(answer: &'static [u8], is_endless: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener").port();
        let task = tokio::spawn(async move {
            let mut kept = vec![];
            loop {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let mut request = [0; 4096];
                let _read = socket.read(&mut request).await.expect("a request");
                socket.write_all(answer).await.expect("an open connection");
                if is_endless {
                    return write_until_hung_up(socket).await;
                }
                kept.push(socket);
            }
        });
        Self { port, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// How many bytes an endless target got rid of before it was hung up on.
    pub(crate) async fn written(self) -> u64 {
        self.task.await.expect("the target ends when it is hung up on")
    }

    /// The URL of a port that nobody listens on any more.
    pub(crate) async fn close(self) -> String {
        let url = self.url();
        self.task.abort();
        let ended = self.task.await;
        assert!(ended.is_err(), "it was still listening");
        url
    }
}

async fn write_until_hung_up(mut socket: TcpStream) -> u64 {
    let mut written = 0;
    while let Ok(count) = socket.write(&[b'x'; 8192]).await {
        written += u64::try_from(count).expect("a small number");
    }
    written
}
