//! What is shown, as text in rows. Pure: knows nothing of terminals, clocks or the API.

use crate::command::table;
use serde::Serialize;
use std::fmt::Write as _;
use tidegate::account::AccountRow;
use tidegate::roster::{HostRow, HostState, HostsReport};
use tidegate::store::EventRow;
use tidegate::store::stats::Stats;
use tidegate::vigil::report::{SourceRow, SourcesReport};

/// What was seen at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    pub(super) at_ms: u64,
    pub(super) stats: Stats,
    /// When the edge accepted the oldest event that a plugin will be asked about.
    pub(super) oldest_waiting_ms: Option<u64>,
    pub(super) hosts: HostsReport,
    pub(super) sources: SourcesReport,
    pub(super) usage: Vec<AccountRow>,
    /// The newest first.
    pub(super) events: Vec<EventRow>,
}

/// How much of it a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    Busy,
    Bad,
}

/// A row of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) mood: Mood,
}

/// What is shown.
#[derive(Debug)]
pub(super) struct View {
    pub(super) at: String,
    /// Why the host could not be asked the last time.
    pub(super) trouble: Option<String>,
    pub(super) counts: Vec<Row>,
    /// Empty where there is one alone.
    pub(super) hosts: Vec<Row>,
    pub(super) sources: Vec<Row>,
    pub(super) plugins: Vec<Row>,
    pub(super) events: Vec<Row>,
}

pub(super) const COUNTS: [&str; 3] = ["what", "now", "per second"];
pub(super) const HOSTS: [&str; 7] =
    ["host", "state", "holds", "in flight", "errands", "oldest waiting", "last seen"];
pub(super) const SOURCES: [&str; 6] = ["source", "profile", "state", "left", "last event", "in vault"];
pub(super) const PLUGINS: [&str; 7] =
    ["plugin", "version", "calls", "per second", "refused", "faults", "mean"];
pub(super) const EVENTS: [&str; 6] = ["accepted", "source", "kind", "subject", "class", "state"];

impl View {
    /// What is to be shown of what was seen, and of what was seen before that: rates need both.
    pub(super) fn of(seen: &Seen, before: Option<&Seen>) -> Self {
        let before = before.filter(|before| before.at_ms < seen.at_ms);
        Self {
            at: crate::command::time(seen.at_ms),
            trouble: None,
            counts: counts(seen, before),
            hosts: hosts(&seen.hosts),
            sources: seen.sources.sources.iter().map(|row| source(row, seen.at_ms)).collect(),
            plugins: seen.usage.iter().map(|row| plugin(row, seen, before)).collect(),
            events: seen.events.iter().map(event).collect(),
        }
    }

    /// All of it as plain text.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.at);
        let hosts = (!self.hosts.is_empty()).then_some((&HOSTS[..], &self.hosts));
        let counts = [(&COUNTS[..], &self.counts)];
        for (headings, rows) in counts.into_iter().chain(hosts).chain([
            (&SOURCES[..], &self.sources),
            (&PLUGINS[..], &self.plugins),
            (&EVENTS[..], &self.events),
        ]) {
            let cells: Vec<_> = rows.iter().map(|row| row.cells.clone()).collect();
            let _ = write!(text, "\n{}", table::render(headings, &cells));
        }
        text
    }
}

fn counts(seen: &Seen, before: Option<&Seen>) -> Vec<Row> {
    let rate = |of: fn(&Stats) -> u64| match before {
        Some(before) => per_second(of(&before.stats), of(&seen.stats), seen.at_ms - before.at_ms),
        None => "-".to_owned(),
    };
    let stats = &seen.stats;
    let parked = stats.parked + stats.effects.parked;
    let row = |what: &str, now: u64, rate: String, mood| Row {
        cells: vec![what.into(), now.to_string(), rate],
        mood,
    };
    let none = || String::new();
    let busy = |count| if count == 0 { Mood::Well } else { Mood::Busy };
    let mut rows = vec![
        row("events in", stats.incoming, rate(|stats| stats.incoming), Mood::Well),
        row("events done", stats.done, rate(|stats| stats.done), Mood::Well),
        row("events waiting", stats.waiting, none(), busy(stats.waiting)),
        row("effects done", stats.effects.done, rate(|stats| stats.effects.done), Mood::Well),
        row("effects waiting", stats.effects.waiting, none(), busy(stats.effects.waiting)),
        row("parked", parked, none(), if parked == 0 { Mood::Well } else { Mood::Bad }),
    ];
    if let Some(oldest_ms) = seen.oldest_waiting_ms {
        let cells = vec!["oldest waiting".into(), ago(oldest_ms, seen.at_ms), none()];
        rows.insert(3, Row { cells, mood: Mood::Busy });
    }
    rows
}

fn hosts(report: &HostsReport) -> Vec<Row> {
    let row = |host: &HostRow| {
        let cells = vec![
            host.name.clone(),
            host.state.word().to_owned(),
            host.holds(),
            host.in_flight.to_string(),
            host.errands.to_string(),
            host.oldest_waiting_ms.map_or_else(|| "-".into(), |ms| ago(ms, report.now_ms)),
            ago(host.seen_at_ms, report.now_ms),
        ];
        let mood = match host.state {
            HostState::There => Mood::Well,
            HostState::Leaving | HostState::Left => Mood::Busy,
            HostState::Gone => Mood::Bad,
        };
        Row { cells, mood }
    };
    if report.hosts.len() > 1 { report.hosts.iter().map(row).collect() } else { Vec::new() }
}

fn source(row: &SourceRow, now_ms: u64) -> Row {
    use tidegate::vigil::report::SourceState;
    let left = match (row.left, row.cutoff) {
        (Some(left), Some(cutoff)) => format!("{left} of {cutoff}"),
        _ => "-".into(),
    };
    let mood = match row.state {
        SourceState::Ok => Mood::Well,
        SourceState::Failing | SourceState::Unknown => Mood::Busy,
        SourceState::CutOff | SourceState::Silent => Mood::Bad,
    };
    let cells = vec![
        row.source.to_string(),
        row.profile.clone().unwrap_or_else(|| "-".into()),
        row.state.word().to_owned(),
        left,
        row.last_event_ms.map_or_else(|| "never".into(), |ms| ago(ms, now_ms)),
        row.vault.as_ref().map_or_else(|| "-".into(), |vault| vault.messages.to_string()),
    ];
    Row { cells, mood }
}

fn plugin(row: &AccountRow, seen: &Seen, before: Option<&Seen>) -> Row {
    let rate = before.and_then(|before| {
        let same = |it: &&AccountRow| it.plugin == row.plugin && it.version == row.version;
        let calls = before.usage.iter().find(same).map_or(0, |it| it.calls);
        Some(per_second(calls, row.calls, seen.at_ms.checked_sub(before.at_ms)?))
    });
    let faults: u64 = row.faults.values().sum();
    let mean = row.wall_us.checked_div(row.calls);
    let cells = vec![
        row.plugin.to_string(),
        row.version.short().to_owned(),
        row.calls.to_string(),
        rate.unwrap_or_else(|| "-".into()),
        row.refusals.to_string(),
        faults.to_string(),
        mean.map_or_else(|| "-".into(), |us| format!("{}.{:03} ms", us / 1_000, us % 1_000)),
    ];
    Row { cells, mood: if faults == 0 { Mood::Well } else { Mood::Bad } }
}

fn event(row: &EventRow) -> Row {
    let mood = match row.state.as_str() {
        "parked" => Mood::Bad,
        "waiting" => Mood::Busy,
        _ => Mood::Well,
    };
    let cells = vec![
        crate::command::time(row.received_at_ms),
        row.source.to_string(),
        row.kind.clone(),
        row.subject.clone(),
        row.class.clone(),
        row.state.clone(),
    ];
    Row { cells, mood }
}

/// How many more within so many milliseconds, in a second, to the tenth.
fn per_second(before: u64, now: u64, within_ms: u64) -> String {
    let tenths = now.saturating_sub(before).saturating_mul(10_000).checked_div(within_ms).unwrap_or(0);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// How long ago that was.
fn ago(ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(ms) / 1_000 {
        s @ 0..120 => format!("{s} s ago"),
        s @ 120..7_200 => format!("{} min ago", s / 60),
        s @ 7_200..172_800 => format!("{} h ago", s / 3_600),
        s => format!("{} d ago", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::hosts::tests::row;

    fn seen(at_ms: u64, incoming: u64, parked: u64) -> Seen {
        let stats = Stats { incoming, parked, ..Stats::default() };
        let sources = SourcesReport::default();
        let hosts = HostsReport::default();
        Seen { at_ms, stats, oldest_waiting_ms: Some(1_000), hosts, sources, usage: vec![], events: vec![] }
    }

    #[test]
    fn hosts_are_shown_where_there_are_several() {
        let host = |name: &str, state, partitions| HostRow {
            seen_at_ms: 8_000,
            oldest_waiting_ms: None,
            ..row(name, state, partitions)
        };
        let one = vec![host("a", HostState::There, vec![0, 1])];
        let two = vec![one[0].clone(), host("b", HostState::Gone, vec![])];
        let view = |hosts| {
            let hosts = HostsReport { now_ms: 9_000, hosts, ..HostsReport::default() };
            View::of(&Seen { hosts, ..seen(9_000, 0, 0) }, None)
        };
        assert!(view(one.clone()).hosts.is_empty() && !view(one).text().contains("ERRANDS"));
        let view = view(two);
        assert_eq!(view.hosts[0].cells, ["a", "there", "2*", "3", "4", "-", "1 s ago"]);
        assert_eq!(view.hosts.iter().map(|row| row.mood).collect::<Vec<_>>(), [Mood::Well, Mood::Bad]);
        assert!(view.text().contains("ERRANDS"), "{}", view.text());
    }

    #[test]
    fn rates_are_of_two_moments_and_what_needs_a_person_stands_out() {
        let (first, second) = (seen(1_000, 10, 0), seen(3_000, 35, 2));
        let view = View::of(&second, Some(&first));
        let row = |what: &str| view.counts.iter().find(|row| row.cells[0] == what).expect("is there");
        assert_eq!(row("events in").cells, ["events in", "35", "12.5"]);
        assert_eq!(row("oldest waiting").cells, ["oldest waiting", "2 s ago", ""]);
        assert_eq!((row("parked").mood, row("parked").cells[1].as_str()), (Mood::Bad, "2"));
        assert_eq!(View::of(&second, None).counts[0].cells[2], "-", "one moment has no rate");
        assert!(view.text().contains("events in"), "{}", view.text());
    }

    #[test]
    fn times_are_said_in_their_unit() {
        for (ago_s, text) in
            [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7_200, "2 h ago"), (172_800, "2 d ago")]
        {
            assert_eq!(ago(0, ago_s * 1_000), text);
        }
    }
}
