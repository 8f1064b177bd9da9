//! A backup of a host that works, put back elsewhere.

use super::stray;
use anyhow::ensure;
use serde_json::Value;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::{Dev, until};

#[tokio::test]
async fn a_backup_of_a_working_host_is_put_back_in_another_directory() -> anyhow::Result<()> {
    let (dir, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let env = [("TIDEGATE_STORE_KEY", key)];
    let dev = Dev::start_with(dir.path(), &env).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let mut receipts = Vec::new();
    for number in 1..=20 {
        receipts.push(sender.post(&loan(number)).await?);
    }
    dev.cli.all_settled(&receipts).await?;
    stray(&dev, "no event").await?;
    until("the stray is parked", async || Ok(Some(dev.cli.parked().await?).filter(|it| it.len() == 1)))
        .await?;

    let file = other.path().join("host.tar");
    let name = file.to_str().expect("a path in UTF-8");
    let manifest: Value = dev.cli.json(&["backup", name, "--json"]).await?;
    let rows = manifest["parts"][1]["rows"]["events"].as_u64();
    ensure!(manifest["parts"][0]["name"] == "queue.sqlite" && rows == Some(20), "{manifest}");
    let again = dev.cli.refusal(&["backup", name]).await?;
    ensure!(again.contains("is there already"), "{again}");
    let busy = dev.cli.refusal(&["restore", name, "--force"]).await?;
    ensure!(busy.contains("at work"), "{busy}");
    let bytes = std::fs::read(&file)?;
    ensure!(!bytes.windows(7).any(|part| part == b"John Do"), "what is encrypted stays so");
    sender.post(&loan(21)).await?;

    let elsewhere = Cli::new(other.path());
    let said = elsewhere.output(&["restore", name]).await?;
    ensure!(said.contains("store.sqlite: schema"), "{said}");
    let taken = elsewhere.refusal(&["restore", name]).await?;
    ensure!(taken.contains("--force"), "{taken}");
    let restored = Dev::start_with(other.path(), &env).await?;
    let events = restored.cli.events().await?;
    let same = events.iter().map(|event| event.receipt).eq(receipts.iter().copied());
    ensure!(same && restored.cli.parked().await?.len() == 1, "{events:?}");
    Ok(())
}
