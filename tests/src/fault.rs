//! A proxy that stands between the Worker and its queue and does what broken queues and networks do. Knows nothing
//! of what it passes on.

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

/// Bytes of the longest request passed on.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is passed on.
    None,
    /// Nobody listens: connections are refused, and those there were are closed.
    Down,
    /// It is passed on after so long.
    Slow(Duration),
    /// It gets no answer, and after so long its connection is closed. It is not passed on.
    Hang(Duration),
    /// It is answered as Cloudflare's queue answers when it is overloaded: 429 with code 10250, by which workerd
    /// throws in the Worker.
    Refuse,
}

/// How many requests met which fault. Those that found nobody listening are not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Passed on, the slow ones included.
    pub passed: u64,
    /// Kept waiting before they were passed on.
    pub slowed: u64,
    /// Left without an answer.
    pub hung: u64,
    /// Answered with 10250.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    slowed: AtomicU64,
    hung: AtomicU64,
    refused: AtomicU64,
    waiting: AtomicU64,
}

/// A request that waits, for as long as this lives.
struct Waits<'a>(&'a AtomicU64);

impl<'a> Waits<'a> {
    fn new(counter: &'a AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The fault that is on.
#[derive(Clone, Copy, Debug)]
struct Mode {
    fault: Fault,
    /// How often the fault was changed for requests that wait, too.
    changes_for_all: u64,
}

/// A running proxy. Dropping it closes its port.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    mode: watch::Sender<Mode>,
    listens: watch::Receiver<bool>,
    counts: Arc<Counts>,
    serving: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a port of the loopback that stays its own while it is down, and passes on to this address.
    ///
    /// # Errors
    /// When none is free.
    pub async fn start(port: u16, upstream: SocketAddr) -> anyhow::Result<Self> {
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let listener = TcpListener::bind(addr).await.context("listen")?;
        let (mode, modes) = watch::channel(Mode { fault: Fault::None, changes_for_all: 0 });
        let (listening, listens) = watch::channel(true);
        let counts = Arc::new(Counts::default());
        let client = reqwest::Client::builder().no_proxy().build().context("build a client")?;
        let relay = Relay { client, upstream, modes, counts: Arc::clone(&counts) };
        let serving = tokio::spawn(serve(addr, listener, relay, listening));
        Ok(Self { addr, mode, listens, counts, serving })
    }

    /// Where it listens, when it is not down.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes what becomes of new requests; those that wait go on waiting, unless it goes down. Returns once it is
    /// so. Cancel-safe.
    ///
    /// # Errors
    /// When its port was taken by another program while it was down.
    pub async fn set(&self, fault: Fault) -> anyhow::Result<()> {
        self.change(fault, 0).await
    }

    /// Changes what becomes of new requests and of those that wait. Otherwise as [`FaultProxy::set`].
    ///
    /// # Errors
    /// As [`FaultProxy::set`].
    pub async fn set_for_all(&self, fault: Fault) -> anyhow::Result<()> {
        self.change(fault, 1).await
    }

    async fn change(&self, fault: Fault, for_all: u64) -> anyhow::Result<()> {
        self.mode.send_modify(|mode| {
            *mode = Mode { fault, changes_for_all: mode.changes_for_all + for_all };
        });
        let mut listens = self.listens.clone();
        let listened = listens.wait_for(|listens| *listens == (fault != Fault::Down)).await;
        listened.map(drop).context("listen on the same port again")
    }

    /// How many requests are kept waiting now.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.counts.waiting.load(Ordering::Relaxed)
    }

    /// What its requests met so far.
    #[must_use]
    pub fn met(&self) -> Met {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Met {
            passed: count(&self.counts.passed),
            slowed: count(&self.counts.slowed),
            hung: count(&self.counts.hung),
            refused: count(&self.counts.refused),
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Listens whenever it is not to be down. Ends, which closes `listening`, when it cannot.
async fn serve(addr: SocketAddr, listener: TcpListener, relay: Relay, listening: watch::Sender<bool>) {
    let mut modes = relay.modes.clone();
    let mut listener = Some(listener);
    loop {
        let taken = match listener.take() {
            Some(listener) => Ok(listener),
            None => TcpListener::bind(addr).await,
        };
        let Ok(open) = taken else { return };
        listening.send_replace(true);
        let mut connections = JoinSet::new();
        let is_over = loop {
            tokio::select! {
                accepted = open.accept() => if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, relay.clone()));
                },
                Some(_) = connections.join_next() => {}
                down = modes.wait_for(|mode| mode.fault == Fault::Down) => break down.is_err(),
            }
        };
        drop((open, connections));
        listening.send_replace(false);
        if is_over || modes.wait_for(|mode| mode.fault != Fault::Down).await.is_err() {
            return;
        }
    }
}

async fn connection(stream: TcpStream, relay: Relay) {
    // One that cannot be set up so is only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let relay = relay.clone();
        async move { relay.answer(request).await }
    });
    // An error is how a connection is closed without an answer.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Passes requests on, or does what is on instead.
#[derive(Clone)]
struct Relay {
    client: reqwest::Client,
    upstream: SocketAddr,
    modes: watch::Receiver<Mode>,
    counts: Arc<Counts>,
}

impl Relay {
    async fn answer(&self, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
        let arrived = Instant::now();
        let mut modes = self.modes.clone();
        let mut mode = *modes.borrow_and_update();
        loop {
            let until = match mode.fault {
                Fault::None => return self.pass(request).await,
                Fault::Down => anyhow::bail!("down"),
                Fault::Refuse => return self.refuse(),
                Fault::Slow(wait) | Fault::Hang(wait) => arrived + wait,
            };
            let counter =
                if matches!(mode.fault, Fault::Slow(_)) { &self.counts.slowed } else { &self.counts.hung };
            counter.fetch_add(1, Ordering::Relaxed);
            let _waits = Waits::new(&self.counts.waiting);
            let changes_before = mode.changes_for_all;
            let changed = async {
                let changed = modes.wait_for(|mode| mode.changes_for_all > changes_before).await;
                changed.map(|mode| *mode)
            };
            mode = match (timeout_at(until, changed).await, mode.fault) {
                (Ok(changed), _) => changed.context("the proxy ends")?,
                (Err(_), Fault::Slow(_)) => return self.pass(request).await,
                (Err(_), _) => anyhow::bail!("hung long enough"),
            };
        }
    }

    /// Passes a request on; without an answer there is none here either.
    async fn pass(&self, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("read a request: {error}"))?.to_bytes();
        let url = format!("http://{}{}", self.upstream, head.uri.path());
        let mut onward = self.client.request(head.method, url).body(body);
        for (name, value) in &head.headers {
            // The client says these itself.
            if !["host", "content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
                onward = onward.header(name, value);
            }
        }
        let answer = onward.send().await.context("pass a request on")?;
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
                response = response.header(name, value);
            }
        }
        let body = answer.bytes().await.context("read an answer")?;
        self.counts.passed.fetch_add(1, Ordering::Relaxed);
        response.body(Full::new(body)).context("answer")
    }

    fn refuse(&self) -> anyhow::Result<Response<Full<Bytes>>> {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        let response = Response::builder()
            .status(StatusCode::TOO_MANY_REQUESTS)
            .header("CF-Queues-Error-Code", "10250")
            .header("CF-Queues-Error-Cause", "Queue is overloaded. Please back off.");
        response.body(Full::new(Bytes::new())).context("answer")
    }
}
