//! Promises about pulling and leases.

use super::Verdict;
use super::client::Bench;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

pub(super) async fn default_batch(bench: &Bench) -> Result<Verdict> {
    let messages = vec![json!({ "body": "one of seven", "content_type": "text" }); 7];
    bench.post("/messages/batch", json!({ "messages": messages })).await?.result()?;
    let mut pulled = Vec::new();
    while pulled.is_empty() {
        let reply = bench.post("/messages/pull", json!({})).await?;
        pulled.clone_from(reply.result()?["messages"].as_array().context("a pull without messages")?);
    }
    ensure!(pulled.len() <= 5, "{} came", pulled.len());
    let rest = bench.pull_count(7 - pulled.len()).await?;
    bench.ack(&pulled).await?;
    bench.ack(&rest).await?;
    Ok(Verdict::Kept)
}

pub(super) async fn batch_too_large(bench: &Bench) -> Result<Verdict> {
    let reply = bench.post("/messages/pull", json!({ "batch_size": 101 })).await?;
    ensure!(!reply.is_success(), "it was accepted");
    Ok(Verdict::Went(format!("status {}, code {}", reply.status, reply.body["errors"][0]["code"])))
}

pub(super) async fn lease_too_long(bench: &Bench) -> Result<Verdict> {
    let body = json!({ "visibility_timeout_ms": 43_200_001 });
    let reply = bench.post("/messages/pull", body).await?;
    ensure!(!reply.is_success(), "it was accepted");
    Ok(Verdict::Went(format!("status {}, code {}", reply.status, reply.body["errors"][0]["code"])))
}

pub(super) async fn hidden(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let message = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    let again = bench.pull(&bench.queue, 100, 30_000).await?;
    bench.ack_in(&bench.queue, &message).await?;
    ensure!(!again.iter().any(|m| m["body"] == json!(tag)), "a second pull got it too");
    Ok(Verdict::Kept)
}

pub(super) async fn acknowledged(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let message = bench.pull_tagged(&bench.queue, &tag, 1_000).await?;
    let body = json!({ "acks": [{ "lease_id": message["lease_id"] }], "retries": [] });
    let reply = bench.post("/messages/ack", body).await?;
    let result = reply.result()?;
    // Cloudflare is known to leave the counts out.
    let count = &result["ackCount"];
    ensure!(count.is_null() || count.as_f64() == Some(1.0), "ackCount is {count}");
    bench.backlog_becomes(0).await?;
    Ok(Verdict::Kept)
}

pub(super) async fn first_attempt(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let message = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    bench.ack_in(&bench.queue, &message).await?;
    let attempts = attempts(&message)?;
    ensure!((0..=1).contains(&attempts), "attempts is {attempts}");
    Ok(Verdict::Went(format!("attempts starts at {attempts}")))
}

pub(super) async fn retried(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let first = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    let reply = retry(bench, &first, None).await?;
    ensure!(reply["retryCount"].is_null() || reply["retryCount"].as_f64() == Some(1.0), "{reply}");
    let second = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    bench.ack_in(&bench.queue, &second).await?;
    ensure!(first["id"] == second["id"], "the id changed");
    ensure!(first["lease_id"] != second["lease_id"], "the lease is the same");
    ensure!(attempts(&second)? == attempts(&first)? + 1, "attempts went to {}", second["attempts"]);
    Ok(Verdict::Kept)
}

pub(super) async fn retried_later(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let first = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    let start = Instant::now();
    retry(bench, &first, Some(2)).await?;
    let second = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    let waited = start.elapsed();
    bench.ack_in(&bench.queue, &second).await?;
    ensure!(waited >= Duration::from_millis(1_500), "it came after {} ms", waited.as_millis());
    Ok(Verdict::Kept)
}

pub(super) async fn expired(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let first = bench.pull_tagged(&bench.queue, &tag, 1_000).await?;
    let second = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    bench.ack_in(&bench.queue, &second).await?;
    ensure!(attempts(&second)? == attempts(&first)? + 1, "attempts went to {}", second["attempts"]);
    Ok(Verdict::Kept)
}

pub(super) async fn stale(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let first = bench.pull_tagged(&bench.queue, &tag, 1_000).await?;
    let second = bench.pull_tagged(&bench.queue, &tag, 2_000).await?;
    let body = json!({ "acks": [{ "lease_id": first["lease_id"] }], "retries": [] });
    let reply = bench.post("/messages/ack", body).await?;
    let warned = !reply.result()?["warnings"][first["lease_id"].as_str().unwrap_or("")].is_null();
    // The second lease runs out: if the message comes a third time, the older acknowledgement did nothing.
    let deadline = Instant::now() + Duration::from_secs(4);
    let mut third = None;
    while third.is_none() && Instant::now() < deadline {
        let pulled = bench.pull(&bench.queue, 10, 30_000).await?;
        third = pulled.into_iter().find(|message| message["body"] == json!(tag));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    if let Some(third) = &third {
        bench.ack_in(&bench.queue, third).await?;
    } else {
        let body = json!({ "acks": [{ "lease_id": second["lease_id"] }], "retries": [] });
        bench.post("/messages/ack", body).await?.result()?;
    }
    let which = if third.is_some() { "it changes nothing" } else { "it counts" };
    let how = if warned { "with a warning" } else { "without a warning" };
    Ok(Verdict::Went(format!("{which}, {how}")))
}

pub(super) async fn made_up(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let message = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    let body = json!({ "acks": [{ "lease_id": "bm9ib2R5IGdhdmUgdGhpcyBvdXQ" }], "retries": [] });
    let reply = bench.post("/messages/ack", body).await?;
    bench.backlog_becomes(1).await.context("the message went away")?;
    bench.ack_in(&bench.queue, &message).await?;
    let which = if reply.is_success() { "accepted" } else { "refused" };
    Ok(Verdict::Went(format!("{which} with status {}", reply.status)))
}

pub(super) async fn null(bench: &Bench) -> Result<Verdict> {
    let body = json!({ "acks": [{ "lease_id": null }], "retries": [] });
    bench.post("/messages/ack", body).await?.refused(&[10_207, 10_208])?;
    Ok(Verdict::Kept)
}

pub(super) async fn waiting(bench: &Bench) -> Result<Verdict> {
    let path = format!("/queues/{}/messages/pull", bench.queue);
    let start = Instant::now();
    let pull = bench.client.post_raw(&path, "{\"batch_size\": 1}", ("prefer", "wait=10"));
    // Nothing is ready for a second: an answer before that was not held.
    let (reply, tag) = tokio::join!(pull, bench.publish_tagged(Some(1)));
    let (reply, tag) = (reply?, tag?);
    let is_applied = reply.headers.contains_key("preference-applied");
    let messages = reply.result()?["messages"].as_array().context("a pull without messages")?;
    let Some(message) = messages.first() else {
        ensure!(!is_applied, "it said it would wait, and did not");
        let message = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
        bench.ack_in(&bench.queue, &message).await?;
        return Ok(Verdict::Went("answered at once".to_owned()));
    };
    bench.ack_in(&bench.queue, message).await?;
    ensure!(is_applied, "it waited and did not say so");
    ensure!(start.elapsed() >= Duration::from_millis(500), "the message came before its time");
    Ok(Verdict::Went("held until a message was ready".to_owned()))
}

async fn retry(bench: &Bench, message: &Value, delay_s: Option<u32>) -> Result<Value> {
    let mut entry = json!({ "lease_id": message["lease_id"] });
    if let Some(delay_s) = delay_s {
        entry["delay_seconds"] = json!(delay_s);
    }
    let reply = bench.post("/messages/ack", json!({ "acks": [], "retries": [entry] })).await?;
    Ok(reply.result()?.clone())
}

fn attempts(message: &Value) -> Result<i64> {
    message["attempts"].as_i64().with_context(|| format!("attempts is {}", message["attempts"]))
}
