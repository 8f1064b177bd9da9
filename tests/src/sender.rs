//! Posts events at the edge the way the sender does. Knows nothing of what is behind the edge.

use anyhow::{Context as _, ensure};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tidegate_envelope::Receipt;

/// How long the sender waits for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// The pause before an event is sent again.
const PAUSE: Duration = Duration::from_millis(20);
/// After so many attempts the edge is taken for dead.
const ATTEMPTS_MAX: u32 = 1_000;

/// The sender. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client,
    url: String,
}

/// What an event that was taken cost.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The receipt it was acknowledged with.
    pub receipt: Receipt,
    /// Attempts in all, the successful one included.
    pub attempts: u32,
}

impl Sender {
    /// A sender that knows this URL.
    ///
    /// # Errors
    /// When the machine's TLS set-up is broken.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().timeout(ANSWER_MAX).build().context("build a client")?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// Posts JSON once.
    ///
    /// # Errors
    /// When the answer is not 202 with a receipt.
    pub async fn post(&self, event: &Value) -> anyhow::Result<Receipt> {
        self.send(Method::POST, "application/json", event.to_string()).await
    }

    /// Sends anything once.
    ///
    /// # Errors
    /// When the answer is not 202 with a receipt.
    pub async fn send(
        &self,
        method: Method,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> anyhow::Result<Receipt> {
        let request = self.client.request(method, &self.url).header("content-type", content_type).body(body);
        let response = request.send().await.context("send to the edge")?;
        let status = response.status();
        ensure!(status == StatusCode::ACCEPTED, "the edge answered {status}");
        let answer: Value = response.json().await.context("read the edge's answer")?;
        let receipt = answer.get("receipt").and_then(Value::as_str).context("the answer has a receipt")?;
        receipt.parse().context("read the receipt")
    }

    /// Posts an event again and again until it is taken, with more patience than the sender has.
    ///
    /// # Errors
    /// When it is not taken in a thousand attempts.
    pub async fn post_until_taken(&self, event: &Value) -> anyhow::Result<Taken> {
        let mut attempts = 1;
        loop {
            match self.post(event).await {
                Ok(receipt) => return Ok(Taken { receipt, attempts }),
                Err(error) if attempts >= ATTEMPTS_MAX => return Err(error.context("nobody takes the event")),
                Err(_) => attempts += 1,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// An update of an asset that is on loan; each number is another asset.
#[must_use]
pub fn loan(number: usize) -> Value {
    json!({
        "event_type": "asset.update",
        "id": number,
        "name": format!("Spare-{number}"),
        "loanee": { "id": 142, "name": "John Do" },
        "updated_at": format!("2022-11-11 05:{:02}:{:02}.302773", number / 60 % 60, number % 60),
    })
}
