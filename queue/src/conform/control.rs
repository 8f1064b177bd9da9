//! Promises about queues, consumers, and looking at what waits.

use super::Verdict;
use super::client::{Bench, Reply};
use super::consumer_body;
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Polls until the queue shows a message, without taking it.
async fn peek_one(bench: &Bench, tag: &str) -> Result<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = bench.post("/messages/peek", json!({ "batch_size": 10 })).await?;
        let messages = reply.result()?["messages"].as_array().context("a peek without messages")?;
        if let Some(found) = messages.iter().find(|message| message["body"] == json!(tag)) {
            return Ok(found.clone());
        }
        ensure!(Instant::now() < deadline, "the message was not shown");
        sleep(Duration::from_millis(100)).await;
    }
}

pub(super) async fn peek(bench: &Bench) -> Result<Verdict> {
    let tag = bench.publish_tagged(None).await?;
    let shown = peek_one(bench, &tag).await?;
    ensure!(shown["lease_id"].is_null(), "it came with a lease");
    ensure!(shown["ref"].is_string(), "it came without a ref");
    let message = bench.pull_tagged(&bench.queue, &tag, 30_000).await?;
    bench.ack_in(&bench.queue, &message).await?;
    Ok(Verdict::Kept)
}

pub(super) async fn purge_by_ref(bench: &Bench) -> Result<Verdict> {
    let goes = bench.publish_tagged(None).await?;
    let stays = bench.publish_tagged(None).await?;
    let shown = peek_one(bench, &goes).await?;
    let refs = json!({ "refs": [{ "ref": shown["ref"] }] });
    bench.post("/messages/purge", refs).await?.result()?;
    let message = bench.pull_tagged(&bench.queue, &stays, 30_000).await?;
    bench.ack_in(&bench.queue, &message).await?;
    bench.backlog_becomes(0).await.context("the purged message is still there")?;
    Ok(Verdict::Kept)
}

pub(super) async fn metrics(bench: &Bench) -> Result<Verdict> {
    let messages = vec![json!({ "body": "counted", "content_type": "text" }); 3];
    bench.post("/messages/batch", json!({ "messages": messages })).await?.result()?;
    bench.backlog_becomes(3).await?;
    let pulled = bench.pull_count(3).await?;
    bench.ack(&pulled).await?;
    bench.backlog_becomes(0).await?;
    Ok(Verdict::Kept)
}

pub(super) async fn purge(bench: &Bench) -> Result<Verdict> {
    bench.publish_tagged(None).await?;
    bench.publish_tagged(Some(600)).await?;
    let refused = bench.post("/purge", json!({ "delete_messages_permanently": false })).await?;
    ensure!(!refused.is_success(), "it purged without being told to");
    bench.post("/purge", json!({ "delete_messages_permanently": true })).await?.result()?;
    bench.call(Method::GET, "/purge", None).await?.result()?;
    bench.backlog_becomes(0).await?;
    Ok(Verdict::Kept)
}

pub(super) async fn paused(bench: &Bench) -> Result<Verdict> {
    set_paused(bench, true).await?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let refused = loop {
        let reply = bench.post("/messages/pull", json!({})).await?;
        if reply.status == 409 || Instant::now() >= deadline {
            break reply;
        }
        sleep(Duration::from_millis(200)).await;
    };
    set_paused(bench, false).await?;
    ensure!(refused.status == 409, "a pull answers {}", refused.status);
    let text = refused.body.to_string();
    ensure!(text.contains("queue_delivery_paused"), "the error does not say so: {text}");
    let tag = bench.publish_tagged(None).await?;
    let message = pull_when_open(bench, &tag).await?;
    bench.ack_in(&bench.queue, &message).await?;
    Ok(Verdict::Kept)
}

/// The end of a pause takes its time on Cloudflare too.
async fn pull_when_open(bench: &Bench, tag: &str) -> Result<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match bench.pull_tagged(&bench.queue, tag, 30_000).await {
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => sleep(Duration::from_millis(200)).await,
            Ok(message) => return Ok(message),
        }
    }
}

async fn set_paused(bench: &Bench, paused: bool) -> Result<()> {
    let body = json!({ "settings": { "delivery_paused": paused } });
    bench.call(Method::PATCH, "", Some(body)).await?.result()?;
    Ok(())
}

pub(super) async fn found(bench: &Bench) -> Result<Verdict> {
    let listed = bench.client.call(Method::GET, &format!("/queues?page=1&name={}", bench.name), None).await?;
    let queues = listed.result()?.as_array().context("a list that is none")?;
    ensure!(queues.len() == 1, "{} queues have the name", queues.len());
    let read = bench.call(Method::GET, "", None).await?;
    let queue = read.result()?;
    for queue in queues.iter().chain([queue]) {
        ensure!(queue["queue_id"] == json!(bench.queue), "queue_id is {}", queue["queue_id"]);
        ensure!(queue["queue_name"] == json!(bench.name), "queue_name is {}", queue["queue_name"]);
    }
    ensure!(queue["consumers"][0]["type"] == json!("http_pull"), "consumers are {}", queue["consumers"]);
    ensure!(queue["settings"]["message_retention_period"].is_number(), "settings are {}", queue["settings"]);
    Ok(Verdict::Kept)
}

pub(super) async fn bad_settings(bench: &Bench) -> Result<Verdict> {
    for settings in [json!({ "message_retention_period": 59 }), json!({ "delivery_delay": 86_401 })] {
        let reply = bench.call(Method::PATCH, "", Some(json!({ "settings": settings }))).await?;
        reply.refused(&[100_128]).with_context(|| settings.to_string())?;
    }
    Ok(Verdict::Kept)
}

pub(super) async fn consumer(bench: &Bench) -> Result<Verdict> {
    let second = bench.post("/consumers", consumer_body(5, None)).await?;
    ensure!(!second.is_success(), "a second consumer was made");
    let listed = bench.call(Method::GET, "/consumers", None).await?;
    let consumers = listed.result()?.as_array().context("a list that is none")?;
    ensure!(consumers.len() == 1, "there are {} consumers", consumers.len());
    let id = consumers[0]["consumer_id"].as_str().context("a consumer without id")?;
    let path = format!("/consumers/{id}");
    let mut body = consumer_body(99, None);
    body["settings"]["batch_size"] = json!(7);
    bench.call(Method::PUT, &path, Some(body)).await?.result()?;
    let read = bench.call(Method::GET, &path, None).await?;
    let settings = &read.result()?["settings"];
    ensure!(settings["max_retries"].as_f64() == Some(99.0), "settings are {settings}");
    let bad = bench.call(Method::PUT, &path, Some(consumer_body(101, None))).await?;
    bad.refused(&[100_127])?;
    bench.call(Method::PUT, &path, Some(consumer_body(100, None))).await?.result()?;
    Ok(Verdict::Went(format!("a second consumer gets status {}, code {}", second.status, code(&second))))
}

pub(super) async fn wrong_token(bench: &Bench) -> Result<Verdict> {
    let path = format!("/queues/{}/messages/pull", bench.queue);
    let reply = bench.client.call_as("not-the-token", Method::POST, &path, Some(json!({}))).await?;
    ensure!([401, 403].contains(&reply.status), "status {}", reply.status);
    ensure!(reply.body["success"] == json!(false), "no envelope: {}", reply.body);
    Ok(Verdict::Went(format!("status {}, code {}", reply.status, code(&reply))))
}

pub(super) async fn unknown_queue(bench: &Bench) -> Result<Verdict> {
    let path = "/queues/00000000000000000000000000000000/messages/pull";
    let reply = bench.client.call(Method::POST, path, Some(json!({}))).await?;
    reply.refused(&[10_104])?;
    Ok(Verdict::Went(format!("status {}", reply.status)))
}

pub(super) async fn malformed_queue(bench: &Bench) -> Result<Verdict> {
    let reply = bench.client.call(Method::POST, "/queues/nonsense/messages/pull", Some(json!({}))).await?;
    reply.refused(&[10_107, 7003])?;
    Ok(Verdict::Went(format!("status {}, code {}", reply.status, code(&reply))))
}

pub(super) async fn unknown_route(bench: &Bench) -> Result<Verdict> {
    let reply = bench.post("/messages/juggle", json!({})).await?;
    reply.refused(&[7000, 7003])?;
    Ok(Verdict::Went(format!("status {}, code {}", reply.status, code(&reply))))
}

pub(super) async fn deleted(bench: &Bench) -> Result<Verdict> {
    let name = format!("{}-gone", bench.name);
    let queue = bench.make_queue(&name).await?;
    let again = bench.client.call(Method::POST, "/queues", Some(json!({ "queue_name": name }))).await?;
    let path = format!("/queues/{queue}");
    let deleted = bench.client.call(Method::DELETE, &path, None).await?;
    ensure!(deleted.is_success(), "status {}: {}", deleted.status, deleted.body);
    let gone = bench.client.call(Method::GET, &path, None).await?;
    ensure!(gone.status == 404 || gone.status == 400, "status {}", gone.status);
    ensure!(!again.is_success(), "a second queue got the same name");
    Ok(Verdict::Went(format!("a name taken gets status {}, code {}", again.status, code(&again))))
}

fn code(reply: &Reply) -> String {
    reply.body["errors"][0]["code"].to_string()
}
