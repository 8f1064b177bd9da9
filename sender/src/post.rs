//! One HTTP request as the sender makes it. Knows nothing of retries and of how long an answer may take.

use crate::policy::Answer;
use anyhow::Context as _;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Response, Url, redirect};
use serde::Deserialize;

/// Bytes of an answer that are looked at for a receipt. The rest is read to its end all the same: only then has the
/// answer arrived.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Makes requests to one URL. Follows no redirect and asks no proxy. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Poster {
    client: Client,
    url: Url,
}

/// The one field of an answer that is of interest.
#[derive(Deserialize)]
struct Body {
    receipt: String,
}

impl Poster {
    /// For this URL.
    ///
    /// # Errors
    /// When it is no HTTP URL, or the machine's TLS set-up is broken.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let url: Url =
            url.parse().with_context(|| format!("`{url}` is not a URL: write http:// or https://"))?;
        anyhow::ensure!(
            matches!(url.scheme(), "http" | "https"),
            "`{url}` does not start with http:// or https://"
        );
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .user_agent(concat!("tidegate-sender/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("build an HTTP client")?;
        Ok(Self { client, url })
    }

    /// Posts an event as JSON. Cancel-safe: a dropped call hangs up.
    pub async fn post(&self, body: Vec<u8>) -> Answer {
        self.send(Method::POST, "application/json", body).await
    }

    /// Sends anything. Cancel-safe: a dropped call hangs up.
    pub async fn send(&self, method: Method, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request =
            self.client.request(method, self.url.clone()).header(CONTENT_TYPE, content_type).body(body);
        let answer = async { read(request.send().await?).await };
        answer.await.unwrap_or_else(|error: reqwest::Error| Answer::Broken(chain(&error)))
    }
}

/// Reads an answer to its end.
async fn read(mut response: Response) -> reqwest::Result<Answer> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() <= ANSWER_BYTES_MAX {
            body.extend_from_slice(&chunk);
        }
    }
    let receipt = serde_json::from_slice(&body).ok().map(|body: Body| body.receipt.into());
    Ok(Answer::Status { status, receipt })
}

/// An error and its causes on one line, without the URL: its path may be a secret.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    if causes.is_empty() { "the request failed".to_owned() } else { causes.join(": ") }
}
