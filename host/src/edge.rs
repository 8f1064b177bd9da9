//! Speaks to the edge: how its sources are. Knows nothing of what is concluded from it.

use anyhow::{Context as _, bail};
use reqwest::{Client, Url, redirect};
use std::time::Duration;
use tidegate_source::status::Status;

/// The longest that one question may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of the longest answer that is read: some ten thousand sources.
const STATUS_BYTES_MAX: usize = 4 << 20;

/// A client of the edge's own routes. Cheap to clone.
#[derive(Clone)]
pub struct EdgeClient {
    http: Client,
    url: Url,
    token: String,
}

impl EdgeClient {
    /// A client of the edge at this URL, which knows this token as `HOST_TOKEN`.
    ///
    /// # Errors
    /// When the URL is none, or would send the token in the clear.
    pub fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let url = crate::config::secure_url(url).context("edge.url")?;
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(DEADLINE)
            .build()
            .context("build the client of the edge")?;
        Ok(Self { http, url, token: token.to_owned() })
    }

    /// How the edge's sources are. Cancel-safe.
    ///
    /// # Errors
    /// When the edge cannot be reached or refuses: says so in a sentence for people, without the token.
    pub async fn status(&self) -> anyhow::Result<Status> {
        let request = self.http.get(self.route("status")).bearer_auth(&self.token);
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        if !status.is_success() {
            bail!("it answered {status}");
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            body.extend_from_slice(&chunk);
            anyhow::ensure!(
                body.len() <= STATUS_BYTES_MAX,
                "its answer is longer than {STATUS_BYTES_MAX} bytes"
            );
        }
        let answer: Status = serde_json::from_slice(&body).context("its answer is no status")?;
        anyhow::ensure!(answer.v == 1, "its answer is of version {}, this Tidegate knows 1", answer.v);
        Ok(answer)
    }

    /// A route under the edge's URL, whether or not that ends in a slash.
    fn route(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(name);
        }
        url
    }
}
