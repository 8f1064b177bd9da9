//! The judge finds each thing that may go wrong, and nothing where nothing did.

use super::*;
use serde_json::json;
use std::time::Duration;
use tidegate_sender::policy::Answer;

fn receipt(number: u128) -> Receipt {
    format!("{number:026}").parse().expect("a receipt")
}

/// A row as the store gives it, for this receipt; a duplicate when it says of what.
fn row(number: u128, of: Option<u128>) -> EventRow {
    let (plans, effects) = match of {
        None => (vec![plan()], vec![effect(number)]),
        Some(_) => (Vec::new(), Vec::new()),
    };
    let row = json!({
        "receipt": receipt(number), "source": "amj", "kind": "asset.update", "subject": "1",
        "class": if of.is_some() { "duplicate" } else { "first" }, "duplicate_of": of.map(receipt),
        "state": "decided", "plugin": null, "version": null,
        "received_at_ms": 1, "queued_at_ms": 1, "pulled_at_ms": 1, "decided_at_ms": 1, "performed_at_ms": null,
        "plans": plans, "effects": effects,
    });
    serde_json::from_value(row).expect("a row")
}

fn plan() -> serde_json::Value {
    let version = format!("sha256:{}", "0".repeat(64));
    json!({ "plugin": "loan-notice", "version": version, "state": "decided", "attempt": 1, "asked_us": 1, "why": null, "notes": [] })
}

fn effect(number: u128) -> serde_json::Value {
    json!({ "key": format!("{number}-0"), "request": "POST /", "state": "done", "attempts": 1, "what": null, "at_ms": 1 })
}

/// Receipts 1 and 2 are for the same bytes, 3 for others.
fn seen() -> Seen {
    let acked = [(1, 0), (2, 0), (3, 1)].map(|(number, bytes)| (receipt(number), bytes));
    let mut seen = Seen::default();
    seen.acked.extend(acked);
    seen
}

fn good() -> Vec<EventRow> {
    vec![row(1, None), row(2, Some(1)), row(3, None)]
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(judge(&seen(), &good()), (2, Vec::new()));
}

#[test]
fn each_thing_that_is_wrong_is_found() {
    type Change = fn(&mut Vec<EventRow>, &mut Seen);
    let cases: [(&str, Change); 11] = [
        ("acknowledged and lost", |events, _| drop(events.remove(2))),
        ("recorded twice", |events, _| events.push(row(3, None))),
        ("left parked", |events, _| events[0].state = "parked".into()),
        ("given for two requests", |_, seen| seen.given_twice.push(receipt(1))),
        ("decided though the same bytes", |events, _| events[1] = row(2, None)),
        ("taken for a duplicate of other bytes", |events, _| events[2] = row(3, Some(1))),
        ("decided more than once", |events, _| {
            let plan = events[0].plans[0].clone();
            events[0].plans.push(plan);
        }),
        ("an effect that is not done", |events, _| events[0].effects[0].state = "parked".into()),
        ("a duplicate of nothing", |events, _| events[1] = row(2, Some(9))),
        ("a duplicate that was decided", |events, _| events[1].plans = events[0].plans.clone()),
        ("nobody was given a receipt for", |events, _| events.push(row(4, Some(3)))),
    ];
    for (what, change) in cases {
        let (mut events, mut seen) = (good(), seen());
        change(&mut events, &mut seen);
        let (_, faults) = judge(&seen, &events);
        assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
    }
}

#[test]
fn an_event_whose_answer_was_lost_may_be_recorded() {
    let mut seen = seen();
    seen.refused.push((Answer::TimedOut, Duration::from_secs(3)));
    let events: Vec<_> = good().into_iter().chain([row(4, Some(3))]).collect();
    assert_eq!(judge(&seen, &events).1, Vec::<String>::new());
}
