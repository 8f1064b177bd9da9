//! Stands between a host and what it works with, and can be cut: then nothing goes through, and nobody is told.

use anyhow::Context as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Relay {
    pub(crate) port: u16,
    is_open: watch::Sender<bool>,
    passed: Arc<AtomicU64>,
}

impl Relay {
    /// To this server, and open.
    pub(crate) async fn start(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
        let port = listener.local_addr().context("learn the port")?.port();
        let (is_open, open) = watch::channel(true);
        let passed = Arc::default();
        let way = Way { open, passed: Arc::clone(&passed) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, server, way.clone()));
            }
        });
        Ok(Self { port, is_open, passed })
    }

    /// How often something came through, in whatever direction.
    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    pub(crate) fn cut(&self) {
        self.is_open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

/// What each connection goes by.
#[derive(Clone)]
struct Way {
    open: watch::Receiver<bool>,
    passed: Arc<AtomicU64>,
}

/// Ends when one of the two does.
async fn relay(client: TcpStream, server: SocketAddr, mut way: Way) {
    if way.open.wait_for(|open| *open).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = copy(from_client, to_server, way.clone()) => {}
        () = copy(from_server, to_client, way) => {}
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut way: Way) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut bytes).await;
        // Also that there is no more is not heard while it is cut.
        if way.open.wait_for(|open| *open).await.is_err() {
            return;
        }
        let Ok(count @ 1..) = read else { return };
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
        way.passed.fetch_add(1, Ordering::Relaxed);
    }
}
