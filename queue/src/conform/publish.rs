//! Promises about publishing.

use super::Verdict;
use super::client::{Bench, tag};
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

pub(super) async fn text(bench: &Bench) -> Result<Verdict> {
    let body = format!("{} \u{1f30a} \"quoted\"\n\\ \t end", tag());
    let message = json!({ "body": body, "content_type": "text" });
    bench.post("/messages", message).await?.result()?;
    let message = bench.pull_tagged(&bench.queue, &body, 30_000).await?;
    bench.ack_in(&bench.queue, &message).await?;
    let id = message["id"].as_str().context("a message without id")?;
    ensure!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "id is `{id}`");
    ensure!(message["metadata"]["CF-Content-Type"] == json!("text"), "metadata is {}", message["metadata"]);
    ensure!(message["timestamp_ms"].as_f64().is_some_and(|at| at > 1.6e12), "timestamp is off");
    Ok(Verdict::Kept)
}

pub(super) async fn json(bench: &Bench) -> Result<Verdict> {
    let value = json!({ "tag": tag(), "list": [1, 2.5, null, true], "text": "\u{e9}" });
    bench.post("/messages", json!({ "body": value })).await?.result()?;
    let messages = bench.pull_count(1).await?;
    bench.ack(&messages).await?;
    let message = messages.first().context("no message")?;
    ensure!(message["metadata"]["CF-Content-Type"] == json!("json"), "metadata is {}", message["metadata"]);
    let body = message["body"].as_str().context("a body that is no string")?;
    if serde_json::from_str::<Value>(body).is_ok_and(|found| found == value) {
        return Ok(Verdict::Went("a JSON body comes as plain JSON".to_owned()));
    }
    let decoded = BASE64_STANDARD.decode(body).context("a body that is neither JSON nor base64")?;
    ensure!(serde_json::from_slice::<Value>(&decoded)? == value, "the body changed");
    Ok(Verdict::Went("a JSON body comes as base64".to_owned()))
}

pub(super) async fn batch(bench: &Bench) -> Result<Verdict> {
    let mut sent: Vec<String> = (0..20).map(|_| tag()).collect();
    let messages: Vec<_> = sent.iter().map(|b| json!({ "body": b, "content_type": "text" })).collect();
    bench.post("/messages/batch", json!({ "messages": messages })).await?.result()?;
    let pulled = bench.pull_count(sent.len()).await?;
    bench.ack(&pulled).await?;
    let mut found: Vec<_> = pulled.iter().filter_map(|m| m["body"].as_str()).map(str::to_owned).collect();
    found.sort_unstable();
    // At least once: the same message may come twice.
    found.dedup();
    sent.sort_unstable();
    ensure!(found == sent, "{} of {} came back", found.len(), sent.len());
    Ok(Verdict::Kept)
}

pub(super) async fn message_too_large(bench: &Bench) -> Result<Verdict> {
    let body = json!({ "body": "x".repeat(128_001), "content_type": "text" });
    let reply = bench.post("/messages", body).await?;
    reply.refused(&[10_204])?;
    Ok(Verdict::Went(format!("status {}", reply.status)))
}

pub(super) async fn batch_too_large(bench: &Bench) -> Result<Verdict> {
    let message = json!({ "body": "x".repeat(100_000), "content_type": "text" });
    let reply = bench.post("/messages/batch", json!({ "messages": [message, message, message] })).await?;
    reply.refused(&[10_205])?;
    Ok(Verdict::Went(format!("status {}", reply.status)))
}

pub(super) async fn batch_too_long(bench: &Bench) -> Result<Verdict> {
    let messages = vec![json!({ "body": "x", "content_type": "text" }); 101];
    let reply = bench.post("/messages/batch", json!({ "messages": messages })).await?;
    reply.refused(&[10_206])?;
    Ok(Verdict::Kept)
}

pub(super) async fn delay_too_long(bench: &Bench) -> Result<Verdict> {
    let message = json!({ "body": "x", "content_type": "text", "delay_seconds": 86_401 });
    bench.post("/messages", message).await?.refused(&[10_203])?;
    let batch = json!({ "messages": [{ "body": "x", "content_type": "text" }], "delay_seconds": 86_401 });
    bench.post("/messages/batch", batch).await?.refused(&[10_202, 10_203])?;
    Ok(Verdict::Kept)
}

pub(super) async fn unknown_content_type(bench: &Bench) -> Result<Verdict> {
    let message = json!({ "body": "x", "content_type": "carrier-pigeon" });
    bench.post("/messages", message).await?.refused(&[10_203, 10_207])?;
    Ok(Verdict::Kept)
}

pub(super) async fn malformed(bench: &Bench) -> Result<Verdict> {
    let path = format!("/queues/{}/messages", bench.queue);
    let reply = bench.client.post_raw(&path, "{\"body\": ", ("accept", "application/json")).await?;
    reply.refused(&[10_207, 10_208])?;
    Ok(Verdict::Kept)
}

pub(super) async fn delayed(bench: &Bench) -> Result<Verdict> {
    let start = Instant::now();
    let tag = bench.publish_tagged(Some(2)).await?;
    let message = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    let waited = start.elapsed();
    bench.ack_in(&bench.queue, &message).await?;
    // Half a second is left for clocks that differ.
    ensure!(waited >= Duration::from_millis(1_500), "it came after {} ms", waited.as_millis());
    Ok(Verdict::Kept)
}
