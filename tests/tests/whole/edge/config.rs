//! What an operator can get wrong, and what no other user of the machine can read.

use super::stage::{Stage, client};
use tidegate_tests::edge::{Edge, EdgeOptions, HOST_TOKEN, TOKEN, live_path};
use tidegate_tests::recorder::{Mood, Recorder};

#[tokio::test]
async fn health_says_the_version_and_needs_no_queue() {
    let stage = Stage::set().await;
    stage.queue.set_mood(Mood::Overloaded);
    let (status, answer) = stage.send("GET", "/healthz", Vec::new()).await;
    let expected = format!(r#"{{"status":"ok","version":"{}"}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!((status, answer), (200, expected));
}

#[tokio::test]
async fn a_worker_without_sources_says_so_and_takes_nothing() {
    let queue = Recorder::start().await.expect("a free port");
    for (sources, words) in [
        (r#"{"amj":["short"]}"#, "token 1 of `amj`"),
        ("{}", "SOURCES names no source"),
        ("no JSON", "SOURCES is not JSON"),
    ] {
        let options = EdgeOptions { sources: sources.to_owned(), ..EdgeOptions::usual(queue.addr()) };
        let edge = Edge::start_with(options).await.expect("it starts");
        for path in [live_path(), "/healthz".to_owned(), "/status".to_owned()] {
            let response = client().get(edge.url(&path)).send().await.expect("the edge answers");
            assert_eq!(response.status(), 503);
            let answer: serde_json::Value = response.json().await.expect("JSON");
            assert!(answer["error"].as_str().is_some_and(|why| why.contains(words)), "{answer}");
        }
    }
    assert_eq!(queue.take().len(), 0);
}

#[tokio::test]
async fn a_source_that_is_wrong_takes_no_other_with_it_and_is_named() {
    let sources =
        format!(r#"{{"bad":["short"],"amj":["{TOKEN}"],"odd":{{"profile":"none","tokens":["{TOKEN}"]}}}}"#);
    let stage = Stage::set_with(|options| {
        options.sources = sources;
        options.body_bytes_max = Some(1);
    })
    .await;
    stage.post("{}").await;
    assert_eq!(stage.send("POST", &format!("/in/bad/{TOKEN}"), "{}").await.0, 404);
    let status = stage.status().await;
    let (status, health) = (status.faults, stage.send("GET", "/healthz", "").await.1);
    for words in ["token 1 of `bad`", "`odd` has a profile `none`", "BODY_BYTES_MAX is not a number"] {
        assert!(status.iter().any(|fault| fault.contains(words)), "{status:?}");
        assert!(health.contains(words), "{health}");
    }
    assert!(!health.contains(TOKEN));
    assert_eq!(status.len(), 3);
}

#[tokio::test]
async fn the_secrets_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::set().await;
    let config = stage.edge.dir().join("config.capnp");
    let mode = std::fs::metadata(&config).expect("the configuration").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&config).expect("readable by us");
    let process = stage.edge.workerd.process_id().expect("it runs");
    let command = std::fs::read(format!("/proc/{process}/cmdline")).expect("its command line");
    for secret in [TOKEN, HOST_TOKEN] {
        assert!(text.contains(secret));
        assert!(!String::from_utf8_lossy(&command).contains(secret));
    }
    stage.edge.workerd.stop().await.expect("it stops");
}
