//! A small HTTP receiver: the target of the demo's effects.

use anyhow::{Context as _, anyhow};
use std::sync::mpsc;
use std::time::Duration;

/// Requests that may wait to be looked at; then senders wait too.
const NOTICES_MAX: usize = 1_000;

/// What arrived.
pub(crate) struct Arrived {
    /// Method and path.
    pub(crate) request: String,
    /// The `Idempotency-Key` header.
    pub(crate) key: String,
    /// The body.
    pub(crate) body: String,
}

/// Listens on a free port of this machine and answers 200 to everything.
pub(crate) struct Receiver {
    /// Its base URL.
    pub(crate) url: String,
    arrived: mpsc::Receiver<Arrived>,
}

impl Receiver {
    /// Starts listening.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let server =
            tiny_http::Server::http("127.0.0.1:0").map_err(|error| anyhow!("start the receiver: {error}"))?;
        let address = server.server_addr().to_ip().context("the receiver has an IP address")?;
        let (sender, arrived) = mpsc::sync_channel(NOTICES_MAX);
        std::thread::spawn(move || {
            for mut request in server.incoming_requests() {
                let mut body = String::new();
                let read = std::io::Read::read_to_string(request.as_reader(), &mut body);
                let key = request.headers().iter().find(|header| header.field.equiv("Idempotency-Key"));
                let key = key.map_or_else(String::new, |header| header.value.to_string());
                let what = format!("{} {}", request.method(), request.url());
                // The sender has gone when the demo ends; then nobody looks.
                let _ = request.respond(tiny_http::Response::empty(200));
                if read.is_err() || sender.send(Arrived { request: what, key, body }).is_err() {
                    return;
                }
            }
        });
        Ok(Self { url: format!("http://{address}"), arrived })
    }

    /// Waits for the next request.
    ///
    /// # Errors
    /// When none comes in time.
    pub(crate) fn next(&self, timeout: Duration) -> anyhow::Result<Arrived> {
        self.arrived.recv_timeout(timeout).with_context(|| format!("no request arrived within {timeout:?}"))
    }

    /// The next request, however long it takes; `None` when the receiver has stopped.
    pub(crate) fn wait(&self) -> Option<Arrived> {
        self.arrived.recv().ok()
    }
}
