//! Events too large for a message, all the way: from the edge through the vault to their decision, and out of the
//! vault again.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_envelope::Receipt;
use tidegate_source::status::Status;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::loan;
use tidegate_tests::system::{self, Dev, until};

/// A loan whose custom fields take this many bytes.
fn large_loan(bytes: usize) -> String {
    let mut event = loan(675);
    // Each at another moment: at the same one they would be conflicts.
    event["updated_at"] = format!("2022-11-11 05:05:07.{:06}", bytes / 100).into();
    event["field_values"] = json!([{ "name": "Notes", "value": "x".repeat(bytes) }]);
    event.to_string()
}

async fn post(url: &str, body: String) -> anyhow::Result<Receipt> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(url).header("content-type", "application/json").body(body);
    let response = request.send().await?.error_for_status()?;
    let answer: Value = response.json().await?;
    answer.get("receipt").and_then(Value::as_str).context("a receipt")?.parse().context("read the receipt")
}

async fn status(dev: &Dev) -> anyhow::Result<Status> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/status", dev.ready("edge_url"));
    let response = client.get(url).bearer_auth(dev.ready("edge_token")).send().await?.error_for_status()?;
    response.json().await.context("read the status")
}

#[tokio::test]
async fn a_large_event_is_decided_like_any_other_and_leaves_the_vault() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let dev = Dev::start(dir.path()).await?;
    dev.cli.deploy(&system::plugin("rust")?, &receiver.url("/notices")).await?;

    for (bytes, findings) in [(100_000, 0), (3_000_000, 0), (40_000_000, 2)] {
        let receipt = post(dev.ready("request_url"), large_loan(bytes)).await?;
        let event = dev.cli.settled(receipt).await?;
        let codes: Vec<_> = event.findings.iter().map(|finding| finding.code.as_ref()).collect();
        ensure!(codes.len() == findings, "{bytes} bytes: {codes:?}");
        if findings == 0 {
            ensure!(event.kind == "asset.update" && event.subject == "675", "{bytes} bytes: {event:?}");
            ensure!(event.plans.iter().any(|plan| plan.state == "decided"), "{bytes} bytes: {event:?}");
        } else {
            // Its first 32 MiB are no JSON, so nobody can tell what it is about.
            ensure!(codes == ["truncated", "not-json"], "{bytes} bytes: {codes:?}");
        }
    }
    until("the vault has forgotten the bodies", async || {
        let vault = status(&dev).await?.sources.first().context("a source")?.vault.context("its vault")?;
        Ok((vault.bodies == 0).then_some(()))
    })
    .await
}

#[tokio::test]
async fn what_was_kept_while_the_host_was_down_is_fetched_when_it_is_back() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start(dir.path()).await?;
    let url = dev.ready("request_url").to_owned();
    let receipt = post(&url, large_loan(500_000)).await?;
    // At any moment: fetched or not, recorded or not.
    dev.process.kill().await?;
    let dev = Dev::start(dir.path()).await?;
    let event = dev.cli.settled(receipt).await?;
    ensure!(event.subject == "675" && event.class == "first", "{event:?}");
    until("the vault has forgotten its body", async || {
        let vault = status(&dev).await?.sources.first().context("a source")?.vault.context("its vault")?;
        Ok((vault.bodies == 0).then_some(()))
    })
    .await
}
