//! Metrics of a running host, read by what reads them elsewhere: Prometheus' own library and its `promtool`.

use super::{SOON, metrics, sample};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::collections::HashMap;
use tidegate_tests::checker;
use tidegate_tests::edge::root;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{self, Dev, until};

const READ: &str = "import json, sys\nfrom prometheus_client.parser import text_string_to_metric_families as read\n\
    print(json.dumps([[f.name, f.type, [[s.name, s.labels, s.value] for s in f.samples]] for f in read(sys.stdin.read())]))";

fn promtool(args: &[&str], input: &str) -> anyhow::Result<String> {
    checker::promtool(&root().join("ops/prometheus"), args, input)
}

/// Name, labels and value.
type ReadSample = (String, HashMap<String, String>, f64);

/// Each sample by its name and labels, as Prometheus' library for Python reads them.
fn read(text: &str) -> anyhow::Result<HashMap<String, f64>> {
    let mut python = checker::python("prometheus-client")?;
    python.args(["-c", READ]);
    let families: Vec<(String, String, Vec<ReadSample>)> =
        serde_json::from_str(&checker::said(python, text)?)?;
    let mut samples = HashMap::new();
    for (name, kind, of_family) in families {
        ensure!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{name} is of no kind: {kind}");
        for (name, labels, value) in of_family {
            let mut labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            labels.sort();
            let name = format!("{name} {}", labels.join(" "));
            ensure!(samples.insert(name.trim().to_owned(), value).is_none(), "{name} twice");
        }
    }
    Ok(samples)
}

#[tokio::test]
async fn metrics_are_what_readers_of_them_read() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let dev = Dev::start_with(dir.path(), &SOON).await?;
    dev.cli.deploy(&system::plugin("rust")?, &receiver.url_that_answers(&[500, 200])).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let mut receipts = Vec::new();
    for number in [1, 2, 3, 3] {
        receipts.push(sender.post(&loan(number)).await?);
    }
    dev.cli.all_settled(&receipts).await?;
    // Sources are looked after once a second.
    let text = until("the source is known", async || {
        let text = metrics(&dev).await?;
        let is_there = sample(&text, "tidegate_source_last_event_timestamp_seconds{source=\"amj\"}")
            .is_some()
            && sample(&text, "tidegate_source_failures_left{source=\"amj\"}") == Some(3.0)
            && sample(&text, "tidegate_queue_acknowledged_total") == Some(4.0);
        Ok(is_there.then_some(text))
    })
    .await?;
    let judged = promtool(&["check", "metrics"], &text)?;
    ensure!(judged.is_empty(), "promtool: {judged}");
    let samples = read(&text)?;
    let at =
        |name: &str| samples.get(name).copied().with_context(|| format!("{name} is not in {samples:#?}"));
    let waits_or_parked = at("tidegate_events state=waiting")? + at("tidegate_events state=parked")?;
    ensure!(at("tidegate_incoming_total")? - at("tidegate_events_done_total")? == waits_or_parked);
    let plugins = dev.cli.plugins().await?;
    let version = plugins.first().and_then(|row| row.version.as_ref()).context("there is one")?.short();
    let plugin = format!("plugin=loan-notice version={version}");
    let target = receiver.url("");
    for (name, value) in [
        ("tidegate_incoming_total", 4.0),
        ("tidegate_events_accepted_total class=duplicate", 1.0),
        ("tidegate_source_events_total source=amj", 4.0),
        ("tidegate_queue_delivered_total queue=1", 4.0),
        ("tidegate_queue_backlog queue=1", 0.0),
        ("tidegate_ack_seconds_count", 4.0),
        ("tidegate_decide_seconds_count", 4.0),
        ("tidegate_decide_seconds_bucket le=+Inf", 4.0),
        ("tidegate_commit_seconds_count", 4.0),
        ("tidegate_perform_seconds_count", 3.0),
        ("tidegate_effects_done_total", 3.0),
        (&format!("tidegate_attempts_total outcome=again target={target}"), 3.0),
        (&format!("tidegate_attempts_total outcome=done target={target}"), 3.0),
        (&format!("tidegate_plugin_calls_total {plugin}"), 3.0),
        (&format!("tidegate_deployment_info plugin=loan-notice role=active version={version}"), 1.0),
        ("tidegate_source_state source=amj state=ok", 1.0),
        ("tidegate_edge_answers", 1.0),
        ("tidegate_sandbox_codes_loaded", 1.0),
        ("tidegate_traces_dropped_total", 0.0),
        (concat!("tidegate_build_info version=", env!("CARGO_PKG_VERSION")), 1.0),
    ] {
        ensure!(at(name)? == value, "{name} is {}, not {value}", at(name)?);
    }
    ensure!(at(&format!("tidegate_plugin_call_seconds_total {plugin}"))? > 0.0);
    for (name, least) in [
        ("tidegate_store_bytes", 8_192.0),
        ("tidegate_disk_free_bytes", 8_192.0),
        ("process_start_time_seconds", 1_700_000_000.0),
        ("tidegate_source_last_event_timestamp_seconds source=amj", 1_700_000_000.0),
    ] {
        ensure!(at(name)? > least, "{name} is {}", at(name)?);
    }
    Ok(())
}

#[test]
fn rules_and_queries_are_what_prometheus_understands() -> anyhow::Result<()> {
    promtool(&["check", "rules", "alerts.yml"], "")?;
    promtool(&["test", "rules", "alerts.test.yml"], "")?;

    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(root().join("ops/grafana/tidegate.json"))?)?;
    let variables = dashboard["templating"]["list"].as_array().context("it has variables")?;
    ensure!(
        variables.iter().any(|it| it["type"] == "datasource" && it["name"] == "datasource"),
        "{variables:?}"
    );
    let panels = dashboard["panels"].as_array().context("it has panels")?;
    let mut rules = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        ensure!(panel["datasource"]["uid"] == "${datasource}", "{panel}");
        ensure!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{panel}");
        for target in panel["targets"].as_array().context("it asks for something")? {
            // What Grafana puts in.
            let query = target["expr"].as_str().context("it is a query")?;
            let query = query.replace("$__rate_interval", "1m").replace("$job", "tidegate");
            ensure!(!query.contains('$'), "{query}");
            rules.push(json!({ "record": format!("panel:{}", rules.len()), "expr": query }));
        }
    }
    ensure!(rules.len() > 30, "{} queries", rules.len());
    let file = tempfile::NamedTempFile::with_suffix(".yml")?;
    // JSON is YAML.
    std::fs::write(file.path(), json!({ "groups": [{ "name": "panels", "rules": rules }] }).to_string())?;
    promtool(&["check", "rules", &file.path().to_string_lossy()], "")?;
    Ok(())
}
