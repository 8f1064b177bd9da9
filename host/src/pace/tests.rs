//! Steps add up from what the store says at their ends.

use super::*;
use crate::store::stats::Accepted;
use tidegate_envelope::SourceName;

fn stats(incoming: u64, done: u64) -> Stats {
    let accepted = Accepted { first: incoming, ..Accepted::default() };
    Stats { incoming, done, waiting: incoming - done, accepted, ..Stats::default() }
}

fn passed(source: &str, received_at_ms: u64, took_ms: u64) -> Passed {
    Passed {
        source: SourceName::new(source).expect("a name"),
        received_at_ms,
        queued_at_ms: received_at_ms + took_ms / 2,
        decided_at_ms: received_at_ms + took_ms,
    }
}

fn flow(passed: Vec<Passed>) -> Flow {
    Flow { last: 0, passed, oldest_waiting_ms: Some(7) }
}

#[test]
fn a_step_is_the_difference_of_two_looks() {
    let mut pace = Pace::default();
    pace.add(stats(100, 90), &flow(vec![]), vec![], 10_000);
    assert!(pace.series().incoming.is_empty(), "one look is no step");
    let events = (1..=4).map(|took| passed("amj", 11_000, took * 10)).collect();
    pace.add(stats(104, 93), &flow(events), vec![], 15_000);
    pace.add(stats(104, 104), &flow(vec![]), vec![], 20_000);
    let series = pace.series();
    assert_eq!((series.from_ms, series.step_ms), (10_000, STEP_MS));
    assert_eq!((series.incoming, series.done, series.waiting), (vec![4, 0], vec![3, 11], vec![11, 0]));
    assert_eq!((series.ack_ms_p50, series.ack_ms_p99), (vec![Some(10), None], vec![Some(15), None]));
    assert_eq!((series.decide_ms_p50, series.decide_ms_p99), (vec![Some(20), None], vec![Some(30), None]));
    let amj = SourceSeries {
        incoming: vec![4, 0],
        ack_ms_p50: vec![Some(10), None],
        ack_ms_p99: vec![Some(15), None],
    };
    assert_eq!(series.by_source, BTreeMap::from([("amj".into(), amj)]));
    assert_eq!(pace.oldest_waiting_ms(), Some(7));
}

#[test]
fn an_hour_is_remembered_and_no_more() {
    let mut pace = Pace::default();
    for look in 0..1_000 {
        pace.add(stats(look, look), &flow(vec![]), vec![], look * STEP_MS);
    }
    let series = pace.series();
    assert_eq!((series.incoming.len(), series.from_ms), (STEPS_MAX, (999 - 720) * STEP_MS));
}

#[test]
fn of_more_events_than_are_looked_at_each_source_has_its_share() {
    let mut events = vec![passed("amj", 0, 1); PASSED_MAX / 2];
    events.extend(vec![passed("jira", 0, 1); PASSED_MAX / 2]);
    let counts = by_source(&events, 20_000);
    let counts: Vec<_> = counts.iter().map(|(source, it)| (source.as_str(), it.incoming)).collect();
    assert_eq!(counts, [("amj", 10_000), ("jira", 10_000)]);
}

#[test]
fn so_many_sources_have_a_line_and_no_more() {
    let mut pace = Pace::default();
    pace.add(stats(0, 0), &flow(vec![]), vec![], 0);
    let events = (0..100).map(|number| passed(&format!("s{number:02}"), 0, 1)).collect();
    pace.add(stats(100, 100), &flow(events), vec![], STEP_MS);
    assert_eq!(pace.series().by_source.len(), SOURCES_MAX);
}

#[test]
fn each_source_has_times_of_its_own() {
    let mut pace = Pace::default();
    pace.add(stats(0, 0), &flow(vec![]), vec![], 0);
    let events = vec![passed("amj", 0, 20), passed("jira", 0, 400), passed("jira", 0, 600)];
    pace.add(stats(3, 3), &flow(events), vec![], STEP_MS);
    let by_source = pace.series().by_source;
    assert_eq!((by_source["amj"].ack_ms_p50[0], by_source["amj"].ack_ms_p99[0]), (Some(10), Some(10)));
    assert_eq!((by_source["jira"].ack_ms_p50[0], by_source["jira"].ack_ms_p99[0]), (Some(200), Some(200)));
}

fn account(plugin: &str, component: &[u8], calls: u64, faults: u64, wall_us: u64) -> AccountRow {
    let manifest = crate::plugin::Manifest::parse(&format!("name = \"{plugin}\"\nkinds = [\"*\"]\n"));
    let manifest = manifest.expect("a manifest");
    AccountRow {
        plugin: manifest.name.clone(),
        version: crate::plugin::Version::of(component, &manifest),
        active: true,
        since_ms: 0,
        calls,
        refusals: 0,
        faults: if faults > 0 { BTreeMap::from([("trap".into(), faults)]) } else { BTreeMap::new() },
        wall_us,
        wall_us_max: 0,
        memory_bytes_max: 0,
        memory_growths_max: 0,
        fuel: None,
        fuel_max: None,
        compared: 0,
        drifted: 0,
    }
}

#[test]
fn versions_have_lines_of_what_they_did_and_not_of_sums() {
    let mut pace = Pace::default();
    let looks = [
        vec![account("notice", b"1", 10, 0, 1_000)],
        vec![account("notice", b"1", 14, 1, 1_400)],
        vec![account("notice", b"1", 14, 1, 1_400), account("notice", b"2", 2, 0, 500)],
        vec![
            account("notice", b"1", 14, 1, 1_400),
            account("notice", b"2", 2, 0, 500),
            account("tell", b"3", 1, 1, 9),
        ],
    ];
    for (at, accounts) in (0..).zip(looks) {
        pace.add(stats(0, 0), &flow(vec![]), accounts, at * STEP_MS);
    }
    let notice = crate::plugin::PluginName::new("notice").expect("a name");
    let series = pace.usage(Some(&notice), usize::MAX);
    assert_eq!((series.from_ms, series.versions.len()), (0, 2));
    let (old, new) = (&series.versions[0], &series.versions[1]);
    assert_eq!((&old.calls, &old.faults), (&vec![4, 0, 0], &vec![1, 0, 0]));
    assert_eq!(old.mean_us, vec![Some(100), None, None]);
    assert_eq!((&new.calls, &new.mean_us), (&vec![0, 2, 0], &vec![None, Some(250), None]));
    let last = pace.usage(None, 1);
    assert_eq!((last.from_ms, last.versions.len()), (2 * STEP_MS, 1));
    assert_eq!((last.versions[0].plugin.as_str(), &last.versions[0].faults), ("tell", &vec![1]));
}
