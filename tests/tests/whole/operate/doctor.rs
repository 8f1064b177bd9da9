//! `tidegate doctor` against the real parts: all is well, and each fault that can be made.

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::http::header;
use axum::routing::any;
use serde_json::{Value, json};
use std::path::Path;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::system::Dev;
use tidegate_tests::system::cli::Cli;

/// The command, in the environment that a host of this system would have.
fn operator(dir: &Path, dev: &Dev, receiver: &Receiver) -> Cli {
    let queue_url = dev.ready("queue_url");
    Cli::new(dir)
        .with("TIDEGATE_QUEUE_BASE_URL", queue_url)
        .with("TIDEGATE_QUEUE_ACCOUNT_ID", dev.ready("account_id"))
        .with("TIDEGATE_QUEUE_QUEUE_ID", dev.ready("queue_id"))
        .with("TIDEGATE_QUEUE_TOKEN", dev.ready("queue_token"))
        .with("TIDEGATE_EDGE_URL", dev.ready("edge_url"))
        .with("TIDEGATE_EDGE_TOKEN", dev.ready("edge_token"))
        .with("TIDEGATE_ALERTS_URL", &receiver.url("/alerts"))
        .with("TIDEGATE_ALERTS_SECRET", super::SECRET)
        .with("TIDEGATE_ALERTS_DISK_PERCENT_MAX", "100")
        .with("TIDEGATE_SANDBOX_INSTANCES_MAX", "4")
}

/// What it finds, which must end it with this code.
pub(super) async fn findings(cli: &Cli, code: i32) -> anyhow::Result<Vec<Value>> {
    let output = cli.run(&["doctor", "--json"]).await?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    ensure!(output.status.code() == Some(code), "{report:#}");
    Ok(report["findings"].as_array().context("findings")?.clone())
}

/// Asserts that this check has a finding of this level that says this, with what to do.
pub(super) async fn finds(cli: &Cli, check: &str, level: &str, words: &str) -> anyhow::Result<()> {
    let code = i32::from(level == "problem");
    let findings = findings(cli, code).await?;
    let found = findings.iter().find(|it| {
        it["check"] == check
            && it["level"] == level
            && it["what"].as_str().is_some_and(|what| what.contains(words))
    });
    let found = found.with_context(|| format!("{check}: {level}: {words} in {findings:#?}"))?;
    ensure!(found["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{found}");
    Ok(())
}

#[tokio::test]
async fn a_good_system_has_no_problem_and_each_fault_is_found_with_what_to_type() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let dev = Dev::start(dir.path()).await?;
    let good = operator(dir.path(), &dev, &receiver);
    let found = findings(&good, 0).await?;
    let bad: Vec<_> = found.iter().filter(|it| it["level"] != "ok" && it["check"] != "machine").collect();
    ensure!(bad.is_empty(), "{bad:#?}");
    for check in
        ["config", "versions", "data", "store", "machine", "host", "queue", "edge", "clock", "alerts"]
    {
        ensure!(found.iter().any(|it| it["check"] == check), "{check} was looked at: {found:#?}");
    }
    ensure!(receiver.notices().is_empty() || receiver.notices().iter().all(|it| it.body.is_empty()));
    let text = good.output(&["doctor"]).await?;
    ensure!(text.contains("100 retries") && text.contains("problems: 0"), "{text}");

    let with = |name, value: &str| good.clone().with(name, value);
    finds(&with("TIDEGATE_EDGE_TOKEN", "another"), "edge", "problem", "401").await?;
    finds(&with("TIDEGATE_EDGE_URL", "http://127.0.0.1:1"), "edge", "problem", "does not answer").await?;
    let tried_out = Cli::new(dir.path()).output(&["doctor"]).await?;
    for said in ["`tidegate dev` brings its own", "the edge answers", "problems: 0"] {
        ensure!(tried_out.contains(said), "without a word of configuration: {tried_out}");
    }
    let (state, aside) = (Path::new(dev.ready("data")).join("dev.json"), dir.path().join("aside"));
    std::fs::rename(&state, &aside)?;
    finds(&with("TIDEGATE_EDGE_URL", ""), "edge", "warning", "edge.url is not set").await?;
    std::fs::write(&state, "nonsense")?;
    finds(&good, "data", "problem", "dev.json").await?;
    std::fs::rename(&aside, &state)?;
    finds(&with("TIDEGATE_QUEUE_TOKEN", "another"), "queue", "problem", "refused with").await?;
    finds(&with("TIDEGATE_QUEUE_TOKEN", ""), "queue", "problem", "not set here").await?;
    let other = "0123456789abcdef0123456789abcdef";
    finds(&with("TIDEGATE_QUEUE_QUEUE_ID", other), "queue", "problem", "refused with").await?;
    finds(
        &with("TIDEGATE_QUEUE_BASE_URL", "https://no.such.invalid/v4"),
        "queue",
        "problem",
        "leads nowhere",
    )
    .await?;
    finds(&with("TIDEGATE_ALERTS_URL", "http://127.0.0.1:1"), "alerts", "problem", "does not answer").await?;
    finds(&with("TIDEGATE_ALERTS_SECRET", "short"), "alerts", "problem", "TIDEGATE_ALERTS_SECRET").await?;
    finds(&with("TIDEGATE_ALERTS_DISK_PERCENT_MAX", "1"), "data", "warning", "% full").await?;
    finds(&with("TIDEGATE_SANDBOX_INSTANCES_MAX", "4000000"), "machine", "warning", "plugins may take")
        .await?;
    finds(&with("TIDEGATE_QUEUE_BATCHES", "1"), "config", "problem", "TIDEGATE_QUEUE_BATCHES").await?;
    std::fs::write(dir.path().join("tidegate.toml"), "[queue]\nbatch_maxx = 1\n")?;
    finds(&good, "config", "problem", "batch_maxx").await?;
    std::fs::remove_file(dir.path().join("tidegate.toml"))?;

    let client = reqwest::Client::builder().no_proxy().build()?;
    let listed = client.get(dev.queue("/consumers")).bearer_auth(dev.ready("queue_token")).send().await?;
    let listed: Value = listed.json().await?;
    let id = listed["result"][0]["consumer_id"].as_str().context("the queue has a consumer")?;
    let settings = json!({ "type": "http_pull", "settings": { "max_retries": 3 } });
    let put = client.put(dev.queue(&format!("/consumers/{id}"))).bearer_auth(dev.ready("queue_token"));
    put.json(&settings).send().await?.error_for_status()?;
    finds(&good, "queue", "problem", "after 3 retries").await
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_found() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let old = any(|| async { ([(header::DATE, "Fri, 11 Nov 2022 05:05:07 GMT")], "{}") });
    let serving =
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback_service(old)).await });
    let cli = Cli::new(dir.path()).with("TIDEGATE_EDGE_URL", &url).with("TIDEGATE_EDGE_TOKEN", "a");
    finds(&cli, "clock", "problem", "from that of the edge").await?;
    serving.abort();
    Ok(())
}
