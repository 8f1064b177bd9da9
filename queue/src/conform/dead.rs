//! Promises about messages that cannot be delivered.

use super::Verdict;
use super::client::{Bench, tag};
use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The consumer allows one retry: the message is delivered once or twice, and then it is in the other queue.
pub(super) async fn lettered(bench: &Bench) -> Result<Verdict> {
    let tag = tag();
    let body = json!({ "body": tag, "content_type": "text" });
    let path = format!("/queues/{}/messages", bench.mortal);
    bench.client.call(Method::POST, &path, Some(body)).await?.result()?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let (mut deliveries, mut first) = (0, Value::Null);
    loop {
        for message in bench.pull(&bench.mortal, 10, 30_000).await? {
            deliveries += 1;
            retry(bench, &message).await?;
            if first.is_null() {
                first = message;
            }
        }
        let dead = bench.pull(&bench.dead, 10, 30_000).await?;
        if let Some(dead) = dead.iter().find(|message| message["body"] == json!(tag)) {
            bench.ack_in(&bench.dead, dead).await?;
            ensure!((1..=2).contains(&deliveries), "it was delivered {deliveries} times");
            let is_kept = dead["id"] == first["id"] && dead["timestamp_ms"] == first["timestamp_ms"];
            let identity = if is_kept { "keeps" } else { "loses" };
            return Ok(Verdict::Went(format!(
                "max_retries 1 is {deliveries} deliveries; a dead letter {identity} its id and time"
            )));
        }
        ensure!(Instant::now() < deadline, "after {deliveries} deliveries it is in neither queue");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn retry(bench: &Bench, message: &Value) -> Result<()> {
    let body = json!({ "acks": [], "retries": [{ "lease_id": message["lease_id"] }] });
    let path = format!("/queues/{}/messages/ack", bench.mortal);
    bench.client.call(Method::POST, &path, Some(body)).await?.result()?;
    Ok(())
}
