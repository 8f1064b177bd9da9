//! The host says once that it is in a bad way, and once that it is well again.

use super::{SECRET, kinds, stray, told, verified};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::system::{Dev, until};

#[tokio::test]
async fn what_is_parked_is_told_once_across_a_restart_and_once_when_nothing_is() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let mut dev = told(dir.path(), &receiver, &[]).await?;
    stray(&dev, "no event").await?;
    let notices = receiver.until("the alert", |notices| !notices.is_empty()).await?;
    let alert = verified(notices.first().context("one came")?)?;
    ensure!(alert["type"] == "host.parked" && alert["data"]["value"] == 1, "{alert}");
    ensure!(alert["data"]["steps"].to_string().contains("tidegate parked list"), "{alert}");
    stray(&dev, "nor this").await?;
    until("both are parked", async || Ok(Some(dev.cli.parked().await?).filter(|rows| rows.len() == 2)))
        .await?;

    dev.process.signal("TERM").await?;
    dev.process.ended().await?;
    let dev = told(dir.path(), &receiver, &[("TIDEGATE_ALERTS_STORE_BYTES_MAX", "1")]).await?;
    // That it looks, and what it says of another thing, is seen by that.
    let notices = receiver.until("the next alert", |notices| notices.len() > 1).await?;
    ensure!(kinds(&notices)? == ["host.parked", "host.store"], "{:?}", kinds(&notices)?);

    dev.cli.output(&["parked", "drop", "--what", "stray", "--yes"]).await?;
    let notices = receiver.until("that it is over", |notices| notices.len() > 2).await?;
    let kinds = kinds(&notices)?;
    ensure!(kinds == ["host.parked", "host.store", "host.parked.resolved"], "{kinds:?}");
    let listed: Vec<Value> = dev.cli.rows(&["alert", "list", "--json"]).await?;
    let listed: Vec<_> = listed.iter().map(|row| row["kind"].as_str().unwrap_or_default()).collect();
    ensure!(listed == kinds, "{listed:?}");
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_told() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let more = [("TIDEGATE_ALERTS_DISK_PERCENT_MAX", "1")];
    let _dev = told(dir.path(), &receiver, &more).await?;
    let notices = receiver.until("the alert", |notices| !notices.is_empty()).await?;
    let alert = verified(notices.first().context("one came")?)?;
    ensure!(alert["type"] == "host.disk" && alert["data"]["bound"] == 1, "{alert}");
    Ok(())
}

#[tokio::test]
async fn a_test_alert_is_signed_and_what_came_back_is_said() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let cli = tidegate_tests::system::cli::Cli::new(dir.path());
    let silent = cli.refusal(&["alert", "test"]).await?;
    ensure!(silent.contains("alerts.url is not set"), "{silent}");
    let cli = cli.with("TIDEGATE_ALERTS_SECRET", SECRET);
    let good = cli.clone().with("TIDEGATE_ALERTS_URL", &receiver.url("/alerts"));
    let said = good.output(&["alert", "test"]).await?;
    ensure!(said.contains("answered 200 in"), "{said}");
    let notices = receiver.notices();
    let alert = verified(notices.first().context("one came")?)?;
    ensure!(alert["type"] == "test", "{alert}");

    let bad = cli.clone().with("TIDEGATE_ALERTS_URL", &receiver.url_that_answers(&[401]));
    let output = bad.run(&["alert", "test", "--json"]).await?;
    let reply: Value = serde_json::from_slice(&output.stdout)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1) && reply["status"] == 401, "{reply}");
    ensure!(said.contains("TIDEGATE_ALERTS_SECRET"), "{said}");
    let gone = cli.with("TIDEGATE_ALERTS_URL", "http://127.0.0.1:1/secret-path");
    let said = gone.refusal(&["alert", "test"]).await?;
    ensure!(said.contains("send the test alert") && !said.contains("secret-path"), "{said}");
    Ok(())
}

#[tokio::test]
async fn top_and_its_snapshot_show_the_running_host() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start(dir.path()).await?;
    stray(&dev, "no event").await?;
    let seen = until("the stray is seen", async || {
        let seen: Value = dev.cli.json(&["top", "--json"]).await?;
        Ok(Some(seen).filter(|seen| seen["stats"]["parked"] == 1))
    })
    .await?;
    ensure!(seen["oldest_waiting_ms"].is_null() && seen["events"] == serde_json::json!([]), "{seen}");
    // Its output is no terminal here.
    let text = dev.cli.output(&["top"]).await?;
    for word in ["events in", "SOURCE", "PLUGIN", "ACCEPTED"] {
        ensure!(text.contains(word), "`{word}` in {text}");
    }
    let parked = text.lines().find_map(|line| line.strip_prefix("parked"));
    ensure!(parked.is_some_and(|rest| rest.trim() == "1"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_host_that_shares_with_nobody_is_listed_alone_with_all_there_is() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start(dir.path()).await?;
    let report: Value = dev.cli.json(&["hosts", "--json"]).await?;
    let host = &report["hosts"][0];
    ensure!(report["hosts"].as_array().is_some_and(|hosts| hosts.len() == 1), "{report}");
    ensure!(
        host["state"] == "there" && host["is_own"] == true && host["queues"] == serde_json::json!([1]),
        "{report}"
    );
    ensure!(host["partitions"].as_array().is_some_and(|partitions| partitions.len() == 120), "{report}");
    let listed = dev.cli.output(&["hosts"]).await?;
    ensure!(listed.contains(" there ") && listed.contains(" 120* "), "{listed}");
    let top = dev.cli.output(&["top"]).await?;
    ensure!(!top.contains("ERRANDS"), "one alone is no group: {top}");
    Ok(())
}
