//! `tidegate hosts`: the hosts that share the work.

use super::nearby::Place;
use super::{client, print, print_json, table, time};
use std::fmt::Write as _;
use tidegate::partition::PARTITIONS;
use tidegate::roster::{HostRow, HostState, HostsReport};

#[derive(clap::Args)]
#[command(
    after_help = "Whichever host is asked answers for all; one that shares with nobody stands there alone. The work is in 120 \
                        partitions, each of which one host holds. A * is at the host that does what there is one of: it watches over \
                        the sources, sends alerts, removes what is old.\n\nExample, the names of those that are gone without having \
                        been stopped:\n  tidegate hosts --json | jq -r '.hosts[] | select(.state == \"gone\") | .name'"
)]
pub(crate) struct Args {
    /// Print one JSON object: now_ms, hosts, unheld, unheld_oldest_ms.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, host: &Place) -> anyhow::Result<()> {
    let report: HostsReport = client(host)?.get("/api/v1/hosts").await?;
    if args.json { print_json([&report]) } else { print(&text(&report)) }
}

fn text(report: &HostsReport) -> String {
    let headings = [
        "id",
        "host",
        "state",
        "holds",
        "queues",
        "in flight",
        "errands",
        "waits",
        "release",
        "came",
        "last seen",
    ];
    let rows: Vec<_> = report.hosts.iter().map(|host| cells(host, report.now_ms)).collect();
    let mut text = table::render(&headings, &rows);
    if !report.unheld.is_empty() {
        let waits = report.unheld_oldest_ms.map_or_else(String::new, |_| {
            format!(
                "; the oldest event in them has waited for {}",
                waits(report.unheld_oldest_ms, report.now_ms)
            )
        });
        // To a string, writing does not fail.
        let _ = writeln!(
            text,
            "\nnobody holds {} of {PARTITIONS} partitions: the hosts that are there take them over{waits}",
            report.unheld.len()
        );
    }
    text
}

fn cells(host: &HostRow, now_ms: u64) -> Vec<String> {
    let is_there = matches!(host.state, HostState::There | HostState::Leaving);
    let or_not = |text: String| if is_there { text } else { "-".to_owned() };
    let queues: Vec<_> = host.queues.iter().map(usize::to_string).collect();
    let seen_ms = now_ms.saturating_sub(host.seen_at_ms);
    vec![
        host.id.to_string(),
        host.name.clone(),
        host.state.word().to_owned(),
        or_not(host.holds()),
        if queues.is_empty() { "-".to_owned() } else { queues.join(",") },
        or_not(host.in_flight.to_string()),
        or_not(host.errands.to_string()),
        or_not(waits(host.oldest_waiting_ms, now_ms)),
        host.release.clone(),
        time(host.joined_at_ms),
        format!("{} s ago", seen_ms / 1_000),
    ]
}

/// How long the oldest event has waited.
fn waits(oldest_ms: Option<u64>, now_ms: u64) -> String {
    oldest_ms.map_or_else(|| "-".to_owned(), |ms| format!("{} s", now_ms.saturating_sub(ms) / 1_000))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(name: &str, state: HostState, partitions: Vec<u8>) -> HostRow {
        HostRow {
            id: 1,
            name: name.into(),
            release: "1.0.0".into(),
            state,
            is_own: false,
            joined_at_ms: 0,
            seen_at_ms: 1_000,
            left_at_ms: None,
            partitions,
            queues: vec![1, 2],
            in_flight: 3,
            oldest_waiting_ms: Some(2_000),
            errands: 4,
        }
    }

    #[test]
    fn what_each_holds_and_what_nobody_does_is_said() {
        let hosts = vec![
            row("a", HostState::There, vec![0, 1, 2]),
            HostRow { queues: vec![], ..row("b", HostState::Gone, vec![]) },
        ];
        let report = HostsReport { now_ms: 9_000, hosts, unheld: vec![3, 4], unheld_oldest_ms: Some(4_000) };
        let text = text(&report);
        let lines: Vec<_> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines[1], "1 a there 3* 1,2 3 4 7 s 1.0.0 1970-01-01 00:00:00.000Z 8 s ago");
        assert_eq!(lines[2], "1 b gone - - - - - 1.0.0 1970-01-01 00:00:00.000Z 8 s ago");
        assert!(text.contains("nobody holds 2 of 120 partitions"), "{text}");
        assert!(text.ends_with("the oldest event in them has waited for 5 s\n"), "{text}");
    }
}
