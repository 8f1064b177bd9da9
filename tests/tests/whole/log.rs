//! What a plugin writes, from its print to the people who look for it: its author's commands and the event's timeline.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tidegate_tests::edge::root;
use tidegate_tests::sender::Sender;
use tidegate_tests::system::{Dev, cli::Cli};

/// The guest that writes, as a plugin that is asked about everything.
fn plugin(dir: &Path) -> anyhow::Result<PathBuf> {
    let component = root().join("tests/guests/nosy/guest.wasm");
    ensure!(component.exists(), "{} is missing; type: cargo xtask plugins", component.display());
    let dir = dir.join("nosy");
    fs::create_dir_all(dir.join("events"))?;
    fs::copy(component, dir.join("plugin.wasm"))?;
    fs::write(dir.join("plugin.toml"), "name = \"nosy\"\nkinds = [\"*\"]\n")?;
    for kind in ["output", "panic"] {
        fs::write(
            dir.join(format!("events/{kind}.json")),
            json!({ "event_type": kind, "id": 7 }).to_string(),
        )?;
    }
    Ok(dir)
}

#[tokio::test]
async fn an_author_reads_what_a_plugin_wrote() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::new(dir.path());
    let nosy = plugin(dir.path())?.to_string_lossy().into_owned();
    let run = async |args: &[&str]| {
        let output = cli.run(&[&["plugin"], args].concat()).await?;
        anyhow::Ok((output.status.code(), String::from_utf8(output.stdout)?))
    };
    let event = |kind| format!("{nosy}/events/{kind}.json");

    let (code, printed) = run(&["run", &nosy, &event("output")]).await?;
    ensure!(code == Some(0), "{printed}");
    for line in ["log       a line\n", "log       error: an error\n", "log       odd: \u{fffd} \\u{1b}[2J\n"]
    {
        ensure!(printed.contains(line), "{line}: {printed}");
    }
    let (code, printed) = run(&["run", &nosy, &event("panic"), "--json"]).await?;
    let report: Value = serde_json::from_str(&printed)?;
    let lines = report["log"]["lines"].as_array().context("lines")?;
    ensure!(code == Some(1) && report["answer"]["fault"]["name"] == "trap", "{report}");
    ensure!(lines.contains(&json!({ "level": "error", "text": "no handler for panic" })), "{report}");

    // What is written is no answer: a case is not held to it, and one that passes does not show it.
    run(&["test", &nosy, "--update"]).await?;
    let (code, printed) = run(&["test", &nosy]).await?;
    ensure!(code == Some(1) && printed.contains("    log: error: no handler for panic\n"), "{printed}");
    ensure!(!printed.contains("a line"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn an_operator_reads_on_the_events_timeline_what_a_plugin_wrote() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start(dir.path()).await?;
    dev.cli.output(&["plugin", "deploy", &plugin(dir.path())?.to_string_lossy()]).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    for (kind, state, line) in [("output", "decided", "error: an error"), ("panic", "parked", "error: of 7")]
    {
        let receipt = sender.post(&json!({ "event_type": kind, "id": 7 })).await?;
        let event = dev.cli.settled(receipt).await?;
        let plan = event.plans.first().context("it was asked")?;
        ensure!(event.state == state && plan.log.left_out_bytes == 0, "{event:?}");
        let shown = dev.cli.output(&["events", "show", &receipt.to_string()]).await?;
        ensure!(shown.lines().any(|shown| shown.contains("log") && shown.ends_with(line)), "{shown}");
    }
    // About another asset: the one that is parked holds what comes after it.
    let receipt = sender.post(&json!({ "event_type": "calm", "id": 8 })).await?;
    dev.cli.settled(receipt).await?;
    let json = dev.cli.output(&["events", "show", &receipt.to_string(), "--json"]).await?;
    ensure!(!json.contains("\"log\""), "what wrote nothing has no log: {json}");
    Ok(())
}
