//! `tidegate plugin diff` as an author types it: a build against what a running host decided.

use anyhow::ensure;
use serde_json::Value;
use std::process::Output;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{self, Dev};

/// Events that are decided first.
const EVENTS: usize = 5;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_build_is_compared_with_what_was_decided_and_nothing_comes_of_it() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let dev = Dev::start(dir.path()).await?;
    let plugin = system::plugin("rust")?;
    let deployed = dev.cli.deploy(&plugin, &receiver.url("/v1")).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let mut receipts = Vec::new();
    for number in 0..EVENTS {
        receipts.push(sender.post(&loan(number)).await?);
    }
    dev.cli.all_settled(&receipts).await?;

    let (plugin, same) = (plugin.to_string_lossy(), format!("notice_url={}", receiver.url("/v1")));
    let output = dev.cli.run(&["plugin", "diff", &plugin, "--set", &same, "--json"]).await?;
    ensure!(output.status.code() == Some(0), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(report["is_same"] == true && report["tally"]["outcomes"]["same"] == EVENTS, "{report}");

    let other = format!("notice_url={}", receiver.url("/v2"));
    let output = dev.cli.run(&["plugin", "diff", &plugin, "--set", &other, "--events", "last-3"]).await?;
    let text = said(&output);
    ensure!(output.status.code() == Some(1), "{text}");
    let newest = receipts.last().map(ToString::to_string).unwrap_or_default();
    let field = format!("/decisions/0/http/url: \"{}\" -> \"{}\"", receiver.url("/v1"), receiver.url("/v2"));
    for part in ["loan-notice: ", "against what was decided, 3 events", "changed", &field, &newest] {
        ensure!(text.contains(part), "`{text}` should say `{part}`");
    }

    // On another host nothing is recorded of these: the export is asked of the active version, and of the build.
    let export = dir.path().join("events.jsonl");
    let export = export.to_string_lossy();
    dev.cli.output(&["events", "export", "--out", &export]).await?;
    for (setting, code) in [(&same, 0), (&other, 1)] {
        let output = dev.cli.run(&["plugin", "diff", &plugin, "--set", setting, "--file", &export]).await?;
        ensure!(output.status.code() == Some(code), "{}", said(&output));
        ensure!(said(&output).contains(&format!("{EVENTS} events")), "{}", said(&output));
    }

    for wrong in [&["loan-notice"][..], &["no-such-plugin"], &["./nowhere"], &["loan-notice@ffffffff"]] {
        let output = dev.cli.run(&[&["plugin", "diff"], wrong].concat()).await?;
        ensure!(output.status.code() == Some(2) && output.stdout.is_empty(), "{wrong:?}: {}", said(&output));
        ensure!(said(&output).starts_with("error: "), "{}", said(&output));
    }
    let plugins = dev.cli.plugins().await?;
    ensure!(plugins.iter().all(|row| row.version == deployed.version), "{plugins:?}");
    ensure!(receiver.notices().len() == EVENTS, "nothing was performed twice");
    Ok(())
}
