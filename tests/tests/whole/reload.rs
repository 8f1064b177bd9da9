//! `tidegate dev --watch`: what is saved decides about the next event, and what is broken changes nothing.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{self, Dev};

const MANIFEST: &str = "name = \"notice\"\nkinds = [\"*\"]\n";

/// The next reload's report.
async fn reloaded(dev: &mut Dev) -> anyhow::Result<Value> {
    serde_json::from_str(&dev.process.line().await?).context("read what was reloaded")
}

fn save(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    fs::write(dir.join(name), content).with_context(|| format!("write {name}"))
}

/// What decides about an event that is sent now.
async fn decides(dev: &Dev, number: usize) -> anyhow::Result<Value> {
    let receipt = Sender::new(dev.ready("request_url"))?.post(&loan(number)).await?;
    Ok(serde_json::to_value(dev.cli.settled(receipt).await?.version)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_replaced_decides_about_the_next_event() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let watched = dir.path().join("notice");
    fs::create_dir(&watched)?;
    save(&watched, "plugin.toml", MANIFEST)?;
    save(&watched, "plugin.wasm", fs::read(system::plugin("c")?.join("plugin.wasm"))?)?;
    let mut dev = Dev::start_as(dir.path(), &["--watch", "notice"], &[]).await?;
    let first = reloaded(&mut dev).await?;
    ensure!(first["plugin"] == "notice" && first["before"].is_null(), "{first}");
    ensure!(decides(&dev, 1).await? == first["version"]);

    save(&watched, "plugin.wasm", fs::read(system::plugin("rust")?.join("plugin.wasm"))?)?;
    let second = reloaded(&mut dev).await?;
    ensure!(second["before"] == first["version"] && second["version"] != first["version"], "{second}");
    ensure!(decides(&dev, 2).await? == second["version"]);

    // More rights need no word here: it is the author's own machine.
    save(&watched, "plugin.toml", format!("{MANIFEST}hosts = [\"x.example\"]\n"))?;
    let third = reloaded(&mut dev).await?;
    ensure!(third["before"] == second["version"] && third["error"].is_null(), "{third}");

    save(&watched, "plugin.wasm", "no component")?;
    let broken = reloaded(&mut dev).await?;
    let error = broken["error"].as_str().context("it says what is wrong")?;
    ensure!(error.contains("not WebAssembly") && broken["version"].is_null(), "{broken}");
    ensure!(decides(&dev, 3).await? == third["version"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_built_when_they_are_saved() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let watched = dir.path().join("notice");
    fs::create_dir(&watched)?;
    let one = system::plugin("c")?.join("plugin.wasm");
    let two = system::plugin("rust")?.join("plugin.wasm");
    // A language like any other: its compiler is a command.
    let manifest = format!("{MANIFEST}[build]\ncommand = \"sh make.sh\"\n");
    let copy = |from: &Path| format!("cp '{}' plugin.wasm\n", from.display());
    save(&watched, "plugin.toml", manifest)?;
    save(&watched, "make.sh", copy(&one))?;
    let mut dev = Dev::start_as(dir.path(), &["--watch", "notice"], &[]).await?;
    let first = reloaded(&mut dev).await?;
    ensure!(first["error"].is_null() && decides(&dev, 1).await? == first["version"], "{first}");

    save(&watched, "make.sh", "echo 'make.sh:1: no such word' >&2; exit 1\n")?;
    let broken = reloaded(&mut dev).await?;
    ensure!(broken["error"].is_string() && decides(&dev, 2).await? == first["version"], "{broken}");
    let log = fs::read_to_string(dir.path().join("dev.log"))?;
    ensure!(log.contains("make.sh:1: no such word"), "the compiler's words are shown: {log}");

    save(&watched, "make.sh", copy(&two))?;
    let second = reloaded(&mut dev).await?;
    ensure!(second["before"] == first["version"] && decides(&dev, 3).await? == second["version"], "{second}");
    Ok(())
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_not_watched() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let said = system::cli::Cli::new(dir.path()).refusal(&["dev", "--watch", "no-such"]).await?;
    ensure!(said.contains("--watch no-such") && said.contains("no such directory"), "{said}");
    Ok(())
}
