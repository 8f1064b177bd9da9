//! The contract of a queue, held by both adapters, and what the REST adapter makes of servers that differ.

#[path = "queue/bench.rs"]
mod bench;
#[path = "queue/server.rs"]
mod server;

use bench::{ACCOUNT, Bench, TOKEN, rest_config, text, texts};
use server::{Answer, Scripted};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tidegate::queue::rest::{RestQueue, Token};
use tidegate::queue::{DeliveryBody, PollHint, Queue, QueueError};
use tidegate_queue::{ContentType, NewMessage, QueueSettings};
use tokio::time::timeout;

/// A lease no test outlives.
const LONG_MS: u64 = 60_000;

#[tokio::test]
async fn an_acknowledged_delivery_is_gone() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        bench.send(&["a", "b", "c"]).await;
        let deliveries = bench.pull(3).await;
        assert_eq!(texts(&deliveries), ["a", "b", "c"]);
        assert!(deliveries.iter().all(|delivery| delivery.attempts == 1 && delivery.queued_at_ms > 0));
        assert_eq!(bench.held().await, 3);
        bench.ack(deliveries).await;
        assert_eq!(bench.held().await, 0);
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn a_pull_that_waits_gets_what_is_sent_meanwhile() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        let waiting = bench.pull(1);
        let sending = async {
            // The other half of the join runs up to its first wait before this one starts.
            bench.send(&["late"]).await;
        };
        let (deliveries, ()) = tokio::join!(waiting, sending);
        assert_eq!(text(&deliveries[0]), "late");
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn a_retried_delivery_comes_again_and_counts() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        bench.send(&["again"]).await;
        for attempt in 1..=3 {
            let mut deliveries = bench.pull(1).await;
            let delivery = deliveries.pop().expect("one delivery");
            assert_eq!((text(&delivery), delivery.attempts), ("again", attempt));
            bench.retry(vec![delivery.lease], Duration::ZERO).await;
        }
        assert_eq!(bench.held().await, 1);
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn a_delayed_retry_comes_when_it_is_due() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        bench.send(&["later"]).await;
        let leases = bench.pull(1).await.into_iter().map(|delivery| delivery.lease).collect();
        let started = Instant::now();
        bench.retry(leases, Duration::from_millis(10)).await;
        let deliveries = bench.pull(1).await;
        // Part of a second is a second; the queue keeps whole milliseconds.
        assert!(started.elapsed() >= Duration::from_millis(990), "{:?}", started.elapsed());
        assert_eq!(deliveries[0].attempts, 2);
    }
    let (embedded, rest) = (Bench::embedded(LONG_MS).await, Bench::rest(LONG_MS).await);
    tokio::join!(check(embedded), check(rest));
}

#[tokio::test]
async fn no_two_pulls_hold_the_same_delivery() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        let sent: Vec<String> = (0..120).map(|number| format!("m{number:03}")).collect();
        let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
        bench.send(&sent).await;
        let (one, two, three) = tokio::join!(bench.pull(40), bench.pull(40), bench.pull(40));
        let held: Vec<_> = one.iter().chain(&two).chain(&three).map(text).collect();
        let distinct: BTreeSet<_> = held.iter().copied().collect();
        assert_eq!((held.len(), distinct.len()), (120, 120));
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn a_lease_that_ran_out_is_delivered_again_and_its_old_holder_disturbs_nobody() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        bench.send(&["slow"]).await;
        let late = bench.pull(1).await;
        let again = bench.pull(1).await;
        assert_eq!((text(&again[0]), again[0].attempts), ("slow", 2));
        bench.ack(late).await;
        assert_eq!(
            bench.held().await,
            1,
            "a late acknowledgement takes nothing from the one who holds it now"
        );
        bench.ack(again).await;
        assert_eq!(bench.held().await, 0);
    }
    let (embedded, rest) = (Bench::embedded(700).await, Bench::rest(700).await);
    tokio::join!(check(embedded), check(rest));
}

#[tokio::test]
async fn a_pull_takes_no_more_than_it_is_allowed_and_says_what_is_left() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        bench.send(&["1", "2", "3", "4", "5"]).await;
        let none = bench.queue.pull(0).await.expect("nothing is asked for");
        assert!(none.deliveries.is_empty());
        let pulled = bench.queue.pull(2).await.expect("the queue delivers");
        assert_eq!((pulled.deliveries.len(), pulled.backlog, pulled.again), (2, Some(5), PollHint::Now));
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn any_text_comes_out_as_it_went_in() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        let largest = "\u{1}".repeat(127_900);
        let wide = "🌊".repeat(31_975);
        let sent = [
            "",
            " ",
            "Grüße 🌊 \u{202e}abc",
            "\u{0}\r\n\t\"\\/",
            "eyJhIjoxfQ==",
            "{\"a\":1}",
            "null",
            &largest,
            &wide,
        ];
        bench.send(&sent).await;
        let deliveries = bench.pull(sent.len()).await;
        let mut expected = sent.to_vec();
        expected.sort_unstable();
        assert!(texts(&deliveries) == expected, "a text was changed on its way");
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn more_deliveries_than_one_request_carries_are_settled() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        bench.send(&["x"; 250]).await;
        let mut settled = vec![];
        for (position, delivery) in bench.pull(250).await.into_iter().enumerate() {
            let lease = delivery.lease;
            settled.push(if position % 5 == 0 { lease.retry(Duration::ZERO) } else { lease.ack() });
        }
        bench.queue.settle(settled).await.expect("the queue takes it");
        assert_eq!(bench.held().await, 50);
        let again = bench.pull(50).await;
        assert!(again.iter().all(|delivery| delivery.attempts == 2));
        bench.queue.settle(vec![]).await.expect("nothing to settle is no error");
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn a_body_that_is_no_text_is_delivered_with_the_reason_and_can_be_settled() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        let message =
            |content_type, body: &'static [u8]| NewMessage { content_type, ..NewMessage::text(body) };
        for (content_type, body, expected) in [
            (ContentType::Json, &b"{\"a\":1}"[..], Some("{\"a\":1}")),
            (ContentType::Json, b"1234", Some("1234")),
            (ContentType::Bytes, "Grüße".as_bytes(), Some("Grüße")),
            (ContentType::Bytes, b"\xff\x00", None),
            (ContentType::V8, b"\xff\x0f", None),
        ] {
            let sent = vec![message(content_type, body)];
            bench.queues.send(&bench.id, sent).await.expect("the queue takes it");
            let deliveries = bench.pull(1).await;
            match (&deliveries[0].body, expected) {
                (DeliveryBody::Text(text), Some(expected)) => assert_eq!(text, expected),
                (DeliveryBody::Undecodable { reason, raw }, None) => {
                    assert!(!reason.is_empty() && !raw.is_empty(), "{content_type:?}");
                }
                (body, _) => panic!("{content_type:?}: {body:?}"),
            }
            bench.ack(deliveries).await;
        }
        assert_eq!(bench.held().await, 0);
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn a_paused_queue_may_be_resumed_and_a_deleted_one_stays_away() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        bench.send(&["kept"]).await;
        let leases: Vec<_> = bench.pull(1).await.into_iter().map(|delivery| delivery.lease).collect();
        let set = |paused| QueueSettings { paused, ..QueueSettings::default() };
        bench.queues.update(&bench.id, None, set(true)).await.expect("the queue is paused");
        match bench.queue.pull(1).await.expect_err("the queue is paused") {
            QueueError::Transient { after: Some(_), cause } => {
                assert!(format!("{cause:#}").contains("queue_delivery_paused"), "{cause:#}");
            }
            other => panic!("{other:?}"),
        }
        bench.retry(leases, Duration::ZERO).await;
        bench.queues.update(&bench.id, None, set(false)).await.expect("the queue is resumed");
        let deliveries = bench.pull(1).await;
        bench.queues.delete(&bench.id).await.expect("the queue is deleted");
        let pulling = bench.queue.pull(1).await;
        assert!(matches!(pulling, Err(QueueError::Permanent { .. })), "{pulling:?}");
        let settled = deliveries.into_iter().map(|delivery| delivery.lease.ack()).collect();
        let settling = bench.queue.settle(settled).await;
        assert!(matches!(settling, Err(QueueError::Permanent { .. })), "{settling:?}");
    }
    check(Bench::embedded(LONG_MS).await).await;
    check(Bench::rest(LONG_MS).await).await;
}

#[tokio::test]
async fn an_abandoned_pull_costs_a_lease_and_loses_nothing() {
    async fn check<Q: Queue>(bench: Bench<Q>) {
        for _ in 0..20 {
            // Dropped at its first wait, the request may be on its way or not.
            assert!(timeout(Duration::ZERO, bench.queue.pull(1)).await.is_err());
        }
        bench.send(&["kept"]).await;
        let deliveries = bench.pull(1).await;
        assert_eq!(text(&deliveries[0]), "kept");
    }
    let (embedded, rest) = (Bench::embedded(500).await, Bench::rest(500).await);
    tokio::join!(check(embedded), check(rest));
}

fn rest(server: &Scripted) -> RestQueue {
    let id = "b".repeat(32);
    RestQueue::new(rest_config(&server.base_url, &id, LONG_MS)).expect("a good configuration")
}

/// Cloudflare's answer as its documentation shows it, but for the lease, which is shortened.
const DOCUMENTED: Answer = (
    200,
    &[],
    r#"{"success":true,"errors":[],"messages":[],"result":{"message_backlog_count":10,"messages":[
    {"body":"aGVsbG8=","id":"1ad27d24c83de78953da635dc2ea208f","timestamp_ms":1689615013586,"attempts":2,
     "metadata":{"CF-sourceMessageSource":"dash","CF-Content-Type":"bytes"},"lease_id":"eyJhbGciOiJkaXIi..x"}]}}"#,
);

#[tokio::test]
async fn cloudflare_is_asked_as_documented() {
    let server = Scripted::start(DOCUMENTED).await;
    let queue = rest(&server);
    let pulled = queue.pull(7).await.expect("a delivery");
    assert_eq!((pulled.backlog, pulled.again), (Some(10), PollHint::Now));
    let delivery = pulled.deliveries.into_iter().next().expect("one delivery");
    assert_eq!((text(&delivery), delivery.attempts), ("hello", 2));
    assert_eq!(delivery.queued_at_ms, 1_689_615_013_586);
    queue.settle(vec![delivery.lease.retry(Duration::from_secs(5))]).await.expect("settled");

    let asked = server.asked();
    let messages = format!("/client/v4/accounts/{ACCOUNT}/queues/{}/messages", "b".repeat(32));
    assert_eq!(asked[0].path, format!("{messages}/pull"));
    assert_eq!(asked[0].body, serde_json::json!({ "batch_size": 7, "visibility_timeout_ms": LONG_MS }));
    assert_eq!(asked[0].headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(asked[0].headers["prefer"], "wait=20");
    assert_eq!(asked[1].path, format!("{messages}/ack"));
    let retries = serde_json::json!([{ "lease_id": "eyJhbGciOiJkaXIi..x", "delay_seconds": 5 }]);
    assert_eq!(asked[1].body, serde_json::json!({ "acks": [], "retries": retries }));
    assert!(!asked[1].headers.contains_key("prefer"));
}

#[tokio::test]
async fn a_queue_that_answers_at_once_is_not_asked_in_a_loop() {
    const EMPTY: &str = r#"{"success":true,"errors":{},"messages":[],"result":null,"result_info":{}}"#;
    for headers in [&[][..], &[("preference-applied", "wait=20")]] {
        let server = Scripted::start((200, headers, EMPTY)).await;
        let pulled = rest(&server).pull(10).await.expect("an empty answer");
        assert_eq!((pulled.deliveries.len(), pulled.again), (0, PollHint::Idle), "{headers:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_queues_says_so_and_shows_no_secret() {
    let refused =
        r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"result":null}"#;
    let failed = r#"{"success":false,"errors":[{"code":15000,"message":"UnknownInternalError"}]}"#;
    for (answer, is_permanent, part) in [
        ((200, &[][..], "<html>login</html>"), false, "check the base URL"),
        ((200, &[], "[]"), false, "check the base URL"),
        ((200, &[], "\"text\""), false, "check the base URL"),
        ((200, &[], failed), false, "UnknownInternalError (15000)"),
        ((502, &[], "<html>bad gateway</html>"), false, "502 Bad Gateway"),
        ((429, &[("retry-after", "9")], ""), false, "429 Too Many Requests"),
        ((403, &[], refused), true, "Authentication error (10000); check that the token is for account"),
        ((404, &[], "not found"), true, "check the base URL"),
        ((307, &[("location", "https://evil.example/")], ""), true, "redirects are not followed"),
    ] {
        let server = Scripted::start(answer).await;
        let queue = rest(&server);
        let error = queue.pull(1).await.expect_err(part);
        assert_eq!(matches!(error, QueueError::Permanent { .. }), is_permanent, "{error}");
        if let QueueError::Transient { after, .. } = error {
            assert_eq!(after, (answer.0 == 429).then_some(Duration::from_secs(9)), "{error}");
        }
        assert!(error.to_string().contains(part), "{error}");
        assert!(!format!("{error} {error:?} {queue:?}").contains(TOKEN));
    }
}

#[tokio::test]
async fn a_queue_that_is_down_may_come_back() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let base_url = format!("http://{}", listener.local_addr().expect("a bound listener"));
    drop(listener);
    let queue = RestQueue::new(rest_config(&base_url, "q", LONG_MS)).expect("a good configuration");
    match queue.pull(1).await.expect_err("nobody listens") {
        QueueError::Transient { after: None, cause } => {
            assert!(format!("{cause:#}").starts_with("reach the queue"), "{cause:#}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wrong_token_or_queue_says_what_to_check() {
    let bench = Bench::rest(LONG_MS).await;
    let good = || rest_config(&bench.base_url, &bench.id.to_string(), LONG_MS);
    let mut wrong_token = good();
    wrong_token.token = Token::new("another");
    let mut wrong_queue = good();
    wrong_queue.queue_id = "b".repeat(32);
    for (config, part) in [(wrong_token, "check that the token"), (wrong_queue, "check the queue id")] {
        let queue = RestQueue::new(config).expect("it could be right");
        let error = queue.pull(1).await.expect_err(part);
        assert!(matches!(error, QueueError::Permanent { .. }), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
}
