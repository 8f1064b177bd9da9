//! What a running `tidegate dev` tells whoever watches it: metrics, read by what reads them elsewhere; traces, in a real
//! collector; a log for programs.

mod metric;
mod trace;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{self, Dev, actor, until};

/// Second attempts come soon, and so does what a killed host held.
const SOON: [(&str, &str); 2] =
    [("TIDEGATE_RETRY_FIRST_MS", "50"), ("TIDEGATE_QUEUE_VISIBILITY_TIMEOUT_MS", "2000")];

/// The host's metrics as text.
async fn metrics(dev: &Dev) -> anyhow::Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/metrics", dev.ready("admin_url"));
    let answer = client.get(url).bearer_auth(dev.ready("admin_token")).send().await?;
    ensure!(answer.status().is_success(), "{}", answer.status());
    Ok(answer.text().await?)
}

/// The value of a sample by its name and labels.
fn sample(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn a_log_for_programs_has_the_ids_beside_the_message() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let dev = Dev::start_with(dir.path(), &[("TIDEGATE_LOG_FORMAT", "json")]).await?;
    let plugin = actor(dir.path(), "")?;
    dev.cli.output(&["plugin", "deploy", &plugin.to_string_lossy(), "--approve"]).await?;
    dev.cli.deploy(&system::plugin("rust")?, &receiver.url("/notices")).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let parked =
        sender.post(&json!({ "event_type": "asset.create", "id": 77, "do": "no such step" })).await?;
    let performed = sender.post(&loan(1)).await?;
    dev.cli.all_settled(&[parked]).await?;
    receiver.until_answered(&performed.to_string(), 200).await?;

    // It is logged once it is recorded, and the target was answered before that.
    let about_performed = format!("\"receipt\":\"{performed}\"");
    let log = until("what was performed is logged", async || {
        Ok(Some(dev.process.log()?).filter(|log| log.contains(&about_performed)))
    });
    let log = log.await?;
    let lines = log.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
    let lines: Vec<Value> = lines.collect::<anyhow::Result<_>>()?;
    let about = |receipt: String| lines.iter().filter(move |line| line["receipt"] == receipt);
    let line = about(parked.to_string()).find(|line| line["level"] == "WARN").context("it was parked")?;
    for (key, value) in [("source", "amj"), ("subject", "77"), ("plugin", "actor"), ("trouble", "trap")] {
        ensure!(line[key] == value, "{key}: {line}");
    }
    ensure!(line["version"].as_str().is_some_and(|version| version.len() == 12), "{line}");
    ensure!(line["timestamp"].is_string() && line["message"].is_string(), "{line}");
    let line =
        about(performed.to_string()).find(|line| line["level"] == "INFO").context("it was performed")?;
    ensure!(line["plugin"] == "loan-notice" && line["attempts"] == 1, "{line}");
    Ok(())
}
