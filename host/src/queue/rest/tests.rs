//! Tables of what queues have been seen to send, and what is made of it.

use super::refusal::{Addressee, Refusal};
use super::*;
use crate::queue::{Delivery, DeliveryBody, Held, Lease};
use http::{HeaderMap, StatusCode};
use serde_json::json;

fn read_body(body: Value, content_type: Value) -> DeliveryBody {
    let message = json!({ "lease_id": "l", "body": body, "metadata": { "CF-Content-Type": content_type } });
    let (mut deliveries, _) = wire::deliveries(json!({ "messages": [message] }));
    deliveries.pop().expect("one delivery").body
}

#[test]
fn a_body_is_read_by_its_content_type() {
    for (content_type, body, expected) in [
        (json!("text"), "Grüße 🌊", "Grüße 🌊"),
        (json!("text"), "eyJhIjoxfQ==", "eyJhIjoxfQ=="),
        (Value::Null, "{\"v\":1}", "{\"v\":1}"),
        (json!("json"), "eyJhIjoxfQ==", "{\"a\":1}"),
        (json!("json"), "{\"a\": 1}", "{\"a\": 1}"),
        (json!("json"), " [1]", " [1]"),
        (json!("json"), "\"hello\"", "\"hello\""),
        (json!("json"), "ImhlbGxvIg==", "\"hello\""),
        // Base64 too, of what is no JSON: so they are what they look like.
        (json!("json"), "1234", "1234"),
        (json!("json"), "true", "true"),
        (json!("json"), "null", "null"),
        (json!("bytes"), "aGVsbG8=", "hello"),
        (json!("bytes"), "", ""),
    ] {
        let found = read_body(json!(body), content_type.clone());
        assert_eq!(found, DeliveryBody::Text(expected.to_owned()), "{content_type} {body}");
    }
}

#[test]
fn a_body_that_cannot_be_read_is_delivered_with_the_reason() {
    for (content_type, body, part) in [
        (json!("json"), json!("hello"), "neither JSON nor base64"),
        (json!("json"), json!("{\"a\":"), "neither JSON nor base64"),
        (json!("json"), json!("/////w=="), "neither JSON nor base64"),
        (json!("bytes"), json!("/////w=="), "not base64 of UTF-8"),
        (json!("bytes"), json!("aGVsbG8"), "not base64 of UTF-8"),
        (json!("v8"), json!("/w8i"), "`v8`"),
        (json!("text"), json!({ "a": 1 }), "not a string"),
        (json!("text"), Value::Null, "not a string"),
    ] {
        match read_body(body.clone(), content_type.clone()) {
            DeliveryBody::Undecodable { reason, raw } => {
                assert!(reason.contains(part), "{content_type} {body}: {reason}");
                assert_eq!(raw, body.as_str().map_or_else(|| body.to_string(), str::to_owned));
            }
            DeliveryBody::Text(text) => panic!("{content_type} {body}: read as {text}"),
        }
    }
}

#[test]
fn a_pull_is_read_however_sparse_it_is() {
    let message = json!({ "lease_id": "l", "body": "b" });
    let old = json!([message]);
    let documented = json!({
        "message_backlog_count": 10,
        "messages": [{
            "id": "1ad27d24c83de78953da635dc2ea208f", "timestamp_ms": 1_689_615_013_586_u64, "attempts": 2,
            "body": "b", "metadata": { "CF-sourceMessageSource": "dash", "CF-Content-Type": "text" },
            "lease_id": "eyJhbGciOiJkaXIi..x",
        }],
        "metadata": { "metrics": { "backlog_count": 11, "backlog_bytes": 512 } },
    });
    let floats =
        json!({ "messages": [{ "lease_id": "l", "body": "b", "attempts": 2.0, "timestamp_ms": 1.0 }] });
    for (result, count, backlog, attempts, queued_at_ms) in [
        (Value::Null, 0, None, 0, 0),
        (json!({}), 0, None, 0, 0),
        (json!("odd"), 0, None, 0, 0),
        (json!({ "messages": null }), 0, None, 0, 0),
        (json!({ "messages": [], "message_backlog_count": 0 }), 0, Some(0), 0, 0),
        (json!({ "metadata": { "metrics": { "backlog_count": 3 } } }), 0, Some(3), 0, 0),
        (old, 1, None, 0, 0),
        (documented, 1, Some(10), 2, 1_689_615_013_586),
        (floats, 1, None, 2, 1),
        // What has no lease cannot be settled; it comes again.
        (json!({ "messages": [message, { "body": "b" }, { "lease_id": null }, 7, null] }), 1, None, 0, 0),
        (json!({ "messages": [{ "lease_id": "l", "body": "b", "metadata": "a string" }] }), 1, None, 0, 0),
        (json!({ "messages": [{ "lease_id": "l", "body": "b", "attempts": -1 }] }), 1, None, 0, 0),
    ] {
        let shown = result.to_string();
        let (deliveries, found_backlog) = wire::deliveries(result);
        assert_eq!((deliveries.len(), found_backlog), (count, backlog), "{shown}");
        for Delivery { attempts: found, queued_at_ms: queued, body, .. } in deliveries {
            assert_eq!((found, queued), (attempts, queued_at_ms), "{shown}");
            assert_eq!(body, DeliveryBody::Text("b".to_owned()), "{shown}");
        }
    }
}

#[test]
fn a_settlement_is_written_strictly() {
    let lease = |text: &str| Lease(Held::Text(text.to_owned()));
    let settled = [
        lease("a").ack(),
        lease("b").retry(Duration::ZERO),
        lease("c").retry(Duration::from_millis(1)),
        lease("d").retry(Duration::from_secs(90)),
        lease("e").retry(Duration::MAX),
    ];
    assert_eq!(
        wire::settlement(&settled),
        json!({
            "acks": [{ "lease_id": "a" }],
            "retries": [
                { "lease_id": "b" },
                { "lease_id": "c", "delay_seconds": 1 },
                { "lease_id": "d", "delay_seconds": 90 },
                { "lease_id": "e", "delay_seconds": 86_400 },
            ],
        })
    );
}

fn refuse(status: u16, retry_after: Option<&str>, errors: Value) -> QueueError {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut headers = HeaderMap::new();
    if let Some(text) = retry_after {
        headers.insert("retry-after", text.parse().expect("a header's value"));
    }
    let addressee = Addressee {
        base_url: "https://base.example/v4".to_owned(),
        account_id: "acc".to_owned(),
        queue_id: "que".to_owned(),
    };
    Refusal::read(status, &headers, &json!({ "success": false, "errors": errors })).into_error(&addressee)
}

#[test]
fn a_refusal_that_passes_says_when_to_ask_again() {
    let code = |code: u64| json!([{ "code": code, "message": "m" }]);
    for (status, retry_after, errors, after_s) in [
        (429, Some("7"), json!([]), Some(7)),
        (429, None, code(10_250), None),
        (429, Some("86400"), code(10_253), Some(300)),
        (400, None, code(10_250), None),
        (500, None, code(15_000), None),
        (503, Some("1"), json!({}), Some(1)),
        (502, None, Value::Null, None),
        (408, None, json!([]), None),
        (409, None, json!([{ "code": 0, "message": "queue_delivery_paused" }]), Some(10)),
        (409, Some("3"), json!([]), Some(3)),
        (200, None, json!([]), None),
    ] {
        match refuse(status, retry_after, errors.clone()) {
            QueueError::Transient { after, .. } => {
                assert_eq!(after, after_s.map(Duration::from_secs), "{status} {errors}");
            }
            QueueError::Permanent { cause } => panic!("{status} {errors}: {cause}"),
        }
    }
}

#[test]
fn a_refusal_that_stays_says_what_to_check() {
    let error = |code: u64, message: &str| json!([{ "code": code, "message": message }]);
    for (status, errors, part) in [
        (
            404,
            error(10_104, "QueueNotFound"),
            "QueueNotFound (10104); check the queue id `que` (an id, not a name)",
        ),
        (400, error(10_104, "QueueNotFound"), "check the queue id `que`"),
        (400, error(10_107, "QueueIDMalformed"), "check the queue id `que`"),
        (403, error(10_000, "Authentication error"), "check that the token is for account `acc`"),
        (401, json!([]), "queues_read and queues_write"),
        (400, error(10_106, "Unauthorized"), "check that the token"),
        (404, json!([]), "check the base URL `https://base.example/v4`"),
        (405, json!([]), "has an HTTP pull consumer"),
        (301, Value::Null, "redirects are not followed: check the base URL"),
        (400, error(10_207, "JSONRequestBodyInvalid"), "JSONRequestBodyInvalid (10207)"),
    ] {
        match refuse(status, None, errors.clone()) {
            QueueError::Permanent { cause } => {
                assert!(cause.to_string().contains(part), "{status} {errors}: {cause}");
            }
            QueueError::Transient { cause, .. } => panic!("{status} {errors}: {cause}"),
        }
    }
}

#[test]
fn the_next_pull_comes_at_once_only_when_it_may_find_something() {
    use PollHint::{Idle, Now};
    let at_once = Some(Duration::ZERO);
    let held = Some(Duration::from_secs(20));
    for (waited, pulled, backlog, expected) in [
        (None, 0, None, Idle),
        (None, 0, Some(50), Idle),
        (None, 3, None, Idle),
        (None, 3, Some(3), Idle),
        (None, 3, Some(4), Now),
        (None, 10, None, Now),
        (held, 0, None, Now),
        (held, 3, None, Now),
        (at_once, 3, None, Now),
        // It says that it waits, but did not: a loop would never rest.
        (at_once, 0, None, Idle),
    ] {
        let found = hint(waited, pulled, 10, backlog);
        assert_eq!(found, expected, "waited {waited:?}, pulled {pulled} of 10, backlog {backlog:?}");
    }
}

#[test]
fn a_configuration_that_cannot_be_right_is_refused_without_showing_the_token() {
    let good = || RestQueueConfig {
        base_url: "https://api.cloudflare.com/client/v4/".to_owned(),
        account_id: "a".repeat(32),
        queue_id: "b".repeat(32),
        token: Token::new(" secret\n"),
        visibility_timeout_ms: 30_000,
        batch_max: 100,
    };
    let queue = RestQueue::new(good()).expect("a good configuration");
    let path = format!("/client/v4/accounts/{}/queues/{}/messages/pull", "a".repeat(32), "b".repeat(32));
    assert_eq!(queue.pull_url.path(), path);
    let shown = format!("{queue:?} {:?}", good());
    assert!(!shown.contains("secret"), "{shown}");

    for (broken, part) in [
        (RestQueueConfig { base_url: "api.cloudflare.com".to_owned(), ..good() }, "base URL"),
        (RestQueueConfig { base_url: "ftp://a.example".to_owned(), ..good() }, "http or https"),
        (RestQueueConfig { account_id: String::new(), ..good() }, "is not the account id"),
        (RestQueueConfig { queue_id: "../x".to_owned(), ..good() }, "is not the queue id"),
        (RestQueueConfig { batch_max: 0, ..good() }, "from 1 to 100"),
        (RestQueueConfig { batch_max: 101, ..good() }, "from 1 to 100"),
        (RestQueueConfig { visibility_timeout_ms: 0, ..good() }, "from 1 to 43200000"),
        (RestQueueConfig { visibility_timeout_ms: 43_200_001, ..good() }, "from 1 to 43200000"),
        (RestQueueConfig { token: Token::new(" "), ..good() }, "token is empty"),
        (RestQueueConfig { token: Token::new("sec\u{1}ret"), ..good() }, "character that no token has"),
    ] {
        let error = format!("{:#}", RestQueue::new(broken).expect_err(part));
        assert!(error.contains(part) && !error.contains("sec"), "{part}: {error}");
    }
}
