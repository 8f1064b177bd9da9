//! What an operator does about events and about what is parked, with the built `tidegate`: the commands, what they print,
//! and how they end.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::fs;
use tidegate::store::parked::ParkedId;
use tidegate::store::stats::Stats;
use tidegate_envelope::Receipt;
use tidegate_tests::sender::Sender;
use tidegate_tests::system::{Dev, actor, until};

struct Stage {
    dir: tempfile::TempDir,
    dev: Dev,
    sender: Sender,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let dev = Dev::start(dir.path()).await?;
        let sender = Sender::new(dev.ready("request_url"))?;
        let stage = Self { dir, dev, sender };
        stage.deploy("").await?;
        Ok(stage)
    }

    async fn deploy(&self, manifest: &str) -> anyhow::Result<()> {
        let plugin = actor(self.dir.path(), manifest)?;
        self.dev.cli.output(&["plugin", "deploy", &plugin.to_string_lossy(), "--approve"]).await.map(drop)
    }

    async fn post(&self, asset: u32, second: u32, steps: &str) -> anyhow::Result<Receipt> {
        let updated_at = format!("2026-01-01 00:00:{second:02}.000001");
        let event =
            json!({ "event_type": "asset.update", "id": asset, "updated_at": updated_at, "do": steps });
        self.sender.post(&event).await
    }

    /// Runs a command and gives its exit code and what it printed.
    async fn run(&self, args: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
        let output = self.dev.cli.run(args).await?;
        Ok((output.status.code(), String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?))
    }

    async fn stats(&self) -> anyhow::Result<Stats> {
        let stats: Stats = self.dev.cli.json(&["stats", "--json"]).await?;
        ensure!(stats.incoming == stats.done + stats.waiting + stats.parked, "{stats:?}");
        Ok(stats)
    }

    async fn until_stats(&self, what: &str, is: impl Fn(&Stats) -> bool) -> anyhow::Result<()> {
        until(what, async || Ok(Some(self.stats().await?).filter(|stats| is(stats)))).await.map(drop)
    }
}

#[tokio::test]
async fn what_was_mended_is_redriven_and_the_rest_is_dropped() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let first = stage.post(1, 1, "emit loan.ended 1").await?;
    stage.dev.cli.settled(first).await?;
    let behind = stage.post(1, 2, "note behind").await?;
    let other = stage.post(2, 1, "trap").await?;
    stage.until_stats("three events came", |stats| stats.incoming == 3 && stats.plans.held == 1).await?;

    let (code, said) = stage.run(&["parked", "redrive"]).await?;
    ensure!(code == Some(1) && said.contains("say what to redrive"), "{said}");
    let (code, said) = stage.run(&["parked", "redrive", "--reason", "no such reason", "--yes"]).await?;
    ensure!(code == Some(3) && said.contains("nothing that is parked"), "{code:?} {said}");
    let (code, said) = stage.run(&["parked", "redrive", "--all", "--dry-run"]).await?;
    ensure!(code == Some(0) && said.contains("would redrive 2 event"), "{said}");
    let (code, said) = stage.run(&["parked", "redrive", "--all"]).await?;
    ensure!(code == Some(1) && said.contains("--yes"), "nobody is asked where nobody reads: {said}");
    let id = format!("{first}/actor");
    let (code, said) = stage.run(&["parked", "redrive", &id, "--version", "0123"]).await?;
    ensure!(code == Some(1) && said.contains("no version of `actor` begins with 0123"), "{said}");

    let shown = stage.dev.cli.output(&["parked", "show", &id]).await?;
    ensure!(shown.contains("why: ") && shown.contains("loan.ended") && shown.contains("accepted"), "{shown}");
    stage.deploy("emits = [\"loan.ended\"]\n").await?;
    let (code, said) = stage.run(&["parked", "redrive", "--subject", "1", "--yes", "--json"]).await?;
    ensure!(code == Some(0) && said.contains("\"done\":1"), "{said}");
    for receipt in [first, behind] {
        ensure!(stage.dev.cli.settled(receipt).await?.state == "decided");
    }
    let (code, said) =
        stage.run(&["parked", "drop", &format!("{other}/actor"), "--because", "a test"]).await?;
    ensure!(code == Some(0) && said.contains("dropped 1, 0 failed"), "{said}");
    ensure!(stage.dev.cli.parked().await?.is_empty());
    let timeline = stage.dev.cli.output(&["events", "show", &other.to_string()]).await?;
    ensure!(timeline.contains("by a person: a test"), "{timeline}");
    let timeline = stage.dev.cli.output(&["events", "show", &first.to_string()]).await?;
    for word in ["accepted", "queued", "pulled", "class", "decided", "led to", "redriven"] {
        ensure!(timeline.lines().any(|line| line.contains(&format!("  {word}"))), "{word}: {timeline}");
    }
    stage.until_stats("the emitted event is done", |stats| stats.done == 4 && stats.caused == 1).await
}

#[tokio::test]
async fn events_are_found_followed_and_exported() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let mut receipts = Vec::new();
    for asset in 1..=5 {
        let receipt = stage.post(asset, 1, &format!("note needle-{asset}")).await?;
        stage.dev.cli.settled(receipt).await?;
        receipts.push(receipt);
    }
    let listed = async |args: &[&str]| {
        let rows: Vec<Value> = stage.dev.cli.rows(&[&["events"], args, &["--json"]].concat()).await?;
        let receipts = rows.iter().filter_map(|row| row["receipt"].as_str()?.parse().ok());
        anyhow::Ok(receipts.collect::<Vec<Receipt>>())
    };
    ensure!(listed(&["list"]).await? == receipts);
    ensure!(listed(&["list", "--last", "2"]).await? == receipts[3..]);
    ensure!(listed(&["list", "--subject", "3", "--since", "1h"]).await? == receipts[2..3]);
    ensure!(listed(&["list", "--newest-first", "--last", "1"]).await? == receipts[4..]);
    ensure!(listed(&["search", "needle-2"]).await? == receipts[1..2]);
    ensure!(listed(&["list", "--class", "stale"]).await?.is_empty());

    let out = stage.dir.path().join("events.jsonl");
    let path = out.to_string_lossy().into_owned();
    stage.dev.cli.output(&["events", "export", "--out", &path]).await?;
    ensure!(stage.dev.cli.refusal(&["events", "export", "--out", &path]).await?.contains("--after"));
    let lines = || -> anyhow::Result<Vec<Value>> {
        fs::read_to_string(&out)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    };
    let exported = lines()?;
    let cursor = exported.last().context("there are lines")?["cursor"].to_string();
    let content = exported[0]["payload"]["content"].as_str().context("it has a payload")?;
    ensure!(exported.len() == 5 && content.contains("needle-1"), "{exported:?}");

    let mut tail = tidegate_tests::system::start(
        stage.dir.path(),
        &["events", "tail", "--json", "--last", "1", "--subject", "5", "--data", "data"],
    )?;
    let followed = |line: &str| -> anyhow::Result<Receipt> {
        let row: Value = serde_json::from_str(line)?;
        row["receipt"].as_str().context("it has a receipt")?.parse().context("read it")
    };
    ensure!(followed(&tail.line().await?)? == receipts[4]);
    stage.post(6, 1, "note another asset").await?;
    let next = stage.post(5, 2, "note later").await?;
    ensure!(followed(&tail.line().await?)? == next);
    stage.dev.cli.settled(next).await?;
    stage.dev.cli.output(&["events", "export", "--out", &path, "--after", &cursor]).await?;
    ensure!(lines()?.len() == 7, "it went on where it ended");
    Ok(())
}

#[tokio::test]
async fn metrics_are_the_store_s_own_numbers_and_want_the_token() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let receipt = stage.post(1, 1, "trap").await?;
    stage.dev.cli.settled(receipt).await?;
    let url = format!("{}/metrics", stage.dev.ready("admin_url"));
    let client = reqwest::Client::builder().no_proxy().build()?;
    ensure!(client.get(&url).send().await?.status() == 401);
    let answer = client.get(&url).bearer_auth(stage.dev.ready("admin_token")).send().await?;
    let text = answer.error_for_status()?.text().await?;
    for line in [
        "tidegate_incoming_total 1",
        "tidegate_events{state=\"parked\"} 1",
        "tidegate_plans{state=\"parked\"} 1",
    ] {
        ensure!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    let row = stage.dev.cli.parked().await?.into_iter().next().context("it is parked")?;
    ensure!(matches!(row.id, ParkedId::Plan(of, _) if of == receipt), "{row:?}");
    Ok(())
}
