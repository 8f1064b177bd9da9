//! The commands that ask a running host, as an operator types them. Knows nothing of the API behind them.

use super::{command, until};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Output;
use tidegate::admin::plugins::PluginRow;
use tidegate::deploy::Deployed;
use tidegate::store::{EventRow, ParkedRow};
use tidegate_envelope::Receipt;

/// The commands, typed in one directory.
#[derive(Clone, Debug)]
pub struct Cli {
    dir: PathBuf,
    /// Where the user's notes of hosts are.
    state: PathBuf,
    /// What says which host is meant.
    host: &'static [&'static str],
    env: Vec<(&'static str, String)>,
}

impl Cli {
    /// The commands for the host that works in this directory's `data`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            state: dir.join(super::STATE),
            host: &["--data", "data"],
            env: Vec::new(),
        }
    }

    /// The commands in this directory, for the host that works in another one and is not named.
    #[must_use]
    pub fn elsewhere(dir: &Path, host_dir: &Path) -> Self {
        Self { dir: dir.to_owned(), state: host_dir.join(super::STATE), host: &[], env: Vec::new() }
    }

    /// The same with another environment.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    /// Runs `tidegate` with these arguments to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn run(&self, args: &[&str]) -> anyhow::Result<Output> {
        let mut command = command(&self.dir, args, &[])?;
        command.env("XDG_STATE_HOME", &self.state).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.args(self.host).kill_on_drop(true).output().await.context("run tidegate")
    }

    /// Runs it and gives what it prints.
    ///
    /// # Errors
    /// When it fails: the error is what it said.
    pub async fn output(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.run(args).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tidegate {}: {}", args.join(" "), said.trim());
        String::from_utf8(output.stdout).context("read what tidegate printed")
    }

    /// Runs it, expects it to fail with exit code 1, and gives its last line.
    ///
    /// # Errors
    /// When it does not.
    pub async fn refusal(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.run(args).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(1), "tidegate {}: {}: {said}", args.join(" "), output.status);
        ensure!(output.stdout.is_empty(), "a refusal prints nothing on standard output");
        Ok(said)
    }

    /// Runs it and reads what it prints: one JSON value per line.
    ///
    /// # Errors
    /// When it fails, or prints something else.
    pub async fn rows<T: serde::de::DeserializeOwned>(&self, args: &[&str]) -> anyhow::Result<Vec<T>> {
        rows(&self.output(args).await?)
    }

    /// Runs it and reads what it prints: one JSON value.
    ///
    /// # Errors
    /// As [`Cli::rows`].
    pub async fn json<T: serde::de::DeserializeOwned>(&self, args: &[&str]) -> anyhow::Result<T> {
        serde_json::from_str(&self.output(args).await?).context("read what tidegate printed")
    }

    /// Deploys a plugin with its notices going to this URL.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn deploy(&self, plugin: &Path, notice_url: &str) -> anyhow::Result<Deployed> {
        let plugin = plugin.to_str().context("the plugin's path is UTF-8")?;
        let setting = format!("notice_url={notice_url}");
        let printed = self.output(&["plugin", "deploy", plugin, "--set", &setting, "--json"]).await?;
        serde_json::from_str(&printed).context("read what the deployment printed")
    }

    /// The plugins at work.
    ///
    /// # Errors
    /// When no host answers.
    pub async fn plugins(&self) -> anyhow::Result<Vec<PluginRow>> {
        rows(&self.output(&["plugin", "list", "--json"]).await?)
    }

    /// All events, oldest first.
    ///
    /// # Errors
    /// When no host answers.
    pub async fn events(&self) -> anyhow::Result<Vec<EventRow>> {
        rows(&self.output(&["events", "list", "--json"]).await?)
    }

    /// All that is parked, oldest first.
    ///
    /// # Errors
    /// When no host answers.
    pub async fn parked(&self) -> anyhow::Result<Vec<ParkedRow>> {
        rows(&self.output(&["parked", "list", "--json"]).await?)
    }

    /// One event.
    ///
    /// # Errors
    /// When no host answers, or it does not know the event.
    pub async fn event(&self, receipt: Receipt) -> anyhow::Result<EventRow> {
        let printed = self.output(&["events", "show", &receipt.to_string(), "--json"]).await?;
        serde_json::from_str(&printed).context("read an event")
    }

    /// Waits until an event has nothing before it: it is not waiting, and neither is any of its effects.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn settled(&self, receipt: Receipt) -> anyhow::Result<EventRow> {
        until(&format!("{receipt} is settled"), async || {
            Ok(Some(self.event(receipt).await?).filter(is_settled))
        })
        .await
    }

    /// Waits until all of these events are settled, and gives all events there are.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn all_settled(&self, receipts: &[Receipt]) -> anyhow::Result<Vec<EventRow>> {
        until("all events are settled", async || {
            let events = self.events().await?;
            let known: HashSet<_> = events.iter().map(|event| event.receipt).collect();
            let are_known = receipts.iter().all(|receipt| known.contains(receipt));
            Ok(Some(events).filter(|events| are_known && events.iter().all(is_settled)))
        })
        .await
    }
}

/// Whether nothing is waiting any more.
fn is_settled(event: &EventRow) -> bool {
    event.state != "waiting" && event.effects.iter().all(|effect| effect.state != "waiting")
}

fn rows<T: serde::de::DeserializeOwned>(printed: &str) -> anyhow::Result<Vec<T>> {
    printed.lines().map(|line| serde_json::from_str(line).with_context(|| format!("read {line}"))).collect()
}

/// One line of `events list --json` as it stands, for what its keys are.
///
/// # Errors
/// When the event is not listed.
pub fn raw_line(printed: &str, receipt: Receipt) -> anyhow::Result<Value> {
    let receipt = receipt.to_string();
    let line = printed.lines().find(|line| line.contains(&receipt)).context("the event is listed")?;
    serde_json::from_str(line).context("read the event's line")
}
