//! `tidegate source` as an operator types it: test a source, rotate its token, check the file of sources.

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::path::Path;
use tidegate_envelope::{Receipt, SourceName};
use tidegate_source::status::{SourceStatus, Status, Tally};
use tidegate_tests::edge_status::{EdgeStatus, TOKEN};
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::{Dev, until};
use tokio::net::TcpListener;

const OLD: &str = "3b9fd1ce57a204e886b1f0c2d94e7a6518c3f02be7d94a16";

/// An edge that answers every request alike; what it takes goes nowhere.
async fn edge_that_answers(status: StatusCode) -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
    let url = format!("http://{}/in/amj/{OLD}", listener.local_addr()?);
    let receipt = Receipt::new(1_700_000_000_000, 7).to_string();
    let router = Router::new().fallback(move || async move { (status, Json(json!({ "receipt": receipt }))) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

#[tokio::test]
async fn a_test_is_followed_to_its_decision_and_fails_where_the_way_ends() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let alone = Cli::new(dir.path());
    let said = alone.refusal(&["source", "test", "amj", "--url", "http://127.0.0.1:9/in/amj/x"]).await?;
    ensure!(said.contains("tidegate dev") && said.contains("--data"), "nobody is there to follow it: {said}");

    let dev = Dev::start(dir.path()).await?;
    let printed = dev.cli.output(&["source", "test", "amj"]).await?;
    for word in ["the edge took it", "receipt", "pulled", "no plugin is asked about it", "amj works"] {
        ensure!(printed.contains(word), "`{printed}` should say `{word}`");
    }
    let again: Value = dev.cli.json(&["source", "test", "amj", "--json"]).await?;
    ensure!(
        again["class"] == "first" && again["kind"] == "asset.update" && again["subject"] == "0",
        "{again}"
    );

    let wrong = format!("{}0", dev.ready("request_url"));
    let slow = edge_that_answers(StatusCode::ACCEPTED).await?;
    let signed = edge_that_answers(StatusCode::UNAUTHORIZED).await?;
    let down = edge_that_answers(StatusCode::SERVICE_UNAVAILABLE).await?;
    let moved = edge_that_answers(StatusCode::MOVED_PERMANENTLY).await?;
    for (args, word) in [
        (&["source", "test", "amj", "--url", wrong.as_str()][..], "404"),
        (&["source", "test", "amj", "--url", "http://127.0.0.1:9/in/other/x"], "/in/amj/"),
        (&["source", "test", "amj", "--url", "http://edge.example/in/amj/x"], "https"),
        (&["source", "test", "other"], "--url"),
        (&["source", "test", "amj", "--url", signed.as_str()], "signs its requests"),
        (&["source", "test", "amj", "--url", down.as_str()], "503"),
        (&["source", "test", "amj", "--url", moved.as_str()], "301"),
        (&["source", "test", "amj", "--url", slow.as_str(), "--wait", "1", "--json"], "same queue"),
    ] {
        let said = dev.cli.refusal(args).await?;
        ensure!(said.contains(word), "{args:?}: `{said}` should say `{word}`");
        ensure!(!said.contains(OLD), "no token is repeated: {said}");
    }
    Ok(())
}

fn write(dir: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(dir.join("sources.json"), text).context("write the sources")
}

fn tokens(dir: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(dir.join("sources.json")).context("read the sources")?;
    let sources: Value = serde_json::from_str(&text).context("read the sources")?;
    let tokens = sources.pointer("/amj/tokens").and_then(Value::as_array).context("it has tokens")?;
    Ok(tokens.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The edge's word on when each token of `amj` was used.
fn used(tokens_used_ms: &[u64]) -> anyhow::Result<Status> {
    let tally = Tally { tokens_used_ms: tokens_used_ms.to_vec(), ..Tally::default() };
    let (source, profile) = (SourceName::new("amj")?, "amj".into());
    let amj = SourceStatus { source, profile, tally, cutoff: Some(3), left: Some(3), vault: None };
    Ok(Status { v: 1, now_ms: 0, sources: vec![amj], faults: vec![] })
}

#[tokio::test]
async fn a_token_is_rotated_without_a_moment_in_which_its_sender_is_unknown() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    write(dir.path(), &format!("{{\"amj\":[\"{OLD}\"]}}"))?;
    let edge = EdgeStatus::start().await?;
    edge.set(Some(used(&[1_700_000_000_000])?));
    let url = edge.url();
    let env = [
        ("TIDEGATE_EDGE_URL", url.as_str()),
        ("TIDEGATE_EDGE_TOKEN", TOKEN),
        ("TIDEGATE_EDGE_POLL_MS", "100"),
    ];
    let dev = Dev::start_with(dir.path(), &env).await?;
    let rotate = ["source", "rotate", "amj", "--file", "sources.json"];
    let finish = [&rotate[..], &["--finish"]].concat();
    let said = dev.cli.refusal(&finish).await?;
    ensure!(said.contains("nothing to finish"), "{said}");

    let printed = dev.cli.output(&rotate).await?;
    let both = tokens(dir.path())?;
    let new = both.get(1).context("there is a new one")?.clone();
    ensure!(both == [OLD, new.as_str()] && new.len() == 48, "{both:?}");
    ensure!(printed.contains(&format!("/in/amj/{new}")) && !printed.contains(OLD), "{printed}");
    ensure!(printed.contains("npx wrangler secret put SOURCES < sources.json"), "{printed}");

    for (used_ms, word) in [
        (&[1_700_000_000_000][..], "wrangler secret put"),
        (&[1_700_000_000_000, 0], "never used"),
        (&[1_700_000_009_000, 1_700_000_001_000], "token 1"),
    ] {
        edge.set(Some(used(used_ms)?));
        until(&format!("the edge's word on its tokens is known: {word}"), async || {
            let said = dev.cli.refusal(&finish).await?;
            ensure!(tokens(dir.path())? == both, "nothing was taken away");
            Ok(said.contains(word).then_some(()))
        })
        .await?;
    }
    edge.set(Some(used(&[1_700_000_001_000, 1_700_000_009_000])?));
    let printed = until("the old token may go", async || Ok(Some(dev.cli.output(&finish).await?))).await?;
    ensure!(printed.contains("npx wrangler secret put"), "{printed}");
    ensure!(tokens(dir.path())? == [new], "the new one alone is left");
    Ok(())
}

#[tokio::test]
async fn a_file_of_sources_is_checked_strictly_and_no_token_is_repeated() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::new(dir.path());
    let check = ["source", "check", "--file", "sources.json"];
    ensure!(cli.refusal(&check).await?.contains("sources.json"), "there is none yet");
    for (text, word) in [
        (format!("{{\"amj\":[\"{OLD}\"]}}"), None),
        (format!("{{\"amj\":{{\"profile\":\"amj\",\"tokens\":[\"{OLD}\"]}},\"gh\":[\"{OLD}\"]}}"), None),
        ("{}".into(), Some("no source")),
        ("{\"amj\":[]}".into(), Some("no token")),
        (format!("{{\"amj\":[\"{OLD}\"],\"amj\":[\"{OLD}\"]}}"), Some("twice")),
        (format!("{{\"amj\":[\"{OLD}\"],\n\"b\":[\"abc\"]}}"), Some("line 2")),
        (format!("{{\"amj\":{{\"profile\":\"amx\",\"tokens\":[\"{OLD}\"]}}}}"), Some("amx")),
        (format!("{{\"amj\":{{\"token\":[\"{OLD}\"]}}}}"), Some("token")),
        (format!("{{\"amj\":[\"{OLD}\"]"), Some("line 1")),
    ] {
        write(dir.path(), &text)?;
        let Some(word) = word else {
            let printed = cli.output(&check).await?;
            ensure!(printed.contains("amj: 1 token") && !printed.contains(OLD), "{printed}");
            continue;
        };
        let said = cli.refusal(&check).await?;
        ensure!(said.contains(word) && said.contains("sources.json"), "{text}: `{said}` should say `{word}`");
        ensure!(!said.contains(OLD), "no token is repeated: {said}");
    }
    Ok(())
}
