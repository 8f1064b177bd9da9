//! Senders that sign, and senders that ask about the URL first.

use super::stage::{PATIENCE, Stage, receipt, varied};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Response;
use serde_json::json;
use sha2::Sha256;
use tidegate_envelope::{Body, Digest};
use tidegate_tests::edge::TOKEN;

const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

async fn stage() -> Stage {
    let signing = json!({ "secrets": [SECRET] });
    let source = |profile: &str| json!({ "profile": profile, "tokens": [TOKEN], "signing": signing });
    let sources = json!({
        "gh": source("github"),
        "chat": source("slack"),
        "events": { "profile": "cloudevents", "tokens": [TOKEN] },
    });
    Stage::set_with(|options| options.sources = sources.to_string()).await
}

fn hex_mac(text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(text);
    hex::encode(mac.finalize().into_bytes())
}

async fn github(stage: &Stage, body: &[u8], signature: &str) -> Response {
    let request = stage.client.post(stage.edge.url(&format!("/in/gh/{TOKEN}"))).body(body.to_vec());
    let request =
        request.timeout(PATIENCE).header("X-GitHub-Event", "push").header("X-Hub-Signature-256", signature);
    request.send().await.expect("the edge answers")
}

async fn failures(stage: &Stage, source: &str) -> (u64, Option<String>) {
    let status = stage.status().await;
    let found =
        status.sources.into_iter().find(|status| status.source.as_str() == source).expect("it is live");
    (found.tally.failures, found.tally.last_failure)
}

#[tokio::test]
async fn a_signed_event_is_kept_whatever_its_size() {
    let stage = stage().await;
    for bytes in [0, 100, 89_088, 89_089, 3_000_000] {
        let body = varied(bytes);
        let response = github(&stage, &body, &format!("sha256={}", hex_mac(&body))).await;
        assert_eq!(response.status(), 202, "{bytes}");
        let envelope = stage.envelope();
        assert_eq!(receipt(&response.text().await.expect("text")), envelope.receipt.to_string());
        assert_eq!(envelope.sha256, Digest::of(&body));
        assert_eq!(envelope.profile.as_deref(), Some("github"));
        let names: Vec<_> = envelope.headers.iter().map(|header| header.0.as_str()).collect();
        assert!(names.contains(&"x-github-event"), "{names:?}");
        assert!(!names.contains(&"x-hub-signature-256"), "what was signed is not kept: {names:?}");
        if let Body::Vault(kept) = envelope.body {
            assert!(!kept.truncated);
            let given = stage.host("GET", &format!("/vault/gh/{}", envelope.receipt)).await;
            assert!(given.bytes().await.expect("the body") == body);
        }
    }
}

#[tokio::test]
async fn a_forged_event_is_refused_kept_nowhere_and_counted() {
    let stage = stage().await;
    let mut forged = 0;
    for bytes in [100, 200_000] {
        let body = varied(bytes);
        let right = format!("sha256={}", hex_mac(&body));
        for signature in ["", "sha256=", "sha256=00", &right[..right.len() - 1], &hex_mac(&body)] {
            let response = github(&stage, &body, signature).await;
            assert_eq!(response.status(), 401, "{signature}");
            let answer: serde_json::Value = response.json().await.expect("JSON");
            assert!(answer["error"].as_str().is_some_and(|why| !why.is_empty() && !why.contains(SECRET)));
            forged += 1;
        }
    }
    assert_eq!(stage.queue.take().len(), 0);
    let (counted, last) = failures(&stage, "gh").await;
    assert!(counted == forged && last.is_some_and(|why| why.starts_with("401: ")));
    assert_eq!(failures(&stage, "chat").await.0, 0);
}

#[tokio::test]
async fn a_body_too_large_for_its_signature_to_be_checked_is_refused_and_says_so() {
    let stage = stage().await;
    let limit = 25 << 20;
    let body = varied(limit);
    assert_eq!(github(&stage, &body, &format!("sha256={}", hex_mac(&body))).await.status(), 202);
    stage.envelope();
    // The edge does not read it, so the answer may come before the body is sent.
    let head = format!(
        "POST /in/gh/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nX-Hub-Signature-256: sha256=00\r\n\r\n",
        limit + 1
    );
    let mut sender = super::stage::Chunked::raw(&stage.edge, &head).await;
    assert_eq!(sender.status().await, 413);
    let (counted, last) = failures(&stage, "gh").await;
    assert!(counted == 1 && last.is_some_and(|why| why.contains("26214400 bytes")));
    assert_eq!(stage.queue.take().len(), 0);
}

#[tokio::test]
async fn a_challenge_is_answered_once_its_signature_is_right() {
    let stage = stage().await;
    let now_s =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let post = async |body: &str, mac: &str| {
        let request = stage.client.post(stage.edge.url(&format!("/in/chat/{TOKEN}"))).body(body.to_owned());
        let request = request.header("X-Slack-Request-Timestamp", now_s.to_string());
        request.header("X-Slack-Signature", format!("v0={mac}")).send().await.expect("the edge answers")
    };
    let challenge =
        r#"{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#;
    let response = post(challenge, &hex_mac(format!("v0:{now_s}:{challenge}").as_bytes())).await;
    assert_eq!(response.status(), 200);
    let answer = response.text().await.expect("text");
    assert!(answer.contains("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"), "{answer}");
    assert_eq!(post(challenge, &hex_mac(b"another")).await.status(), 401);
    assert_eq!(stage.queue.take().len(), 0, "a challenge is no event");

    let event = r#"{"type":"event_callback","event":{"type":"message","channel":"C1"}}"#;
    let response = post(event, &hex_mac(format!("v0:{now_s}:{event}").as_bytes())).await;
    assert_eq!(response.status(), 200);
    assert_eq!(receipt(&response.text().await.expect("text")), stage.envelope().receipt.to_string());
}

#[tokio::test]
async fn a_sender_of_cloudevents_is_told_that_it_is_welcome() {
    let stage = stage().await;
    let url = stage.edge.url(&format!("/in/events/{TOKEN}"));
    let request = stage.client.request(reqwest::Method::OPTIONS, &url);
    let response = request.header("WebHook-Request-Origin", "eventemitter.example.com").send().await;
    let response = response.expect("the edge answers");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["webhook-allowed-origin"], "eventemitter.example.com");
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(stage.queue.take().len(), 0);

    let response =
        stage.client.post(&url).header("ce-id", "1").header("ce-type", "x").body("{}").send().await;
    assert_eq!(response.expect("the edge answers").status(), 202);
    let names: Vec<_> = stage.envelope().headers.into_iter().map(|header| header.0).collect();
    assert_eq!(names, ["ce-id", "ce-type"]);
}
