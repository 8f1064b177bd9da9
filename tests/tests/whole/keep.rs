//! How what was recorded is kept, with the built `tidegate`: under a key, out of the log, and no longer than its person wants.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tidegate::store::stats::Stats;
use tidegate_tests::sender::Sender;
use tidegate_tests::system::{Dev, actor, stored, until};

/// Words that are nowhere but in what the tests send.
const NAME: &str = "Ottokar Quillfeather";
const ID: &str = "142857142";

/// The guest that does what its event says, and says what it does not know.
async fn deploy(dev: &Dev, dir: &Path) -> anyhow::Result<()> {
    let plugin = actor(dir, "hosts = [\"127.0.0.1:9\"]\n")?;
    dev.cli.output(&["plugin", "deploy", &plugin.to_string_lossy(), "--approve"]).await.map(drop)
}

fn lent(asset: usize, steps: &str) -> Value {
    let loanee = json!({ "id": ID.parse::<u64>().unwrap_or_default(), "name": NAME });
    json!({ "event_type": "asset.update", "id": asset, "loanee": loanee, "do": steps })
}

/// Which of these words stand in these bytes.
fn words_in(bytes: &[u8]) -> Vec<&'static str> {
    let words = ["Ottokar", "Quillfeather", ID];
    words.into_iter().filter(|word| bytes.windows(word.len()).any(|part| part == word.as_bytes())).collect()
}

/// What of these words stands in the store.
fn words_in_store(dir: &Path) -> anyhow::Result<Vec<&'static str>> {
    Ok(stored(dir)?.iter().flat_map(|bytes| words_in(bytes)).collect())
}

async fn found(dev: &Dev) -> anyhow::Result<usize> {
    let rows: Vec<Value> = dev.cli.rows(&["events", "search", NAME, "--json"]).await?;
    Ok(rows.len())
}

#[tokio::test]
async fn a_person_is_not_in_the_log_and_once_forgotten_not_in_the_store() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start_with(dir.path(), &[("RUST_LOG", "tidegate=trace")]).await?;
    deploy(&dev, dir.path()).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let steps = [
        // It panics and writes why; it is not granted; it refuses; it is done; what it wants fails at its target.
        NAME.to_owned(),
        format!("emit {NAME}"),
        format!("park {NAME} asked for it"),
        format!("note lent to {NAME}; remember {NAME}; wake 3600000 {NAME}"),
        "post http://127.0.0.1:9/?who=Ottokar%20Quillfeather".to_owned(),
    ];
    let mut receipts = Vec::new();
    for (asset, steps) in steps.iter().enumerate() {
        receipts.push(sender.post(&lent(asset, steps)).await?);
    }
    let stray = json!({ "body": lent(9, "").to_string(), "content_type": "text" });
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(dev.queue("/messages")).bearer_auth(dev.ready("queue_token")).json(&stray);
    ensure!(request.send().await?.status().is_success());
    until("all of it came", async || {
        let stats: Stats = dev.cli.json(&["stats", "--json"]).await?;
        Ok((stats.incoming == 6).then_some(()))
    })
    .await?;
    until("the effect was tried", async || {
        Ok(dev.cli.event(receipts[4]).await?.effects.first().and_then(|effect| effect.what.clone()))
    })
    .await?;
    let log = dev.process.log()?;
    ensure!(log.contains(&receipts[0].to_string()) && log.contains("events show"), "it does log: {log}");
    ensure!(words_in(log.as_bytes()).is_empty(), "{log}");
    let timeline = dev.cli.output(&["events", "show", &receipts[0].to_string()]).await?;
    ensure!(timeline.contains(&format!("no such step: {NAME}")), "what the plugin wrote is here: {timeline}");

    ensure!(found(&dev).await? == 5 && !words_in_store(dir.path())?.is_empty());
    let looked = dev.cli.output(&["forget", "--person", ID, "--dry-run"]).await?;
    ensure!(looked.contains("would be erased") && found(&dev).await? == 5, "{looked}");
    let report: Value = dev.cli.json(&["forget", "--person", ID, "--by", "a test", "--json"]).await?;
    ensure!(report["left"] == 0 && report["subjects"] == 5, "{report}");
    let said = dev.cli.output(&["forget", "--person", ID]).await?;
    ensure!(said.contains("erased: 0 rows") && said.contains("nothing is left in the store"), "{said}");
    ensure!(found(&dev).await? == 0);
    ensure!(words_in_store(dir.path())?.is_empty(), "{:?}", words_in_store(dir.path()));
    let row = dev.cli.event(receipts[1]).await?;
    ensure!(row.state == "decided" && row.findings.iter().any(|finding| finding.code == "erased"), "{row:?}");
    let log = dev.process.log()?;
    ensure!(log.contains("forgot a person") && words_in(log.as_bytes()).is_empty(), "{log}");
    let refusal = dev.cli.refusal(&["forget", "--name", "Jo"]).await?;
    ensure!(refusal.contains("three characters"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_store_with_a_key_is_of_use_to_whoever_has_it() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let fresh = async || {
        let cli = tidegate_tests::system::cli::Cli::new(dir.path());
        anyhow::Ok(cli.output(&["store", "key"]).await?.trim().to_owned())
    };
    let (first, second) = (fresh().await?, fresh().await?);
    ensure!(first != second && first.len() == 44, "{first} {second}");

    let dev = Dev::start_with(dir.path(), &[("TIDEGATE_STORE_KEY", &first)]).await?;
    deploy(&dev, dir.path()).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let steps = format!("note lent to {NAME}; remember {NAME}");
    let receipt = sender.post(&lent(1, &steps)).await?;
    dev.cli.settled(receipt).await?;
    let parked = sender.post(&lent(2, &format!("park {NAME}"))).await?;
    dev.cli.settled(parked).await?;
    ensure!(words_in_store(dir.path())?.is_empty(), "it is sealed");
    ensure!(found(&dev).await? == 2);
    let shown = dev.cli.output(&["parked", "list", "--reason", "quillfeather"]).await?;
    ensure!(shown.contains(&parked.to_string()), "{shown}");
    dev.process.kill().await?;

    let other = fresh().await?;
    for (env, word) in [
        (vec![], "set TIDEGATE_STORE_KEY to it"),
        (vec![("TIDEGATE_STORE_KEY", other.as_str())], "TIDEGATE_STORE_KEY_OLD"),
        (vec![("TIDEGATE_STORE_KEY", "no key")], "tidegate store key"),
        (vec![("TIDEGATE_STORE_KEY_OLD", first.as_str())], "set both"),
    ] {
        // What it says now, not what it said before.
        fs::remove_file(dir.path().join("dev.log"))?;
        let refused = Dev::start_with(dir.path(), &env).await.err().context("it does not start")?;
        let said = format!("{refused:#}");
        ensure!(said.contains(word) && !said.contains(&first) && !said.contains(&other), "{word}: {said}");
    }

    let rotated = [("TIDEGATE_STORE_KEY", second.as_str()), ("TIDEGATE_STORE_KEY_OLD", first.as_str())];
    let dev = Dev::start_with(dir.path(), &rotated).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let next = sender.post(&lent(1, "tell")).await?;
    let told = dev.cli.settled(next).await?;
    ensure!(told.plans[0].notes.contains(&format!("memory {NAME}")), "{told:?}");
    ensure!(found(&dev).await? == 3 && words_in_store(dir.path())?.is_empty());
    let report: Value = dev.cli.json(&["forget", "--person", ID, "--json"]).await?;
    ensure!(report["left"] == 0 && found(&dev).await? == 0, "{report}");
    Ok(())
}
