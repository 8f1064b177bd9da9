//! Posts single events at the edge: the sender of `tidegate sender`, one request at a time. Knows nothing of what is
//! behind the edge.

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tidegate_envelope::Receipt;
use tidegate_sender::policy::{Answer, Rules};
use tidegate_sender::post::Poster;
use tokio::time::timeout;

/// The pause before an event is sent again.
const PAUSE: Duration = Duration::from_millis(20);
/// After so many attempts the edge is taken for dead.
const ATTEMPTS_MAX: u32 = 1_000;

/// The sender. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    poster: Poster,
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
    /// When it is no URL, or the machine's TLS set-up is broken.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Self { poster: Poster::new(url)? })
    }

    /// Posts JSON once.
    ///
    /// # Errors
    /// When the answer is not 202 with a receipt.
    pub async fn post(&self, event: &Value) -> anyhow::Result<Receipt> {
        self.send(Method::POST, "application/json", event.to_string()).await
    }

    /// Sends anything once, and waits for the answer as long as the sender does.
    ///
    /// # Errors
    /// When the answer is not 202 with a receipt.
    pub async fn send(
        &self,
        method: Method,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> anyhow::Result<Receipt> {
        let answer = timeout(Rules::EVENTS_API.answer_max, self.poster.send(method, content_type, body));
        match answer.await.context("the edge does not answer in time")? {
            Answer::Status { status: 202, receipt } => {
                receipt.context("the answer has a receipt")?.parse().context("read the receipt")
            }
            Answer::Broken(how) => bail!("send to the edge: {how}"),
            other => bail!("the edge answered {}", other.label()),
        }
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
