//! A client of the contract that expects nothing but JSON, and the queues of one run.

use super::{Target, consumer_body};
use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a case waits for what is promised but at no certain moment.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);

/// Sends requests.
pub(super) struct Client {
    http: reqwest::Client,
    account_url: String,
    token: String,
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Reply {
    /// The result of a good answer.
    pub(super) fn result(&self) -> Result<&Value> {
        ensure!(self.is_success(), "status {}: {}", self.status, self.body);
        Ok(&self.body["result"])
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && self.body["success"] == json!(true)
    }

    /// Checks that the answer is a refusal with one of these codes.
    pub(super) fn refused(&self, codes: &[u64]) -> Result<()> {
        ensure!(!self.is_success(), "it was accepted: {}", self.body);
        ensure!(self.status >= 400 && self.status < 500, "status {}: {}", self.status, self.body);
        ensure!(self.body["success"] == json!(false), "no envelope: {}", self.body);
        let code = self.body["errors"][0]["code"].as_u64();
        ensure!(
            code.is_some_and(|code| codes.contains(&code)),
            "status {}, code {code:?} instead of {codes:?}: {}",
            self.status,
            self.body
        );
        Ok(())
    }
}

impl Client {
    pub(super) fn new(target: &Target) -> Result<Self> {
        let base = target.base_url.trim_end_matches('/');
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(REQUEST_TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            account_url: format!("{base}/accounts/{}", target.account_id),
            token: target.token.clone(),
        })
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Reply> {
        self.call_as(&self.token, method, path, body).await
    }

    pub(super) async fn call_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Reply> {
        let url = format!("{}{path}", self.account_url);
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        finish(request, path).await
    }

    pub(super) async fn post_raw(
        &self,
        path: &str,
        body: &'static str,
        header: (&str, &str),
    ) -> Result<Reply> {
        let request = self
            .http
            .post(format!("{}{path}", self.account_url))
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .header(header.0, header.1)
            .body(body);
        finish(request, path).await
    }
}

async fn finish(request: reqwest::RequestBuilder, path: &str) -> Result<Reply> {
    let response = request.send().await.with_context(|| format!("request {path}"))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Reply { status, headers, body })
}

/// The queues of one run: one for most cases, one whose messages die, and one that takes the dead.
pub(super) struct Bench {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) queue: String,
    pub(super) mortal: String,
    pub(super) dead: String,
}

impl Bench {
    pub(super) async fn set_up(client: Client) -> Result<Self> {
        let name = format!("conform-{:08x}", fastrand::u32(..));
        let mut bench =
            Self { client, queue: String::new(), mortal: String::new(), dead: String::new(), name };
        let made = bench.make_queues().await;
        if made.is_err() {
            // What was made is not left behind.
            drop(bench.tear_down().await);
        }
        made.map(|()| bench)
    }

    async fn make_queues(&mut self) -> Result<()> {
        let dead_name = format!("{}-dead", self.name);
        self.queue = self.make_queue(&self.name).await?;
        self.mortal = self.make_queue(&format!("{}-mortal", self.name)).await?;
        self.dead = self.make_queue(&dead_name).await?;
        self.add_consumer(&self.queue, consumer_body(100, None)).await?;
        self.add_consumer(&self.mortal, consumer_body(1, Some(&dead_name))).await?;
        self.add_consumer(&self.dead, consumer_body(100, None)).await
    }

    pub(super) async fn make_queue(&self, name: &str) -> Result<String> {
        let body = json!({ "queue_name": name });
        let reply = self.client.call(Method::POST, "/queues", Some(body)).await?;
        let id = reply.result()?["queue_id"].as_str().context("a queue without queue_id")?;
        Ok(id.to_owned())
    }

    async fn add_consumer(&self, queue: &str, body: Value) -> Result<()> {
        let path = format!("/queues/{queue}/consumers");
        self.client.call(Method::POST, &path, Some(body)).await?.result()?;
        Ok(())
    }

    /// Deletes the queues. A queue that feeds another goes first.
    pub(super) async fn tear_down(&self) -> Result<()> {
        for queue in [&self.queue, &self.mortal, &self.dead] {
            if !queue.is_empty() {
                let reply = self.client.call(Method::DELETE, &format!("/queues/{queue}"), None).await?;
                ensure!(reply.is_success(), "status {}: {}", reply.status, reply.body);
            }
        }
        Ok(())
    }

    /// Throws away what is in the main queue, as well as that goes, and ends a pause.
    pub(super) async fn empty(&self) {
        let resume = json!({ "settings": { "delivery_paused": false } });
        drop(self.call(Method::PATCH, "", Some(resume)).await);
        drop(self.post("/purge", json!({ "delete_messages_permanently": true })).await);
    }

    /// A call on the main queue.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Reply> {
        self.client.call(method, &format!("/queues/{}{path}", self.queue), body).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Reply> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Publishes one text message on the main queue; gives back its body, which no other message has.
    pub(super) async fn publish_tagged(&self, delay_s: Option<u32>) -> Result<String> {
        let tag = tag();
        let mut body = json!({ "body": tag, "content_type": "text" });
        if let Some(delay_s) = delay_s {
            body["delay_seconds"] = json!(delay_s);
        }
        self.post("/messages", body).await?.result()?;
        Ok(tag)
    }

    pub(super) async fn pull(&self, queue: &str, count: u32, visibility_ms: u64) -> Result<Vec<Value>> {
        let path = format!("/queues/{queue}/messages/pull");
        let body = json!({ "batch_size": count, "visibility_timeout_ms": visibility_ms });
        let reply = self.client.call(Method::POST, &path, Some(body)).await?;
        let messages = reply.result()?["messages"].as_array().context("a pull without messages")?;
        Ok(messages.clone())
    }

    /// Polls a queue until it gives the message with this body.
    pub(super) async fn pull_tagged(&self, queue: &str, tag: &str, visibility_ms: u64) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for message in self.pull(queue, 10, visibility_ms).await? {
                if message["body"] == json!(tag) {
                    return Ok(message);
                }
                self.ack_in(queue, &message).await?;
            }
            if Instant::now() >= deadline {
                bail!("the message did not come within {} s", PATIENCE.as_secs());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Polls the main queue until it gave so many messages.
    pub(super) async fn pull_count(&self, count: usize) -> Result<Vec<Value>> {
        let deadline = Instant::now() + PATIENCE;
        let mut messages = Vec::new();
        while messages.len() < count {
            ensure!(Instant::now() < deadline, "only {} of {count} messages came", messages.len());
            messages.extend(self.pull(&self.queue, 100, 30_000).await?);
            if messages.len() < count {
                sleep(POLL_INTERVAL).await;
            }
        }
        Ok(messages)
    }

    pub(super) async fn ack_in(&self, queue: &str, message: &Value) -> Result<()> {
        let body = json!({ "acks": [{ "lease_id": message["lease_id"] }], "retries": [] });
        let path = format!("/queues/{queue}/messages/ack");
        self.client.call(Method::POST, &path, Some(body)).await?.result()?;
        Ok(())
    }

    pub(super) async fn ack(&self, messages: &[Value]) -> Result<()> {
        for part in messages.chunks(100) {
            let leases: Vec<_> = part.iter().map(|m| json!({ "lease_id": m["lease_id"] })).collect();
            self.post("/messages/ack", json!({ "acks": leases, "retries": [] })).await?.result()?;
        }
        Ok(())
    }

    /// Polls the main queue's metrics until the backlog is this.
    pub(super) async fn backlog_becomes(&self, count: u64) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.call(Method::GET, "/metrics", None).await?;
            let found = reply.result()?["backlog_count"].as_f64();
            // Counts are JSON numbers that may be written with a fraction.
            if found.is_some_and(|found| format!("{found:.0}") == count.to_string()) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the backlog is {found:?}, not {count}");
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// A body no other message has.
pub(super) fn tag() -> String {
    format!("conform {:016x}", fastrand::u64(..))
}
