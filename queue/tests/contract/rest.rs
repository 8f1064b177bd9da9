//! The REST door, by the conformance suite and by what the suite cannot see.

use crate::bench::{client, options, serve};
use anyhow::Result;
use tidegate_queue::conform::{self, Target};
use tidegate_queue::{
    Behavior, DeadLetterIdentity, FirstAttempt, JsonBody, LateAck, NewMessage, Oversize, PullWithoutConsumer,
    RetryCount,
};

async fn check(behavior: Behavior, expected: &[(&str, &str)]) -> Result<()> {
    let running = serve(options(behavior)).await?;
    let target = Target {
        base_url: running.base_url.clone(),
        account_id: "account".to_owned(),
        token: "token".to_owned(),
    };
    let report = conform::run(&target, |case| println!("{case}")).await?;
    assert_eq!(report.failures(), 0, "{report}");
    for (name, which) in expected {
        assert_eq!(report.observed(name), Some(*which), "{name}");
    }
    let left = running.queues.list().await?;
    assert_eq!(left.len(), 1, "the suite leaves nothing behind but the queue that was there: {left:?}");
    running.stop().await
}

#[tokio::test]
async fn the_default_behavior_conforms() -> Result<()> {
    let expected = [
        ("published JSON comes back as the same JSON", "a JSON body comes as base64"),
        ("the first delivery's attempts", "attempts starts at 1"),
        ("an acknowledgement under an older lease", "it changes nothing, with a warning"),
        ("a message over 128 KB is refused", "status 400"),
        ("a pull that would rather wait", "held until a message was ready"),
        (
            "a message without retries left is dead-lettered",
            "max_retries 1 is 2 deliveries; a dead letter keeps its id and time",
        ),
    ];
    check(Behavior::default(), &expected).await
}

#[tokio::test]
async fn the_opposite_behavior_conforms() -> Result<()> {
    let behavior = Behavior {
        json_body: JsonBody::Plain,
        late_ack: LateAck::Accepted,
        first_attempt: FirstAttempt::Zero,
        retry_count: RetryCount::Deliveries,
        dead_letter_identity: DeadLetterIdentity::New,
        oversize: Oversize::PayloadTooLarge,
        pull_without_consumer: PullWithoutConsumer::Allowed,
        ack_entries_max: 1_000,
    };
    let expected = [
        ("published JSON comes back as the same JSON", "a JSON body comes as plain JSON"),
        ("the first delivery's attempts", "attempts starts at 0"),
        ("an acknowledgement under an older lease", "it counts, with a warning"),
        ("a message over 128 KB is refused", "status 413"),
        (
            "a message without retries left is dead-lettered",
            "max_retries 1 is 1 deliveries; a dead letter loses its id and time",
        ),
    ];
    check(behavior, &expected).await
}

async fn post(url: String, body: &'static str, prefer: Option<&str>) -> Result<(u16, serde_json::Value)> {
    let mut request = client()?.post(url).bearer_auth("token").body(body);
    if let Some(prefer) = prefer {
        request = request.header("prefer", prefer);
    }
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

#[tokio::test]
async fn a_pull_without_a_consumer_is_refused_and_pulls_nothing() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let queue = running.queues.create("unclaimed", Default::default()).await?.id;
    running.queues.send(&queue, vec![NewMessage::text("x")]).await?;
    let (status, body) = post(running.url(&queue, "/messages/pull"), "{}", None).await?;
    assert_eq!((status, &body["errors"][0]["code"]), (405, &10_105.into()));
    assert_eq!(running.queues.pull(&queue, 10, 1_000).await?.messages.len(), 1);
    running.stop().await
}

#[tokio::test]
async fn a_json_body_comes_back_byte_for_byte() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let queue = running.queue;
    let body =
        r#"{"body": {"z":1,"a":9007199254740993, "pi":3.14159265358979323846}, "content_type":"json"}"#;
    let (status, _) = post(running.url(&queue, "/messages"), body, None).await?;
    assert_eq!(status, 200);
    let pulled = running.queues.pull(&queue, 1, 1_000).await?;
    assert_eq!(pulled.messages[0].body, r#"{"z":1,"a":9007199254740993, "pi":3.14159265358979323846}"#);
    running.stop().await
}

#[tokio::test]
async fn too_many_acknowledgements_in_one_request_are_refused() -> Result<()> {
    let behavior = Behavior { ack_entries_max: 1, ..Behavior::default() };
    let running = serve(options(behavior)).await?;
    let body = r#"{"acks": [{"lease_id": "a"}, {"lease_id": "b"}]}"#;
    let (status, body) = post(running.url(&running.queue, "/messages/ack"), body, None).await?;
    assert_eq!((status, &body["errors"][0]["code"]), (400, &10_206.into()));
    running.stop().await
}

#[tokio::test]
async fn the_alias_of_the_visibility_timeout_is_taken() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let queue = running.queue;
    running.queues.send(&queue, vec![NewMessage::text("x")]).await?;
    let url = running.url(&queue, "/messages/pull");
    let (_, first) = post(url.clone(), r#"{"visibility_timeout": 1}"#, None).await?;
    assert_eq!(first["result"]["messages"][0]["attempts"], 1);
    let (_, second) = post(url, "{}", Some("respond-async, wait=20")).await?;
    assert_eq!(second["result"]["messages"][0]["attempts"], 2);
    running.stop().await
}

#[tokio::test]
async fn a_held_pull_is_let_go_when_the_server_stops() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let url = running.url(&running.queue, "/messages/pull");
    let held = tokio::spawn(post(url, "{}", Some("wait=30")));
    let queues = running.queues.clone();
    // The pull is on its way once the server stops taking new connections; either way it is answered or refused
    // at once, never after 30 s.
    let start = std::time::Instant::now();
    running.stop().await?;
    drop(held.await?);
    assert!(start.elapsed().as_secs() < 10, "the pull was held for {:?}", start.elapsed());
    drop(queues);
    Ok(())
}

#[tokio::test]
async fn a_request_larger_than_any_batch_is_refused_in_the_envelope() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let big: &'static str =
        Box::leak("x".repeat(tidegate_queue::limit::REQUEST_BYTES_MAX + 1).into_boxed_str());
    let (status, body) = post(running.url(&running.queue, "/messages"), big, None).await?;
    assert_eq!((status, &body["success"]), (413, &false.into()));
    running.stop().await
}
