use super::*;
use crate::decision::Decision;
use crate::drift;
use crate::dryrun::tally::{Judged, Used};
use crate::fault::Fault;
use crate::plugin::Manifest;
use crate::sandbox::Answer;
use tidegate_envelope::{Receipt, SourceName};

fn difference(outcome: Outcome, before: &Answer, after: &Answer) -> Difference {
    Difference {
        outcome,
        receipt: Receipt::new(1_700_000_000_000, 7),
        source: SourceName::new("amj").expect("a name"),
        event_kind: "asset.update".into(),
        subject: "675".into(),
        received_at_ms: 1_700_000_000_000,
        version: None,
        drift: Some(drift::compare(before, after)),
    }
}

fn note(text: &str) -> Answer {
    Ok(Ok(vec![Decision::Note(text.into())]))
}

fn tally(events: u64, used: Used, differences: Vec<Difference>) -> Tally {
    let mut tally = Tally::default();
    let quiet = events - u64::try_from(differences.len()).expect("few");
    let all = differences.into_iter().map(Some).chain((0..quiet).map(|_| None));
    for difference in all {
        tally.add(Judged { difference, candidate: Some(used), base: None }, 1);
    }
    tally
}

fn said(tally: &Tally) -> String {
    let judged = judge(tally, &GateBounds::default(), &Limits::default());
    judged.expect_err("is refused").to_string()
}

fn used(us: u64, memory_bytes: usize) -> Used {
    Used { took: Duration::from_micros(us), memory_bytes }
}

#[test]
fn what_is_asked_for_beyond_the_active_version_is_approved_or_refused() {
    let manifest =
        |hosts: &str| Manifest::parse(&format!("name = \"n\"\nkinds = [\"*\"]\nhosts = [{hosts}]"));
    let (before, after) = (manifest("").expect("one"), manifest("\"pay.example\"").expect("one"));
    let changes = rights::compare(&before, &after, &Limits::default());
    let error = approved(&changes, false).expect_err("is refused").to_string();
    assert_eq!(
        error,
        "this version asks for more than the active one:\n  hosts: +pay.example\nto approve it, deploy it with --approve"
    );
    approved(&changes, true).expect("is approved");
    approved(&rights::compare(&after, &before, &Limits::default()), false).expect("is less");
}

#[test]
fn a_version_that_says_two_things_is_refused_with_both() {
    let impure = difference(Outcome::Impure, &note("1"), &note("2"));
    assert_eq!(
        said(&tally(10, used(50, 1), vec![impure])),
        "gate: pure: asked twice about 018bcfe5680000000000000000000007 (asset.update of 675), this version said two things: \
         at /decisions/0/note first \"1\", then \"2\""
            .replace("018bcfe5680000000000000000000007", &Receipt::new(1_700_000_000_000, 7).to_string())
    );
}

#[test]
fn a_fault_that_is_new_is_refused_with_its_event_and_its_function() {
    let trap = Err(Fault::Trap { cause: "unreachable".into(), backtrace: "decide\nhandle".into() });
    let new = || difference(Outcome::NewFault, &note("1"), &trap);
    assert_eq!(
        said(&tally(1_000, used(50, 1), vec![new(), new()])),
        format!(
            "gate: faults: of 1000 real events, this version faults about 2 where the version before did not, and 0 may \
             (gate.faults_max); the newest: {} (asset.update of 675): trap: unreachable, in decide",
            Receipt::new(1_700_000_000_000, 7)
        )
    );
    let two_may = GateBounds { faults_max: 2, ..GateBounds::default() };
    judge(&tally(1_000, used(50, 1), vec![new(), new()]), &two_may, &Limits::default()).expect("two may");
    let old = difference(Outcome::OtherFault, &Err(Fault::Contract("x".into())), &trap);
    judge(&tally(1_000, used(50, 1), vec![old]), &GateBounds::default(), &Limits::default())
        .expect("the version before faulted, too");
}

#[test]
fn a_version_over_its_budget_of_time_is_refused_with_both() {
    let text = said(&tally(100, used(800_000, 1), vec![]));
    assert_eq!(
        text,
        "gate: time: of 100 real events, this version takes 800000 us for the slowest in a hundred, which is over 75 % \
         (gate.wall_time_percent_max) of its wall_time_ms of 1000 ms"
    );
    let just_within = tally(100, used(750_000, 1), vec![]);
    judge(&just_within, &GateBounds::default(), &Limits::default()).expect("is within");
}

#[test]
fn a_version_over_its_budget_of_memory_is_refused_with_both() {
    let limit = Limits::default().memory_bytes;
    assert_eq!(
        said(&tally(100, used(50, limit), vec![])),
        format!(
            "gate: memory: of 100 real events, this version takes up to {limit} bytes for one, which is over 90 % \
             (gate.memory_percent_max) of its memory_bytes of {limit}"
        )
    );
}

#[test]
fn with_no_events_there_is_nothing_against_it() {
    judge(&Tally::default(), &GateBounds::default(), &Limits::default()).expect("passes");
}
