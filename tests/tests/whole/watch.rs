//! A host that watches its sources: what its operator is told, once, and signed.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate::alert::Gap;
use tidegate::store::watched::AlertRow;
use tidegate::vigil::report::{SourceRow, SourceState, SourcesReport};
use tidegate_envelope::SourceName;
use tidegate_source::status::{SourceStatus, Status, Tally};
use tidegate_tests::edge_status::{EdgeStatus, TOKEN};
use tidegate_tests::receiver::{Notice, Receiver};
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{Dev, until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn now_ms() -> anyhow::Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// The edge's word on `amj`.
fn status(
    failures_in_row: u32,
    last_failure_ms: Option<u64>,
    last_success_ms: Option<u64>,
) -> anyhow::Result<Status> {
    let tally = Tally {
        failures_in_row,
        failures: u64::from(failures_in_row),
        last_success_ms,
        last_failure_ms,
        last_failure: last_failure_ms.map(|_| "503 no store confirmed in time".into()),
        tokens_used_ms: vec![last_success_ms.unwrap_or_default()],
    };
    let source = SourceStatus {
        source: SourceName::new("amj")?,
        profile: "amj".into(),
        tally,
        cutoff: Some(3),
        left: Some(3_u32.saturating_sub(failures_in_row)),
        vault: None,
    };
    Ok(Status { v: 1, now_ms: now_ms()?, sources: vec![source], faults: vec![] })
}

/// A `tidegate dev` that asks this edge and tells this URL.
async fn start(
    dir: &Path,
    edge: &EdgeStatus,
    alerts_url: &str,
    more: &[(&str, &str)],
) -> anyhow::Result<Dev> {
    let edge_url = edge.url();
    let env = [
        ("TIDEGATE_EDGE_URL", edge_url.as_str()),
        ("TIDEGATE_EDGE_POLL_MS", "100"),
        ("TIDEGATE_EDGE_TOKEN", TOKEN),
        ("TIDEGATE_ALERTS_URL", alerts_url),
        ("TIDEGATE_ALERTS_SECRET", SECRET),
        ("TIDEGATE_RETRY_FIRST_MS", "50"),
    ];
    Dev::start_with(dir, &[&env[..], more].concat()).await
}

/// Verifies a notice with the library of Standard Webhooks, and gives its type and its data.
fn verified(notice: &Notice) -> anyhow::Result<(String, Value)> {
    let webhook = standardwebhooks::Webhook::new(SECRET).context("read the secret")?;
    webhook.verify(&notice.body, &notice.headers).context("verify an alert")?;
    let other =
        standardwebhooks::Webhook::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").context("read another")?;
    ensure!(other.verify(&notice.body, &notice.headers).is_err(), "another secret does not verify it");
    let payload: Value = serde_json::from_slice(&notice.body).context("read an alert")?;
    let kind = payload["type"].as_str().context("it has a type")?.to_owned();
    ensure!(payload["timestamp"].is_string(), "{payload}");
    Ok((kind, payload["data"].clone()))
}

fn id(notice: &Notice) -> String {
    let id = notice.headers.get("webhook-id").and_then(|value| value.to_str().ok());
    id.unwrap_or_default().to_owned()
}

/// The types of what came, in order.
fn kinds(notices: &[Notice]) -> anyhow::Result<Vec<String>> {
    notices.iter().map(|notice| Ok(verified(notice)?.0)).collect()
}

#[tokio::test]
async fn a_first_failure_is_told_once_and_signed_and_a_restart_does_not_repeat_it() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (edge, receiver) = (EdgeStatus::start().await?, Receiver::start().await?);
    let start_ms = now_ms()?;
    edge.set(Some(status(0, None, Some(start_ms))?));
    let mut dev = start(dir.path(), &edge, &receiver.url("/alerts"), &[]).await?;
    edge.asked_again(3).await?;
    ensure!(receiver.notices().is_empty(), "all is well: {:?}", receiver.notices());

    edge.set(Some(status(1, Some(start_ms + 1_000), Some(start_ms))?));
    let notices = receiver.until("the alert", |notices| !notices.is_empty()).await?;
    let (kind, data) = verified(notices.first().context("one came")?)?;
    ensure!(kind == "source.failing", "{kind}");
    ensure!(data["source"] == "amj" && data["failures_in_row"] == 1 && data["left"] == 2, "{data}");
    ensure!(data["last_failure"] == "503 no store confirmed in time", "{data}");
    edge.asked_again(3).await?;

    dev.process.signal("TERM").await?;
    dev.process.ended().await?;
    let dev = start(dir.path(), &edge, &receiver.url("/alerts"), &[]).await?;
    edge.asked_again(3).await?;
    edge.set(Some(status(2, Some(start_ms + 2_000), Some(start_ms))?));
    let notices = receiver.until("the next alert", |notices| notices.len() > 1).await?;
    ensure!(kinds(&notices)? == ["source.failing", "source.nearly_cut_off"], "{:?}", kinds(&notices));

    let alerts: Vec<AlertRow> = dev.cli.rows(&["source", "alerts", "--json"]).await?;
    let listed: Vec<_> = alerts.iter().map(|row| (row.kind.as_str(), row.id.clone())).collect();
    ensure!(
        listed.len() == 2 && listed.iter().map(|it| it.1.clone()).eq(notices.iter().map(id)),
        "{listed:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_cut_off_has_the_steps_to_end_it_and_the_events_after_it_date_the_gap() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (edge, receiver) = (EdgeStatus::start().await?, Receiver::start().await?);
    edge.set(Some(status(0, None, None)?));
    let dev = start(dir.path(), &edge, &receiver.url("/alerts"), &[]).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let before = dev.cli.settled(sender.post(&loan(1)).await?).await?;

    let failed_ms = now_ms()?;
    edge.set(Some(status(3, Some(failed_ms), Some(before.received_at_ms))?));
    let notices = receiver.until("the cut-off", |notices| !notices.is_empty()).await?;
    let (kind, data) = verified(notices.first().context("one came")?)?;
    ensure!(kind == "source.cut_off" && data["left"] == 0, "{kind}: {data}");
    let steps = data["steps"].to_string();
    let profile = tidegate_source::profile::find("amj").context("the profile exists")?;
    ensure!(profile.resume_steps().iter().all(|step| steps.contains(step)), "{steps}");
    let report: SourcesReport = dev.cli.json(&["source", "status", "--json"]).await?;
    let row = report.sources.first().context("the source is listed")?;
    ensure!(row.state == SourceState::CutOff && row.left == Some(0) && !row.steps.is_empty(), "{row:?}");

    let tested = dev.cli.output(&["source", "test", "amj"]).await?;
    ensure!(tested.contains("amj works"), "{tested}");
    let after = dev.cli.settled(sender.post(&loan(2)).await?).await?;
    dev.cli.settled(sender.post(&loan(3)).await?).await?;
    let notices = receiver.until("the resumption", |notices| notices.len() > 1).await?;
    ensure!(kinds(&notices)? == ["source.cut_off", "source.resumed"], "{:?}", kinds(&notices));
    let gaps: Vec<Gap> = dev.cli.rows(&["source", "gaps", "--json"]).await?;
    let dated: Vec<_> = gaps.iter().map(|gap| (gap.from_ms, gap.to_ms, gap.after.word())).collect();
    ensure!(dated == [(before.received_at_ms, after.received_at_ms, "cut-off")], "{dated:?}");

    edge.set(Some(status(0, Some(failed_ms), Some(after.received_at_ms))?));
    let well = until("the source is well again", async || {
        let sources: Vec<SourceRow> = dev.cli.rows(&["source", "list", "--json"]).await?;
        Ok(sources.into_iter().find(|row| row.state == SourceState::Ok && row.left == Some(3)))
    });
    ensure!(well.await?.steps.is_empty(), "there is nothing to do");
    ensure!(receiver.notices().len() == 2, "each was said once");
    Ok(())
}

#[tokio::test]
async fn an_alert_that_is_not_taken_is_sent_again_under_the_same_id() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (edge, receiver) = (EdgeStatus::start().await?, Receiver::start().await?);
    edge.set(Some(status(1, Some(now_ms()?), None)?));
    let dev = start(dir.path(), &edge, &receiver.url_that_answers(&[500, 429, 204]), &[]).await?;
    let notices = receiver.until("the third attempt", |notices| notices.len() == 3).await?;
    let ids: std::collections::BTreeSet<_> = notices.iter().map(id).collect();
    ensure!(ids.len() == 1, "{ids:?}");
    ensure!(kinds(&notices)?.iter().all(|kind| kind == "source.failing"), "each attempt verifies");
    let sent = until("the alert is sent", async || {
        let alerts: Vec<AlertRow> = dev.cli.rows(&["source", "alerts", "--json"]).await?;
        Ok(alerts.into_iter().find(|row| row.state == "done"))
    });
    ensure!(sent.await?.attempts == 3, "it took three");
    Ok(())
}

#[tokio::test]
async fn a_silence_longer_than_allowed_and_an_edge_that_does_not_answer_are_told() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (edge, receiver) = (EdgeStatus::start().await?, Receiver::start().await?);
    edge.set(Some(status(0, None, None)?));
    let silence = [("TIDEGATE_ALERTS_SILENCE_MAX_MS", "1500")];
    let dev = start(dir.path(), &edge, &receiver.url("/alerts"), &silence).await?;
    let sender = Sender::new(dev.ready("request_url"))?;
    let before = dev.cli.settled(sender.post(&loan(1)).await?).await?;
    receiver.until("the silence", |notices| notices.len() == 1).await?;
    let after = dev.cli.settled(sender.post(&loan(2)).await?).await?;
    receiver.until("the resumption", |notices| notices.len() == 2).await?;
    let gaps: Vec<Gap> = dev.cli.rows(&["source", "gaps", "--json"]).await?;
    let dated: Vec<_> = gaps.iter().map(|gap| (gap.from_ms, gap.to_ms, gap.after.word())).collect();
    ensure!(dated == [(before.received_at_ms, after.received_at_ms, "silence")], "{dated:?}");

    edge.set(None);
    let unreachable =
        |notices: &[Notice]| kinds(notices).is_ok_and(|it| it.iter().any(|it| it == "edge.unreachable"));
    let notices = receiver.until("the word on the edge", unreachable).await?;
    let (_, data) = verified(notices.last().context("it came")?)?;
    ensure!(data["why"].as_str().is_some_and(|why| why.contains("503")), "{data}");
    let report: SourcesReport = dev.cli.json(&["source", "status", "--json"]).await?;
    ensure!(report.edge.and_then(|edge| edge.failure).is_some_and(|why| why.contains("503")), "it is listed");
    Ok(())
}

#[tokio::test]
async fn a_watch_that_is_set_up_wrong_is_refused_at_start_with_what_to_do() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    for (env, words) in [
        (
            &[("TIDEGATE_ALERTS_URL", "https://hooks.example/x")][..],
            &["TIDEGATE_ALERTS_SECRET", "whsec_"][..],
        ),
        (
            &[
                ("TIDEGATE_ALERTS_URL", "https://hooks.example/x"),
                ("TIDEGATE_ALERTS_SECRET", "whsec_c2hvcnQ="),
            ],
            &["TIDEGATE_ALERTS_SECRET", "40 bits", "128", "make one"],
        ),
        (
            &[
                ("TIDEGATE_ALERTS_URL", "https://hooks.example/x"),
                ("TIDEGATE_ALERTS_SECRET", "correct horse"),
            ],
            &["TIDEGATE_ALERTS_SECRET", "whsec_", "make one"],
        ),
        (
            &[("TIDEGATE_ALERTS_URL", "http://hooks.example/x"), ("TIDEGATE_ALERTS_SECRET", SECRET)],
            &["alerts.url", "https"],
        ),
        (&[("TIDEGATE_EDGE_URL", "https://edge.example")], &["TIDEGATE_EDGE_TOKEN"]),
        (&[("TIDEGATE_EDGE_URL", "edge.example"), ("TIDEGATE_EDGE_TOKEN", TOKEN)], &["edge.url"]),
    ] {
        let error = Dev::start_with(dir.path(), env).await.err().context("it is refused")?;
        let said = format!("{error:#}");
        for word in words {
            ensure!(said.contains(word), "{env:?}: `{said}` should say `{word}`");
        }
        ensure!(
            !said.contains("correct horse") && !said.contains("c2hvcnQ"),
            "no secret is repeated: {said}"
        );
        std::fs::remove_file(dir.path().join("dev.log"))?;
    }
    Ok(())
}
