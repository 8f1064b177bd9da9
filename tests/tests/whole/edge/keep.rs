//! Any bytes on a live URL, within an envelope's limit.

use super::stage::{Chunked, Stage};
use tidegate_envelope::limit::BODY_INLINE_BYTES_MAX;
use tidegate_tests::edge::{SOURCE, TOKEN, TOKEN_BEFORE, live_path};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

#[tokio::test]
async fn every_method_and_every_body_within_the_limit_is_on_the_queue_before_the_202() {
    let stage = Stage::set().await;
    let bodies: [&[u8]; 6] = [
        b"",
        b"{\"id\":9007199254740993,  \"name\":\"\xc3\xbc\\u00fc\"}\r\n",
        b"\xff\xfe\x00\x80 not UTF-8",
        &vec![0xff; BODY_INLINE_BYTES_MAX],
        &vec![b'x'; BODY_INLINE_BYTES_MAX],
        &vec![0x01; BODY_INLINE_BYTES_MAX],
    ];
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for body in bodies {
            let (status, answer) = stage.send(method, &live_path(), body.to_vec()).await;
            assert_eq!(status, 202, "{method} of {} bytes: {answer}", body.len());
            let envelope = stage.envelope();
            assert_eq!(envelope.body.inline(), Some(body), "{method}");
            assert_eq!(envelope.method, method);
            assert_eq!(envelope.source.as_str(), SOURCE);
            assert_eq!(answer, format!(r#"{{"receipt":"{}"}}"#, envelope.receipt));
        }
    }
    // Probes of a person with a browser, and of a sender that checks the URL first.
    for method in ["GET", "HEAD"] {
        let (status, answer) = stage.send(method, &live_path(), Vec::new()).await;
        assert_eq!(status, 202, "{method}: {answer}");
        let envelope = stage.envelope();
        assert_eq!((envelope.method.as_str(), envelope.body.inline().map(<[u8]>::len)), (method, Some(0)));
        assert_eq!(answer.is_empty(), method == "HEAD");
    }
}

#[tokio::test]
async fn odd_requests_are_events_like_any_other() {
    let stage = Stage::set().await;
    let deep = "[".repeat(50_000);
    for (method, headers, body) in [
        ("GET", "Content-Length: 4\r\n", "body"),
        ("HEAD", "Content-Length: 4\r\n", "body"),
        ("TRACE", "", ""),
        ("PROPFIND", "Content-Type: \u{e4}/;=\r\n", "x"),
        ("POST", "Content-Type:\r\nUser-Agent:\r\nTraceparent: a:b:c\r\n", "{}"),
        ("POST", "Content-Encoding: gzip\r\n", "not gzip"),
        ("POST", "Expect: 100-continue\r\n", "x"),
        ("POST", "Content-Type: application/json\r\n", &deep),
    ] {
        let length = if headers.contains("Content-Length") {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!("{method} {} HTTP/1.1\r\nHost: x\r\n{headers}{length}\r\n{body}", live_path());
        let mut sender = Chunked::raw(&stage.edge, &head).await;
        let status = match sender.status().await {
            // What `Expect` asks for; the answer itself follows it.
            100 => sender.next_status().await,
            status => status,
        };
        assert_eq!(status, 202, "{method} {headers}");
        let envelope = stage.envelope();
        assert_eq!(envelope.method, method);
        assert_eq!(envelope.body.inline(), Some(body.as_bytes()), "{method} {headers}");
    }
}

#[tokio::test]
async fn a_chunked_body_arrives_byte_for_byte() {
    let stage = Stage::set().await;
    let body: Vec<u8> = (0..BODY_INLINE_BYTES_MAX).map(|i| u8::try_from(i % 251).expect("a byte")).collect();
    for (length, chunk) in
        [(0, 1), (1, 1), (5_000, 7), (BODY_INLINE_BYTES_MAX, 1_000), (BODY_INLINE_BYTES_MAX, 64_000)]
    {
        let body = &body[..length];
        let mut sender = Chunked::open(&stage.edge, &live_path()).await;
        for chunk in body.chunks(chunk) {
            sender.chunk(chunk).await.expect("the edge reads a body within the limit");
        }
        sender.end().await.expect("the edge reads to the end");
        assert_eq!(sender.status().await, 202, "{length} bytes");
        assert_eq!(stage.envelope().body.inline(), Some(body), "{length} bytes in chunks of {chunk}");
    }
}

#[tokio::test]
async fn the_envelope_has_the_headers_worth_keeping_and_no_other() {
    let stage = Stage::set().await;
    let response = stage
        .client
        .post(stage.edge.live_url())
        .header("Content-Type", "application/json; charset=utf-8")
        .header("User-Agent", "AssetSonar \u{fc}")
        .header("Traceparent", "trace")
        .header("Cookie", "session=secret")
        .header("Authorization", "Bearer secret")
        .send()
        .await
        .expect("the edge answers");
    assert_eq!(response.status(), 202);
    let envelope = stage.envelope();
    assert_eq!(envelope.content_type.as_deref(), Some("application/json; charset=utf-8"));
    let kept: Vec<_> = envelope.headers.iter().map(|header| header.0.as_str()).collect();
    assert_eq!(kept, ["user-agent", "traceparent"]);
}

#[tokio::test]
async fn receipts_differ_and_carry_the_time() {
    let stage = Stage::set().await;
    let now_ms = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        u64::try_from(since.as_millis()).expect("before the year 500 million")
    };
    let before_ms = now_ms();
    let mut receipts = std::collections::BTreeSet::new();
    // More than one pool of random bytes.
    for _ in 0..250 {
        assert_eq!(stage.send("POST", &live_path(), b"{}".to_vec()).await.0, 202);
        let envelope = stage.envelope();
        assert!((before_ms..=now_ms()).contains(&envelope.received_at_ms), "{}", envelope.received_at_ms);
        assert!(receipts.insert(envelope.receipt.to_string()[10..].to_owned()), "the same random part twice");
    }
}

#[tokio::test]
async fn a_sender_that_hangs_up_in_the_middle_leaves_nothing() {
    let stage = Stage::set().await;
    let mut stream = TcpStream::connect(stage.edge.workerd.addr()).await.expect("connect");
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf", live_path());
    stream.write_all(head.as_bytes()).await.expect("send half");
    drop(stream);
    assert_eq!(stage.send("POST", &live_path(), b"{}".to_vec()).await.0, 202);
    assert_eq!(stage.envelope().body.inline(), Some(&b"{}"[..]));
}

#[tokio::test]
async fn only_a_live_url_is_answered_with_a_2xx() {
    let stage = Stage::set().await;
    for path in [
        "/".to_owned(),
        "/in/".to_owned(),
        format!("/in/{SOURCE}"),
        format!("/in/{SOURCE}/"),
        format!("/in/{SOURCE}/{TOKEN}/"),
        format!("/in/{SOURCE}/{TOKEN}x"),
        format!("/in/{SOURCE}/{}", &TOKEN[1..]),
        format!("/in/{SOURCE}/{}", &TOKEN[..TOKEN.len() - 1]),
        format!("/in//{SOURCE}/{TOKEN}"),
        format!("/in/nobody/{TOKEN}"),
        format!("/in/%61mj/{TOKEN}"),
        format!("/in/{SOURCE}/{}", "x".repeat(8_000)),
    ] {
        for (method, body) in
            [("POST", vec![b'x'; 10]), ("GET", Vec::new()), ("POST", vec![0; BODY_INLINE_BYTES_MAX + 1])]
        {
            let (status, answer) = stage.send(method, &path, body).await;
            assert_eq!(
                (status, answer.as_str()),
                (404, r#"{"error":"no source has this URL"}"#),
                "{method} {path:.60}"
            );
        }
    }
    assert_eq!(stage.queue.take().len(), 0);
    for token in [TOKEN, TOKEN_BEFORE] {
        assert_eq!(stage.send("POST", &format!("/in/{SOURCE}/{token}?any=query"), Vec::new()).await.0, 202);
    }
}
