//! What is said of a store in a file alone: a backup of a host that works, put back elsewhere, and what `tidegate doctor`
//! finds in it.

use super::doctor::{findings, finds};
use super::stray;
use anyhow::ensure;
use serde_json::Value;
use std::path::{Path, PathBuf};
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

#[tokio::test]
async fn where_everything_is_in_a_database_a_file_that_was_left_is_not_taken_for_it() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    put_golden(dir.path())?;
    let in_file = Cli::new(dir.path());
    in_file.output(&["backup", "host.tar"]).await?;
    let in_database = in_file.with("TIDEGATE_STORE_URL", "postgres://tidegate@db.example/tidegate");
    let said = in_database.refusal(&["backup", "another.tar"]).await?;
    ensure!(said.contains("`store.url`") && said.contains("pg_dump"), "{said}");
    ensure!(!dir.path().join("another.tar").exists());
    let said = in_database.refusal(&["restore", "host.tar", "--force"]).await?;
    ensure!(said.contains("`store.url`") && said.contains("tidegate store copy"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_damaged_store_and_a_newer_one_are_found() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::new(dir.path());
    let store = put_golden(dir.path())?;
    let mut bytes = std::fs::read(&store)?;
    let found = findings(&cli, 1).await?;
    ensure!(found.iter().any(|it| it["check"] == "store" && it["level"] == "ok"), "{found:#?}");
    let (page, half) = (8_192, bytes.len() / 2 / 8_192 * 8_192);
    bytes[half..half + page].fill(0xaa);
    std::fs::write(&store, &bytes)?;
    finds(&cli, "store", "problem", "damaged").await?;
    // Bytes 60 to 63 of a SQLite file are its user version.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&store, &bytes)?;
    finds(&cli, "store", "problem", "schema 99").await
}

/// Puts a store of an earlier day where this directory's host would have its own.
fn put_golden(dir: &Path) -> anyhow::Result<PathBuf> {
    let data = dir.join("data");
    std::fs::create_dir_all(&data)?;
    let store = data.join("store.sqlite");
    std::fs::copy(tidegate_tests::edge::root().join("host/tests/golden/store-v4.sqlite"), &store)?;
    Ok(store)
}
