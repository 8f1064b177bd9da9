//! What is said: to senders, to the host, about the configuration.

use tidegate_source::status::{Tally, VaultStatus};
use tidegate_source::{Handshake, Sources};
use tidegate_worker::answer::Answer;
use tidegate_worker::setting::{BODY_BYTES_MAX_USUAL, HostToken, body_bytes_max};
use tidegate_worker::status::status;

#[test]
fn each_answer_has_its_status_and_says_why_in_json() {
    let faults = ["a \"fault\" \\ ü".to_owned()];
    for (answer, expected) in [
        (Answer::not_found(), 404),
        (Answer::forged("the signature is wrong"), 401),
        (Answer::too_large(), 413),
        (Answer::undelivered(), 503),
        (Answer::broken(), 503),
        (Answer::unauthorized(), 401),
        (Answer::no_such_method("GET"), 405),
        (Answer::no_body(), 404),
        (Answer::vault_silent(), 503),
        (Answer::misconfigured("quote\" backslash\\ line\n ü \u{1F600}"), 503),
        (Answer::health(&[]), 200),
        (Answer::health(&faults), 200),
    ] {
        assert_eq!(answer.status, expected);
        let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert!(answer.headers.contains(&("Content-Type", "application/json".to_owned())));
        let again = answer.headers.iter().any(|(name, value)| *name == "Retry-After" && value == "1");
        assert_eq!(again, expected == 503);
        if expected == 200 {
            assert_eq!((body["status"].as_str(), answer.why.as_str()), (Some("ok"), ""));
        } else {
            assert_eq!(answer.why, format!("{expected}: {}", body["error"].as_str().expect("why")));
        }
    }
    let body: serde_json::Value = serde_json::from_str(&Answer::health(&faults).body).expect("JSON");
    assert_eq!(body["faults"][0].as_str(), Some(faults[0].as_str()));
}

#[test]
fn a_handshake_is_answered_as_its_profile_says() {
    let answer = Answer::handshake(Handshake {
        content_type: "text/plain",
        headers: vec![("WebHook-Allowed-Origin", "*".to_owned())],
        body: "challenge".to_owned(),
    });
    assert_eq!((answer.status, answer.body.as_str(), answer.why.as_str()), (200, "challenge", ""));
    let expected = [("Content-Type", "text/plain".to_owned()), ("WebHook-Allowed-Origin", "*".to_owned())];
    assert_eq!(answer.headers, expected);
}

#[test]
fn the_status_has_every_source_and_what_its_sender_will_do() {
    let sources = Sources::parse(
        r#"{"amj":["correct-horse-battery-staple","previous-horse-battery-staple"],"any":{"profile":"generic","tokens":["other-horse-battery-staple"]}}"#,
    )
    .expect("the test's sources are right");
    let tally = Tally { failures_in_row: 2, failures: 9, tokens_used_ms: vec![5], ..Tally::default() };
    let vault = VaultStatus { messages: 1, oldest_ms: Some(3), bodies: 0, body_bytes: 0 };
    let gathered = serde_json::json!({ "amj": { "tally": tally, "vault": vault } }).to_string();
    let status = status(&sources, &["a fault".to_owned()], 77, &gathered).expect("what the shell writes");
    assert_eq!((status.v, status.now_ms, status.faults.as_slice()), (1, 77, &["a fault".to_owned()][..]));
    let [amj, any] = status.sources.as_slice() else { panic!("{status:?}") };
    assert_eq!(
        (amj.source.as_str(), amj.cutoff, amj.left, amj.vault),
        ("amj", Some(3), Some(1), Some(vault))
    );
    assert_eq!(amj.tally, Tally { tokens_used_ms: vec![5, 0], ..tally });
    // Nobody gathered anything of this one.
    assert_eq!((any.source.as_str(), any.cutoff, any.left, any.vault), ("any", None, None, None));
    assert_eq!(any.tally, Tally { tokens_used_ms: vec![0], ..Tally::default() });
}

#[test]
fn nothing_is_left_after_the_cutoff() {
    let sources = Sources::parse(r#"{"amj":["correct-horse-battery-staple"]}"#).expect("right");
    let tally = Tally { failures_in_row: 7, ..Tally::default() };
    let gathered = serde_json::json!({ "amj": { "tally": tally, "vault": null } }).to_string();
    assert_eq!(status(&sources, &[], 0, &gathered).expect("JSON").sources[0].left, Some(0));
    assert!(status(&sources, &[], 0, "no JSON").is_err());
}

#[test]
fn the_hosts_token_is_presented_in_full_or_not_at_all() {
    const TOKEN: &str = "host-horse-battery-staple";
    let token = HostToken::new(Some(TOKEN)).expect("it is long enough");
    for (header, presented) in [
        ("Bearer host-horse-battery-staple", true),
        ("bearer host-horse-battery-staple", true),
        ("Bearer  host-horse-battery-staple", true),
        ("Bearer host-horse-battery-stapl", false),
        ("Bearer host-horse-battery-staplee", false),
        ("Basic host-horse-battery-staple", false),
        ("host-horse-battery-staple", false),
        ("Bearer", false),
        ("Bearer ", false),
        ("", false),
    ] {
        assert_eq!(token.is_presented_by(header), presented, "{header}");
    }
    assert!(!format!("{token:?}").contains("horse"));
    for missing in [None, Some(""), Some("twenty-one-characters")] {
        let why = HostToken::new(missing).expect_err("it is no token");
        assert!(why.contains("HOST_TOKEN") && !why.contains("twenty"), "{why}");
    }
    assert!(HostToken::new(Some("twenty-two-characters-")).is_ok());
}

#[test]
fn how_much_of_a_body_is_kept_is_a_number_in_bounds() {
    assert_eq!(body_bytes_max(None), Ok(BODY_BYTES_MAX_USUAL));
    assert_eq!(body_bytes_max(Some(" 1000000 ")), Ok(1_000_000));
    for wrong in ["", "0", "-1", "1", "32 MiB", "1e6", "99999999999999999999", "2000000000"] {
        assert!(body_bytes_max(Some(wrong)).is_err(), "{wrong}");
    }
}
