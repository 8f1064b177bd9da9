//! The target of a plugin's effects: an HTTP server that keeps what it is sent. Knows nothing of who sends it.

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The longest that a notice may be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(30);

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The path of its URL.
    pub path: String,
    /// Its `Idempotency-Key`; empty when it has none.
    pub key: String,
    /// All of its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// What it was answered with.
    pub status: u16,
}

/// What came so far, and a bell that rings when more does.
type Notices = Arc<watch::Sender<Vec<Notice>>>;

/// A running receiver. Dropping it closes its port.
#[derive(Debug)]
pub struct Receiver {
    addr: SocketAddr,
    notices: Notices,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Listens on a free port of the loopback. Answers 200, except under `/answers/`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_slow(Duration::ZERO).await
    }

    /// As [`Receiver::start`], but it takes its time between noting a request and answering it.
    ///
    /// # Errors
    /// As [`Receiver::start`].
    pub async fn start_slow(pause: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
        let addr = listener.local_addr().context("learn the port")?;
        let notices = Arc::new(watch::Sender::new(Vec::new()));
        let router = Router::new().fallback(take).with_state((Arc::clone(&notices), pause));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a bound listener serves until it is dropped");
        });
        Ok(Self { addr, notices, serving })
    }

    /// A URL on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// A URL whose first request under each key gets the first of these answers, and so on; the last is repeated.
    #[must_use]
    pub fn url_that_answers(&self, statuses: &[u16]) -> String {
        let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
        self.url(&format!("/answers/{}", statuses.join("-")))
    }

    /// What came so far, in order.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.borrow().clone()
    }

    /// Waits until what came is enough, and gives it.
    ///
    /// # Errors
    /// When it takes too long; the error says what was waited for and what had come.
    pub async fn until(&self, what: &str, enough: impl Fn(&[Notice]) -> bool) -> anyhow::Result<Vec<Notice>> {
        let mut notices = self.notices.subscribe();
        let waited = tokio::time::timeout(ON_ITS_WAY, notices.wait_for(|notices| enough(notices))).await;
        match waited {
            Ok(notices) => Ok(notices.context("the receiver stopped")?.clone()),
            Err(_) => anyhow::bail!("{what} did not arrive; what did: {:#?}", self.notices()),
        }
    }

    /// Waits until this event's notice was answered with this status, and gives all of its notices.
    ///
    /// # Errors
    /// As [`Receiver::until`].
    pub async fn until_answered(&self, receipt: &str, status: u16) -> anyhow::Result<Vec<Notice>> {
        let is_its = |notice: &&Notice| notice.key.starts_with(receipt);
        let notices = self
            .until(&format!("the notice of {receipt}"), |notices| {
                notices.iter().filter(is_its).any(|notice| notice.status == status)
            })
            .await?;
        Ok(notices.iter().filter(is_its).cloned().collect())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State((notices, pause)): State<(Notices, Duration)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let key =
        headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let path = uri.path().to_owned();
    let mut answer = StatusCode::OK;
    notices.send_modify(|notices| {
        let before = notices.iter().rev().filter(|notice| notice.key == key && notice.path == path);
        if let Some(statuses) = path.strip_prefix("/answers/") {
            answer = nth_answer(statuses, before.count());
        }
        notices.push(Notice { path, key, headers, body, status: answer.as_u16() });
    });
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    answer
}

/// The nth of `500-500-200`, or the last.
fn nth_answer(statuses: &str, nth: usize) -> StatusCode {
    let chosen = statuses.split('-').nth(nth).or_else(|| statuses.split('-').next_back());
    let status =
        chosen.and_then(|text| text.parse().ok()).and_then(|number| StatusCode::from_u16(number).ok());
    status.expect("a test names statuses")
}
