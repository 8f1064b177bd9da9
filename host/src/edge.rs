//! The host's side of the edge: what it says of its sources, and the bodies in its vault. Knows nothing of events.

use anyhow::{Context as _, ensure};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, redirect};
use std::time::Duration;
use tidegate_envelope::{Receipt, SourceName};
use tidegate_source::status::Status;
use url::Url;

/// How long an answer of the edge may take to begin, and a body to come over.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const BODY_MAX: Duration = Duration::from_secs(60);
/// Bytes of the longest status that is read.
const STATUS_BYTES_MAX: usize = 4 << 20;

/// The Worker, as the host speaks to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EdgeClient {
    client: Client,
    base: Url,
    authorization: HeaderValue,
}

impl EdgeClient {
    /// A client of the Worker at this URL; `token` is its secret `HOST_TOKEN`.
    ///
    /// # Errors
    /// When the URL is none that can be asked, or the token cannot stand in a header. It is never shown.
    pub fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let mut base = crate::config::secure_url(url).context("read edge.url")?;
        ensure!(base.query().is_none(), "edge.url is the Worker's URL without a query");
        base.set_path(&format!("{}/", base.path().trim_end_matches('/')));
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .ok()
            .filter(|_| !token.trim().is_empty())
            .context("TIDEGATE_EDGE_TOKEN is empty or has a character that no token has")?;
        authorization.set_sensitive(true);
        let builder = Client::builder().redirect(redirect::Policy::none()).connect_timeout(ANSWER_MAX);
        // A proxy is for what is far away.
        let builder = if base.scheme() == "http" { builder.no_proxy() } else { builder };
        let client = builder.build().context("make a client of the edge")?;
        Ok(Self { client, base, authorization })
    }

    /// The Worker's URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.base
    }

    /// How its sources fare. Cancel-safe.
    ///
    /// # Errors
    /// When it cannot be reached, refuses the token, or answers what this version cannot read.
    pub async fn status(&self) -> anyhow::Result<Status> {
        let response = self.ask(Method::GET, "status", ANSWER_MAX).await?;
        let response = refused(response).await?;
        let bytes = read(response, STATUS_BYTES_MAX).await?;
        let status: Status = serde_json::from_slice(&bytes).context("read the edge's status")?;
        ensure!(
            status.v == 1,
            "the edge's status has version {}, this host knows 1: update the host",
            status.v
        );
        Ok(status)
    }

    /// A body from the vault; `None` when it is not there (any more). Cancel-safe.
    ///
    /// # Errors
    /// When the edge cannot be reached, refuses the token, or gives more than `bytes_max`.
    pub async fn body(
        &self,
        source: &SourceName,
        receipt: Receipt,
        bytes_max: usize,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let response = self.ask(Method::GET, &format!("vault/{source}/{receipt}"), BODY_MAX).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read(refused(response).await?, bytes_max).await.map(Some)
    }

    /// Has the vault forget a body. Cancel-safe; may be repeated.
    ///
    /// # Errors
    /// When the edge cannot be reached or refuses. The vault forgets by itself after 15 days.
    pub async fn drop_body(&self, source: &SourceName, receipt: Receipt) -> anyhow::Result<()> {
        let response = self.ask(Method::DELETE, &format!("vault/{source}/{receipt}"), ANSWER_MAX).await?;
        refused(response).await.map(|_| ())
    }

    async fn ask(&self, method: Method, path: &str, within: Duration) -> anyhow::Result<Response> {
        let url = self.base.join(path).context("make a URL of the edge")?;
        let request = self.client.request(method, url).header(AUTHORIZATION, &self.authorization);
        request.timeout(within).send().await.with_context(|| format!("ask the edge for {path}"))
    }
}

/// The response, if it is a 2xx; else an error that says what to do.
async fn refused(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let hint = match status {
        StatusCode::UNAUTHORIZED => ": is TIDEGATE_EDGE_TOKEN the Worker's secret HOST_TOKEN?",
        StatusCode::NOT_FOUND => ": is edge.url the Worker's own URL, and is that Worker up to date?",
        _ => "",
    };
    let words = read(response, 1_000).await.unwrap_or_default();
    anyhow::bail!("the edge answered {status} ({}){hint}", String::from_utf8_lossy(&words).trim())
}

/// All bytes of a response, which must be no more than so many.
async fn read(mut response: Response, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.context("read the edge's answer")? {
        ensure!(bytes.len() + chunk.len() <= bytes_max, "the edge's answer is longer than {bytes_max} bytes");
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
