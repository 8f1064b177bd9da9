//! The way of one event as one trace, in a real collector; and what becomes of it without one.

use super::{SOON, metrics, sample};
use anyhow::{Context as _, ensure};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::time::Instant;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::collector::Collector;
use tidegate_tests::system::{self, Dev, local, until};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn one<'a>(spans: &'a [Span], name: &str) -> anyhow::Result<&'a Span> {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    ensure!(found.len() == 1, "there are {} {name}: {spans:#?}", found.len());
    Ok(found[0])
}

fn said<'a>(span: &'a Span, key: &str) -> Option<&'a AnyValue> {
    span.attributes.iter().find(|it| it.key == key)?.value.as_ref()?.value.as_ref()
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match said(span, key)? {
        AnyValue::StringValue(text) => Some(text),
        _ => None,
    }
}

fn is_beneath(span: &Span, parent: &Span) -> bool {
    span.parent_span_id == parent.span_id && span.trace_id == parent.trace_id
}

async fn start(dir: &std::path::Path, url: &str) -> anyhow::Result<Dev> {
    let telemetry = [("TIDEGATE_TELEMETRY_OTLP_URL", url), ("TIDEGATE_TELEMETRY_METRICS_MS", "1000")];
    Dev::start_with(dir, &[&SOON[..], &telemetry].concat()).await
}

#[tokio::test]
async fn one_event_is_one_trace_from_the_edge_to_its_effect() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (receiver, collector) = (Receiver::start().await?, Collector::start().await?);
    let dev = start(dir.path(), &collector.url).await?;
    dev.cli.deploy(&system::plugin("rust")?, &receiver.url_that_answers(&[500, 200])).await?;
    let receipt = Sender::new(dev.ready("request_url"))?.post(&loan(1)).await?;
    let notices = receiver.until_answered(&receipt.to_string(), 200).await?;

    let spans = collector.until_spans(receipt.to_bytes(), 7).await?;
    ensure!(spans.len() == 7, "{spans:#?}");
    let [edge, pull, decide, ask, commit] =
        ["edge", "pull", "decide", "ask", "commit"].map(|name| one(&spans, name));
    let (edge, pull, decide, ask, commit) = (edge?, pull?, decide?, ask?, commit?);
    ensure!(edge.parent_span_id.is_empty(), "it is the root: {edge:?}");
    for (span, parent) in [(pull, edge), (decide, pull), (ask, decide), (commit, decide)] {
        ensure!(is_beneath(span, parent), "{span:?} is not beneath {parent:?}");
        ensure!(
            parent.start_time_unix_nano <= span.start_time_unix_nano.saturating_add(1_000_000),
            "{span:?}"
        );
    }
    let row = dev.cli.event(receipt).await?;
    ensure!(edge.start_time_unix_nano == row.received_at_ms * 1_000_000);
    ensure!(pull.start_time_unix_nano == row.queued_at_ms * 1_000_000);
    ensure!(commit.start_time_unix_nano == row.decided_at_ms * 1_000_000);
    for span in [edge, ask] {
        let (receipt, subject) = (receipt.to_string(), loan(1)["id"].to_string());
        let ids = [
            ("tidegate.receipt", receipt.as_str()),
            ("tidegate.source", "amj"),
            ("tidegate.subject", &subject),
        ];
        ensure!(ids.iter().all(|(key, value)| text(span, key) == Some(value)), "{span:?}");
    }
    ensure!(text(ask, "tidegate.plugin") == Some("loan-notice"), "{ask:?}");
    ensure!(text(ask, "tidegate.version") == row.version.as_ref().map(|version| version.as_str()), "{ask:?}");
    let mut effects: Vec<_> = spans.iter().filter(|span| span.name == "effect").collect();
    effects.sort_by_key(|span| span.start_time_unix_nano);
    ensure!(
        effects.len() == notices.len() && effects.iter().all(|span| is_beneath(span, decide)),
        "{effects:?}"
    );
    ensure!(effects[0].status.as_ref().is_some_and(|status| status.message.contains("500")), "{effects:?}");
    ensure!(said(effects[1], "http.response.status_code") == Some(&AnyValue::IntValue(200)), "{effects:?}");
    for (notice, span) in notices.iter().zip(effects) {
        let header = notice.headers.get("traceparent").context("the target is told its place")?.to_str()?;
        ensure!(
            header == format!("00-{}-{}-01", hex::encode(&span.trace_id), hex::encode(&span.span_id)),
            "{header}: {span:?}"
        );
    }
    ensure!(!format!("{spans:?}").contains("John Do"), "nobody is named");

    let metric = collector.until_metric("tidegate_decide_seconds").await?;
    let Some(Data::Histogram(histogram)) = metric.data else { anyhow::bail!("{metric:?}") };
    ensure!(metric.unit == "s" && histogram.data_points.len() == 1, "{histogram:?}");
    collector.until_metric("tidegate_incoming_total").await?;
    Ok(())
}

#[tokio::test]
async fn a_senders_trace_goes_on_after_the_host_was_killed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (receiver, collector) = (Receiver::start().await?, Collector::start().await?);
    let dev = start(dir.path(), &collector.url).await?;
    let statuses = [500; 40];
    dev.cli
        .deploy(&system::plugin("rust")?, &receiver.url_that_answers(&[&statuses[..], &[200]].concat()))
        .await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let post = |traceparent: String| {
        let request = client.post(dev.ready("request_url")).header("traceparent", traceparent);
        request.header("content-type", "application/json")
    };
    let answer = post(PARENT.to_owned()).body(loan(1).to_string()).send().await?;
    ensure!(answer.status() == 202, "{}", answer.status());
    // One that its sender does not tell is not told here either.
    let quiet = PARENT.replace("4bf9", "5bf9").replace("-01", "-00");
    ensure!(post(quiet).body(loan(2).to_string()).send().await?.status() == 202);
    let trace_id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    collector.until_spans(trace_id, 6).await?;
    dev.process.kill().await?;
    let before = collector.spans(trace_id).len();

    let dev = start(dir.path(), &collector.url).await?;
    let spans = collector.until_spans(trace_id, before + 1).await?;
    let (edge, decide) = (one(&spans, "edge")?, one(&spans, "decide")?);
    ensure!(hex::encode(&edge.parent_span_id) == "00f067aa0ba902b7", "beneath the sender's: {edge:?}");
    let effects: Vec<_> = spans.iter().filter(|span| span.name == "effect").collect();
    ensure!(effects.len() > 1 && effects.iter().all(|span| is_beneath(span, decide)), "{effects:?}");
    let untold = 0x5bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    ensure!(collector.spans(untold).is_empty(), "{:?}", collector.spans(untold));
    drop(dev);
    Ok(())
}

#[tokio::test]
async fn without_its_collector_nothing_waits_and_what_is_lost_is_counted() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let nobody = format!("http://{}", local(system::lasting_port()?));
    let mut dev = start(dir.path(), &nobody).await?;
    dev.cli.deploy(&system::plugin("rust")?, &receiver.url("/notices")).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let begun = Instant::now();
    let mut receipts = Vec::new();
    for number in 0..50 {
        receipts.push(sender.post(&loan(number)).await?);
    }
    dev.cli.all_settled(&receipts).await?;
    let took = begun.elapsed();
    ensure!(took.as_secs() < 10, "50 events took {took:?}");
    let text = until("the loss is counted", async || {
        let text = metrics(&dev).await?;
        Ok(sample(&text, "tidegate_traces_dropped_total")
            .is_some_and(|dropped| dropped > 0.0)
            .then_some(text))
    })
    .await?;
    ensure!(sample(&text, "tidegate_traces_sent_total") == Some(0.0), "{text}");
    dev.process.signal("TERM").await?;
    ensure!(dev.process.ended().await?.success(), "it stops in order");
    let log = dev.process.log()?;
    ensure!(log.contains("the collector does not take traces"), "{log}");
    ensure!(log.matches("the collector does not take traces").count() == 1, "it is said once: {log}");
    Ok(())
}
