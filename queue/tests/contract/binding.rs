//! The door for Workers: workerd's binding protocol.

use crate::bench::{Running, client, options, serve};
use anyhow::Result;
use serde_json::{Value, json};
use tidegate_queue::{Behavior, ContentType, Producer};

struct Answer {
    status: u16,
    code: Option<String>,
    cause: Option<String>,
    body: String,
}

async fn call(running: &Running, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer> {
    let url = format!("{}{path}", running.binding_url);
    let http = client()?;
    let mut request = if path == "/metrics" { http.get(url) } else { http.post(url).body(body) };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await?;
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    Ok(Answer {
        status: response.status().as_u16(),
        code: header("CF-Queues-Error-Code"),
        cause: header("CF-Queues-Error-Cause"),
        body: response.text().await?,
    })
}

#[tokio::test]
async fn a_message_of_every_format_arrives_as_it_was_sent() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let formats = [
        ("text", ContentType::Text),
        ("json", ContentType::Json),
        ("bytes", ContentType::Bytes),
        ("v8", ContentType::V8),
    ];
    for (format, content_type) in formats {
        let body = vec![0, 159, 146, 150];
        let answer = call(&running, "/message", &[("X-Msg-Fmt", format)], body.clone()).await?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let metrics = &serde_json::from_str::<Value>(&answer.body)?["metadata"]["metrics"];
        assert_eq!((&metrics["backlogCount"], &metrics["backlogBytes"]), (&json!(1), &json!(4)));
        assert!(metrics["oldestMessageTimestamp"].as_u64() > Some(1_600_000_000_000));
        let message = running.queues.pull(&running.queue, 1, 60_000).await?.messages.remove(0);
        assert_eq!((message.content_type, message.producer), (content_type, Producer::Worker));
        assert_eq!(message.body, body);
        running.queues.ack(&running.queue, vec![message.lease], Vec::new()).await?;
    }
    running.stop().await
}

#[tokio::test]
async fn a_batch_arrives_whole_with_its_delays() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let body = json!({ "messages": [
        { "body": "eyJhIjoxfQ==", "contentType": "json", "delaySecs": 0 },
        { "body": "bGF0ZXI=", "contentType": "text" },
    ]});
    let headers = [("X-Msg-Delay-Secs", "600"), ("CF-Queue-Batch-Count", "2")];
    let answer = call(&running, "/batch", &headers, body.to_string().into_bytes()).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let pulled = running.queues.pull(&running.queue, 10, 60_000).await?;
    assert_eq!(pulled.messages.len(), 1, "the other one is delayed by the batch's delay");
    assert_eq!(pulled.messages[0].body, r#"{"a":1}"#);
    assert_eq!(pulled.metrics.backlog_count, 2);
    running.stop().await
}

#[tokio::test]
async fn the_injected_header_chooses_the_queue() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let other = running.queues.ensure_queue("other").await?;
    let headers = [("X-Msg-Fmt", "text"), ("X-Queue", "other")];
    assert_eq!(call(&running, "/message", &headers, b"x".to_vec()).await?.status, 200);
    assert_eq!(running.queues.metrics(&other).await?.backlog_count, 1);
    let metrics = call(&running, "/metrics", &[("X-Queue", "other")], Vec::new()).await?;
    assert_eq!(serde_json::from_str::<Value>(&metrics.body)?["backlogCount"], 1);
    let metrics = call(&running, "/metrics", &[], Vec::new()).await?;
    assert_eq!(serde_json::from_str::<Value>(&metrics.body)?["backlogCount"], 0);
    running.stop().await
}

/// Path, headers and body of a request, and the status and code it is refused with.
type Refused<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);

#[tokio::test]
async fn a_refusal_names_its_code_and_cause_in_headers() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let big = vec![b'x'; 127_901];
    let many = json!({ "messages": vec![json!({ "body": "eA==", "contentType": "text" }); 101] });
    let heavy =
        json!({ "messages": vec![json!({ "body": "eHh4".repeat(25_000), "contentType": "text" }); 4] });
    let cases: [Refused<'_>; 6] = [
        ("/message", &[("X-Msg-Fmt", "text")], big, 413, "10204"),
        ("/message", &[("X-Msg-Fmt", "smoke")], b"x".to_vec(), 400, "10203"),
        ("/message", &[("X-Msg-Delay-Secs", "86401")], b"x".to_vec(), 400, "10203"),
        ("/message", &[("X-Queue", "nowhere")], b"x".to_vec(), 404, "10104"),
        ("/batch", &[], many.to_string().into_bytes(), 400, "10206"),
        ("/batch", &[], heavy.to_string().into_bytes(), 413, "10205"),
    ];
    for (path, headers, body, status, code) in cases {
        let answer = call(&running, path, headers, body).await?;
        assert_eq!((answer.status, answer.code.as_deref()), (status, Some(code)), "{headers:?}");
        assert!(answer.cause.is_some_and(|cause| !cause.is_empty()));
    }
    assert_eq!(running.queues.metrics(&running.queue).await?.backlog_count, 0);
    running.stop().await
}

#[tokio::test]
async fn the_largest_message_is_taken() -> Result<()> {
    let running = serve(options(Behavior::default())).await?;
    let answer = call(&running, "/message", &[("X-Msg-Fmt", "text")], vec![b'x'; 127_900]).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    running.stop().await
}
