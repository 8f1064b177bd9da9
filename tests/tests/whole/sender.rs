//! `tidegate sender` as a person or a program runs it, against receivers that behave well and badly.

use anyhow::Context as _;
use serde_json::Value;
use std::process::Output;
use tempfile::TempDir;
use tidegate_tests::receiver::{Notice, Receiver};
use tidegate_tests::system::cli::Cli;

struct Stage {
    receiver: Receiver,
    cli: Cli,
    dir: TempDir,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        Ok(Self { receiver: Receiver::start().await?, cli: Cli::new(dir.path()), dir })
    }

    /// Runs it against a receiver that gives these answers, with quick retries.
    async fn run(&self, answers: &[u16], args: &[&str]) -> anyhow::Result<Output> {
        let url = self.receiver.url_that_answers(answers);
        let args = [&["sender", &url, "--rate", "1000", "--backoff", "0.001"], args].concat();
        self.cli.run(&args).await
    }

    fn bodies(&self) -> Vec<String> {
        let text = |notice: &Notice| String::from_utf8_lossy(&notice.body).into_owned();
        self.receiver.notices().iter().map(text).collect()
    }
}

fn report(output: &Output) -> anyhow::Result<Value> {
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("read {}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test]
async fn a_receiver_that_takes_all_is_told_so_and_the_printed_seed_repeats_the_run() -> anyhow::Result<()> {
    let (one, two) = (Stage::set().await?, Stage::set().await?);
    let args = ["--events", "40", "--oddities", "many", "--concurrency", "1", "--json"];
    let first = one.run(&[200], &args).await?;
    assert_eq!(first.status.code(), Some(0));
    let report = report(&first)?;
    assert_eq!((&report["run"]["events"], &report["run"]["delivered"]), (&40.into(), &40.into()));
    assert_eq!(report["delivered_all"], true);
    let seed = report["seed"].to_string();
    assert!(String::from_utf8_lossy(&first.stderr).contains(&format!("--seed {seed}")));
    let again = two.run(&[200], &[&args[..], &["--seed", &seed]].concat()).await?;
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(one.bodies(), two.bodies());
    assert_eq!(one.bodies().len(), 40);
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_answers_500_is_cut_off_and_the_exit_code_says_so() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let output = stage.run(&[500], &["--events", "10", "--concurrency", "1"]).await?;
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8(output.stdout)?;
    assert!(table.contains("12 x 500"), "{table}");
    let last = table.lines().last().unwrap_or_default();
    assert!(last.starts_with("cut off: event 2 "), "{table}");
    assert_eq!(stage.bodies().len(), 12, "three events in four attempts each");
    Ok(())
}

#[tokio::test]
async fn the_lines_of_a_file_are_posted_as_they_stand() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let path = stage.dir.path().join("events.jsonl");
    std::fs::write(&path, "{\"id\": 1}\n\n{ \"id\":2,  \"id\":3 }\r\nno JSON\n")?;
    let path = path.to_str().context("the path is UTF-8")?;
    let output = stage.run(&[204], &["--file", path, "--concurrency", "1", "--json"]).await?;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(report(&output)?["seed"], Value::Null);
    assert_eq!(stage.bodies(), ["{\"id\": 1}", "{ \"id\":2,  \"id\":3 }", "no JSON"]);
    Ok(())
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_sent() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    for (args, word) in [
        (&["--rate", "0"][..], "--rate"),
        (&["--concurrency", "0"], "--concurrency"),
        (&["--backoff", "-1"], "--backoff"),
        (&["--file", "nowhere.jsonl"], "nowhere.jsonl"),
    ] {
        let url = stage.receiver.url("/");
        let refusal = stage.cli.refusal(&[&["sender", &url], args].concat()).await;
        // A negative number is refused with the command line's own exit code.
        let said = refusal.unwrap_or_else(|error| format!("{error:#}"));
        assert!(said.contains(word), "{said}");
    }
    let said = stage.cli.refusal(&["sender", "example.com/hook"]).await?;
    assert!(said.contains("http://"), "{said}");
    assert_eq!(stage.bodies().len(), 0);
    Ok(())
}
