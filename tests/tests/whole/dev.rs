//! `tidegate dev` as a person or a program drives it, from its first line to its end by any means.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use std::collections::BTreeSet;
use std::path::Path;
use tidegate_envelope::{Receipt, SourceName, Unsealed};
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::cli::raw_line;
use tidegate_tests::system::process::{processes_with, signal};
use tidegate_tests::system::{self, Dev, QueuePlace, until};

/// Second attempts come soon, and so does what a killed host held.
const SOON: [(&str, &str); 2] =
    [("TIDEGATE_RETRY_FIRST_MS", "50"), ("TIDEGATE_QUEUE_VISIBILITY_TIMEOUT_MS", "2000")];

/// The process ids of the workerds that were started for this directory.
fn workerds(dir: &Path) -> anyhow::Result<Vec<u32>> {
    processes_with("data/edge/config.capnp", dir)
}

/// A `tidegate dev` with the Rust plugin deployed, its notices going to a receiver.
async fn with_plugin(dir: &Path, notice_url: &str) -> anyhow::Result<(Dev, Sender)> {
    let dev = Dev::start_with(dir, &SOON).await?;
    dev.cli.deploy(&system::plugin("rust")?, notice_url).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    Ok((dev, sender))
}

fn keys(value: &serde_json::Value) -> BTreeSet<String> {
    value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

#[tokio::test]
async fn its_first_line_says_where_everything_is() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start(dir.path()).await?;
    let line: serde_json::Value = serde_json::from_str(&dev.line)?;
    let promised = [
        "request_url",
        "page_url",
        "admin_url",
        "queue_url",
        "account_id",
        "queue_id",
        "queue_token",
        "data",
    ]
    .map(str::to_owned);
    ensure!(keys(&line).is_superset(&BTreeSet::from(promised)), "{line}");
    ensure!(dev.ready("request_url").starts_with("http://127.0.0.1:"), "{line}");
    ensure!(Path::new(dev.ready("data")) == dir.path().join("data"), "{line}");

    let client = reqwest::Client::builder().no_proxy().build()?;
    let queue = client.get(dev.queue("")).bearer_auth(dev.ready("queue_token")).send().await?;
    ensure!(queue.status().is_success(), "{} answered {}", dev.queue(""), queue.status());
    let health = client.get(format!("{}/healthz", dev.ready("admin_url"))).send().await?;
    ensure!(health.status().is_success(), "the admin API answered {}", health.status());
    Ok(())
}

#[tokio::test]
async fn any_method_and_any_body_is_taken_and_listed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let (dev, sender) = with_plugin(dir.path(), &receiver.url("/notices")).await?;
    let mut receipts = Vec::new();
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET", "PROPFIND"] {
        let body = if method == "GET" { String::new() } else { format!("{method}: not JSON") };
        let method = Method::from_bytes(method.as_bytes())?;
        receipts.push(sender.send(method, "text/plain", body).await?);
    }
    receipts.push(sender.send(Method::POST, "application/octet-stream", vec![0xff, 0, 0xfe]).await?);
    receipts.push(sender.send(Method::POST, "application/json", "{\"event_type\":").await?);
    for event in dev.cli.all_settled(&receipts).await? {
        ensure!(event.state == "decided" && event.plans.is_empty() && event.plugin.is_none(), "{event:?}");
        ensure!(event.kind.is_empty() && event.subject.is_empty(), "{event:?}");
    }
    ensure!(receiver.notices().is_empty(), "what is no loan causes nothing");
    Ok(())
}

#[tokio::test]
async fn the_same_bytes_again_are_a_duplicate_and_cause_nothing() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let (dev, sender) = with_plugin(dir.path(), &receiver.url("/notices")).await?;
    let first = sender.post(&loan(1)).await?;
    let event = dev.cli.settled(first).await?;
    ensure!((event.class.as_str(), event.effects.len()) == ("first", 1), "{event:?}");

    let again = sender.post(&loan(1)).await?;
    let event = dev.cli.settled(again).await?;
    ensure!(event.class == "duplicate" && event.state == "decided", "{event:?}");
    ensure!(event.duplicate_of == Some(first), "{event:?}");
    // A notice that another event's is after would have come by now.
    let other = sender.post(&loan(2)).await?;
    receiver.until_answered(&other.to_string(), 200).await?;
    ensure!(receiver.notices().len() == 2, "{:?}", receiver.notices());

    let printed = dev.cli.output(&["events", "list", "--json"]).await?;
    let promised = [
        "receipt",
        "source",
        "kind",
        "subject",
        "class",
        "state",
        "plugin",
        "version",
        "received_at_ms",
        "queued_at_ms",
        "pulled_at_ms",
        "decided_at_ms",
        "performed_at_ms",
        "plans",
        "effects",
    ];
    for receipt in [first, again] {
        let line = raw_line(&printed, receipt)?;
        ensure!(keys(&line).is_superset(&promised.map(str::to_owned).into()), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn a_restart_keeps_urls_events_and_plugins() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let (mut dev, sender) = with_plugin(dir.path(), &receiver.url("/notices")).await?;
    let before = sender.post(&loan(1)).await?;
    dev.cli.settled(before).await?;
    let (plugins, line) = (dev.cli.plugins().await?, dev.line.clone());
    dev.process.signal("TERM").await?;
    ensure!(dev.process.ended().await?.success(), "SIGTERM is an orderly end");

    let again = Dev::start(dir.path()).await?;
    for key in ["request_url", "queue_url", "account_id", "queue_id", "queue_token", "data"] {
        ensure!(again.ready(key) == dev.ready(key), "{key}: {line} became {}", again.line);
    }
    let versions = |rows: &[tidegate::admin::plugins::PluginRow]| {
        rows.iter().map(|row| row.version.clone()).collect::<Vec<_>>()
    };
    ensure!(versions(&again.cli.plugins().await?) == versions(&plugins), "the plugin is still at work");
    let same = sender.post(&loan(1)).await?;
    ensure!(again.cli.settled(same).await?.class == "duplicate", "what was known is known");
    let after = sender.post(&loan(2)).await?;
    receiver.until_answered(&after.to_string(), 200).await?;
    let events = again.cli.all_settled(&[before, same, after]).await?;
    ensure!(events.len() == 3, "{events:?}");
    Ok(())
}

#[tokio::test]
async fn an_edge_that_dies_is_started_again_at_the_same_url() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let (dev, sender) = with_plugin(dir.path(), &receiver.url("/notices")).await?;
    for number in 0..2 {
        let edges = workerds(dir.path())?;
        ensure!(edges.len() == 1, "one workerd runs for one dev: {edges:?}");
        for edge in edges {
            signal(edge, "KILL").await?;
        }
        let taken = sender.post_until_taken(&loan(number)).await?;
        receiver.until_answered(&taken.receipt.to_string(), 200).await?;
        dev.cli.settled(taken.receipt).await?;
    }
    Ok(())
}

#[tokio::test]
async fn ctrl_c_and_sigterm_end_it_and_its_edge() -> anyhow::Result<()> {
    for name in ["INT", "TERM"] {
        let dir = tempfile::tempdir()?;
        let mut dev = Dev::start(dir.path()).await?;
        ensure!(workerds(dir.path())?.len() == 1, "workerd is found by its configuration");
        dev.process.signal(name).await?;
        let status = dev.process.ended().await?;
        ensure!(status.code() == Some(0), "SIG{name}: {status}: {}", dev.process.log()?);
        ensure!(workerds(dir.path())?.is_empty(), "SIG{name} leaves no workerd behind");
    }
    Ok(())
}

#[tokio::test]
async fn after_kill_9_it_starts_again_at_the_same_url_and_finishes_what_was_accepted() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let (dev, sender) = with_plugin(dir.path(), &receiver.url("/notices")).await?;
    let mut receipts = Vec::new();
    for number in 0..20 {
        receipts.push(sender.post(&loan(number)).await?);
    }
    let url = dev.ready("request_url").to_owned();
    dev.process.kill().await?;
    until("workerd ends with its parent", async || Ok(workerds(dir.path())?.is_empty().then_some(())))
        .await?;

    let again = Dev::start_with(dir.path(), &SOON).await?;
    ensure!(again.ready("request_url") == url, "{url} became {}", again.ready("request_url"));
    receipts.push(sender.post(&loan(20)).await?);
    let events = again.cli.all_settled(&receipts).await?;
    ensure!(events.len() == 21, "{} events", events.len());
    for event in &events {
        ensure!(event.effects.iter().filter(|effect| effect.state == "done").count() == 1, "{event:?}");
    }
    let keys: BTreeSet<_> = receiver.notices().into_iter().map(|notice| notice.key).collect();
    ensure!(keys.len() == 21, "{} keys were seen", keys.len());
    Ok(())
}

#[tokio::test]
async fn two_on_one_directory_are_one_too_many() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dev = Dev::start(dir.path()).await?;
    let said = dev.cli.refusal(&["dev", "--json"]).await?;
    ensure!(said.contains("data") && (said.contains("in use") || said.contains("open")), "{said}");
    ensure!(said.contains("--data") || said.contains("another directory"), "it says what to do: {said}");
    let sender = Sender::new(dev.ready("request_url"))?;
    dev.cli.settled(sender.post(&loan(1)).await?).await?;
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_refused_by_name_and_line() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cli = system::cli::Cli::new(dir.path());
    std::fs::write(dir.path().join("tidegate.toml"), "[queue]\nbatch_max = 7\nbatch_maxx = 8\n")?;
    for command in ["dev", "run"] {
        let said = cli.refusal(&[command]).await?;
        for word in ["tidegate.toml", "batch_maxx", "line 3"] {
            ensure!(said.contains(word), "`{said}` should say `{word}`");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_fails_is_tried_again_under_the_same_key_and_one_that_refuses_is_parked()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let (dev, sender) = with_plugin(dir.path(), &receiver.url_that_answers(&[500, 500, 200])).await?;
    let receipt = sender.post(&loan(1)).await?;
    let event = dev.cli.settled(receipt).await?;
    let effect = event.effects.first().context("it has an effect")?;
    ensure!((effect.state.as_str(), effect.attempts) == ("done", 3), "{effect:?}");
    let notices = receiver.until_answered(&receipt.to_string(), 200).await?;
    let seen: Vec<_> = notices.iter().map(|notice| (notice.key.as_str(), notice.status)).collect();
    ensure!(seen == [500, 500, 200].map(|status| (effect.key.as_str(), status)), "{seen:?}");
    ensure!(notices.windows(2).all(|pair| pair[0].body == pair[1].body), "a repeat is the same to the byte");

    dev.cli.deploy(&system::plugin("rust")?, &receiver.url_that_answers(&[404])).await?;
    let receipt = sender.post(&loan(2)).await?;
    let event = dev.cli.settled(receipt).await?;
    ensure!(
        event.effects.iter().all(|effect| (effect.state.as_str(), effect.attempts) == ("parked", 1)),
        "{event:?}"
    );
    let parked = dev.cli.parked().await?;
    ensure!(parked.len() == 1, "{parked:?}");
    let row = parked.first().context("there is one")?;
    ensure!(row.what == "effect" && row.why.contains("404"), "{row:?}");
    ensure!(row.receipt == Some(receipt), "{row:?}");
    Ok(())
}

#[tokio::test]
async fn without_the_setting_for_development_loopback_is_refused() -> anyhow::Result<()> {
    const TOKEN: &str = "queue-horse-battery";
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let place = QueuePlace {
        dir: dir.path(),
        rest_port: system::lasting_port()?,
        binding_port: 0,
        name: "q",
        token: TOKEN,
    };
    let queue = system::Queue::start(place).await?;
    let base = format!("http://{}/client/v4", system::local(place.rest_port));
    let env = [
        ("TIDEGATE_QUEUE_BASE_URL", base.as_str()),
        ("TIDEGATE_QUEUE_ACCOUNT_ID", "00000000000000000000000000000000"),
        ("TIDEGATE_QUEUE_QUEUE_ID", queue.id()),
        ("TIDEGATE_QUEUE_TOKEN", TOKEN),
    ];
    let host = system::start_run(dir.path(), &env)?;
    let cli = system::cli::Cli::new(dir.path());
    until("the host answers", async || Ok(Some(cli.plugins().await?))).await?;
    cli.deploy(&system::plugin("rust")?, &receiver.url("/notices")).await?;

    let (receipt, body) = (Receipt::new(1_700_000_000_000, 7), loan(1).to_string());
    let envelope = Unsealed {
        receipt,
        source: &SourceName::new("amj")?,
        profile: Some("amj"),
        method: "POST",
        headers: &[],
        content_type: Some("application/json"),
    };
    let url = format!("{base}/accounts/00000000000000000000000000000000/queues/{}/messages", queue.id());
    let message = serde_json::json!({ "body": envelope.seal(body.as_bytes())?, "content_type": "text" });
    let client = reqwest::Client::builder().no_proxy().build()?;
    client.post(url).bearer_auth(TOKEN).json(&message).send().await?.error_for_status()?;

    let event = cli.settled(receipt).await?;
    ensure!(
        event.effects.iter().all(|effect| effect.state == "parked") && !event.effects.is_empty(),
        "{event:?}"
    );
    let parked = cli.parked().await?;
    let row = parked.first().context("something is parked")?;
    ensure!(
        row.what == "effect" && row.why.contains("127.0.0.1") && row.why.contains("only public addresses"),
        "{row:?}"
    );
    ensure!(receiver.notices().is_empty(), "nothing was dialled");
    host.kill().await?;
    Ok(())
}
