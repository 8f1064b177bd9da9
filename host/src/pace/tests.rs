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
    pace.add(stats(100, 90), &flow(vec![]), 10_000);
    assert!(pace.series().incoming.is_empty(), "one look is no step");
    let events = (1..=4).map(|took| passed("amj", 11_000, took * 10)).collect();
    pace.add(stats(104, 93), &flow(events), 15_000);
    pace.add(stats(104, 104), &flow(vec![]), 20_000);
    let series = pace.series();
    assert_eq!((series.from_ms, series.step_ms), (10_000, STEP_MS));
    assert_eq!((series.incoming, series.done, series.waiting), (vec![4, 0], vec![3, 11], vec![11, 0]));
    assert_eq!((series.ack_ms_p50, series.ack_ms_p99), (vec![Some(10), None], vec![Some(15), None]));
    assert_eq!((series.decide_ms_p50, series.decide_ms_p99), (vec![Some(20), None], vec![Some(30), None]));
    assert_eq!(series.by_source, BTreeMap::from([("amj".into(), vec![4, 0])]));
    assert_eq!(pace.oldest_waiting_ms(), Some(7));
}

#[test]
fn an_hour_is_remembered_and_no_more() {
    let mut pace = Pace::default();
    for look in 0..1_000 {
        pace.add(stats(look, look), &flow(vec![]), look * STEP_MS);
    }
    let series = pace.series();
    assert_eq!((series.incoming.len(), series.from_ms), (STEPS_MAX, (999 - 720) * STEP_MS));
}

#[test]
fn of_more_events_than_are_looked_at_each_source_has_its_share() {
    let mut events = vec![passed("amj", 0, 1); PASSED_MAX / 2];
    events.extend(vec![passed("jira", 0, 1); PASSED_MAX / 2]);
    let counts = by_source(&events, 20_000);
    assert_eq!(counts, BTreeMap::from([("amj".into(), 10_000), ("jira".into(), 10_000)]));
}

#[test]
fn so_many_sources_have_a_line_and_no_more() {
    let mut pace = Pace::default();
    pace.add(stats(0, 0), &flow(vec![]), 0);
    let events = (0..100).map(|number| passed(&format!("s{number:02}"), 0, 1)).collect();
    pace.add(stats(100, 100), &flow(events), STEP_MS);
    assert_eq!(pace.series().by_source.len(), SOURCES_MAX);
}
