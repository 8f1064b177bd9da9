//! What is known of sources, for people and programs.

use crate::command::nearby::Place;
use crate::command::{client, print, print_json, table, time};
use anyhow::bail;
use std::fmt::Write as _;
use tidegate::alert::Gap;
use tidegate::store::watched::AlertRow;
use tidegate::vigil::report::{SourceRow, SourcesReport};
use tidegate_envelope::SourceName;

pub(super) async fn list(json: bool, host: &Place) -> anyhow::Result<()> {
    let report = report(host).await?;
    if json {
        return print_json(&report.sources);
    }
    let rows: Vec<_> = report.sources.iter().map(cells).collect();
    let headings = ["source", "profile", "state", "since", "left", "last event", "last failure"];
    print(&format!("{}{}", table::render(&headings, &rows), edge(&report)))
}

fn cells(row: &SourceRow) -> Vec<String> {
    let left = match (row.left, row.cutoff) {
        (Some(left), Some(cutoff)) => format!("{left} of {cutoff}"),
        _ => "-".into(),
    };
    let failure = row.tally.as_ref().and_then(|tally| tally.last_failure_ms);
    vec![
        row.source.to_string(),
        row.profile.clone().unwrap_or_else(|| "-".into()),
        row.state.word().into(),
        optional(row.since_ms),
        left,
        optional(row.last_event_ms),
        optional(failure),
    ]
}

pub(super) async fn status(name: Option<&SourceName>, json: bool, host: &Place) -> anyhow::Result<()> {
    let mut report = report(host).await?;
    if let Some(name) = name {
        report.sources.retain(|row| row.source == *name);
        if report.sources.is_empty() {
            bail!("no source `{name}` is known here: tidegate source list");
        }
    }
    if json {
        return print_json([&report]);
    }
    let sources: Vec<_> = report.sources.iter().map(|row| described(row, report.now_ms)).collect();
    print(&format!("{}{}", sources.join("\n"), edge(&report)))
}

/// One source in full.
fn described(row: &SourceRow, now_ms: u64) -> String {
    let since = row.since_ms.map_or_else(String::new, |ms| format!(" since {}", time(ms)));
    let profile = row.profile.as_deref().unwrap_or("not known");
    let mut text = format!("{}: {}{since}\n", row.source, row.state.word());
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "  {name:<13} {what}");
    };
    line("profile", profile.to_owned());
    line("last event", ago(row.last_event_ms, now_ms));
    if let Some(tally) = &row.tally {
        line("last 2xx", ago(tally.last_success_ms, now_ms));
        let why = tally.last_failure.as_deref().unwrap_or_default();
        line("last failure", format!("{} {why}", ago(tally.last_failure_ms, now_ms)).trim_end().to_owned());
        let left = match (row.left, row.cutoff) {
            (Some(left), Some(cutoff)) => {
                format!("; {left} of {cutoff} left until its sender switches delivery off")
            }
            _ => String::new(),
        };
        line("failures", format!("{} in a row, {} ever{left}", tally.failures_in_row, tally.failures));
        for (number, used_ms) in (1..).zip(&tally.tokens_used_ms) {
            let used = Some(*used_ms).filter(|ms| *ms > 0);
            line(&format!("token {number}"), format!("last used {}", ago(used, now_ms)));
        }
    }
    if let Some(vault) = &row.vault {
        let since = vault.oldest_ms.map_or_else(String::new, |ms| format!(" since {}", time(ms)));
        line(
            "vault",
            format!(
                "{} events wait for the queue{since}; {} bodies, {} bytes",
                vault.messages, vault.bodies, vault.body_bytes
            ),
        );
    }
    if let Some(rhythm) = &row.rhythm {
        let usual =
            format!("speaks in {:.0} of 2016 slots of five minutes a week", rhythm.active_slots_per_week);
        let silence = if rhythm.known {
            format!("its silence is {:.1} of {:.1} surprising", rhythm.surprise, rhythm.surprise_max)
        } else {
            "known for less than a week, so its silence says nothing".into()
        };
        line("rhythm", format!("{usual}; {silence}"));
    }
    for (number, step) in (1..).zip(&row.steps) {
        line(if number == 1 { "what to do" } else { "" }, format!("{number}. {step}"));
    }
    text
}

/// How the edge answers the host.
fn edge(report: &SourcesReport) -> String {
    let Some(edge) = &report.edge else {
        return "the edge is not asked: set edge.url (`tidegate config` explains it)\n".into();
    };
    let mut text = match &edge.failure {
        Some(why) => format!("the edge does not say how its sources are: {why}\n"),
        None => String::new(),
    };
    for fault in &edge.faults {
        let _ = writeln!(text, "a source is not live at the edge: {fault}");
    }
    text
}

pub(super) async fn gaps(name: Option<&SourceName>, json: bool, host: &Place) -> anyhow::Result<()> {
    let mut gaps: Vec<Gap> = client(host)?.get("/api/v1/gaps").await?;
    gaps.retain(|gap| name.is_none_or(|name| gap.source == *name));
    if json {
        return print_json(&gaps);
    }
    if gaps.is_empty() {
        return print("no gap is known\n");
    }
    let rows: Vec<_> = gaps
        .iter()
        .map(|gap| {
            let long = span(gap.to_ms.saturating_sub(gap.from_ms));
            vec![gap.source.to_string(), time(gap.from_ms), time(gap.to_ms), long, gap.after.word().into()]
        })
        .collect();
    print(&table::render(&["source", "from", "to", "long", "after"], &rows))
}

pub(in crate::command) async fn alerts(
    name: Option<&SourceName>,
    json: bool,
    host: &Place,
) -> anyhow::Result<()> {
    let mut alerts: Vec<AlertRow> = client(host)?.get("/api/v1/alerts").await?;
    alerts.retain(|alert| name.is_none_or(|name| alert.source.as_ref() == Some(name)));
    if json {
        return print_json(&alerts);
    }
    if alerts.is_empty() {
        return print("there was nothing to tell\n");
    }
    let rows: Vec<_> = alerts
        .iter()
        .map(|alert| {
            let summary = alert.payload.pointer("/data/summary").and_then(serde_json::Value::as_str);
            let sent = match &alert.what {
                Some(what) => format!("{}: {what}", alert.state),
                None => alert.state.clone(),
            };
            vec![time(alert.raised_at_ms), alert.kind.clone(), sent, summary.unwrap_or_default().to_owned()]
        })
        .collect();
    print(&table::render(&["raised", "type", "sent", "what"], &rows))
}

async fn report(host: &Place) -> anyhow::Result<SourcesReport> {
    client(host)?.get("/api/v1/sources").await
}

fn optional(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".into(), time)
}

/// A time, and how long it was ago.
fn ago(ms: Option<u64>, now_ms: u64) -> String {
    match ms {
        Some(ms) => format!("{} ({} ago)", time(ms), span(now_ms.saturating_sub(ms))),
        None => "never".into(),
    }
}

/// A length of time in its largest unit or two: `3 d 4 h`, `12 min`.
fn span(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_span_is_told_in_its_largest_units() {
        for (ms, text) in [
            (0, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(super::span(ms), text);
        }
    }
}
