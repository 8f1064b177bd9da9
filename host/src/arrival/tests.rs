//! Tables of marks and events, and every order in which copies of a few events can arrive.

use super::*;
use tidegate_envelope::SourceName;

fn receipt(n: u64) -> Receipt {
    Receipt::new(1_700_000_000_000 + n, 0)
}

/// An event that was received as number `n`.
fn event(n: u64, kind: &str, occurred_at_us: Option<u64>, body: &str) -> Event {
    Event {
        receipt: receipt(n),
        source: SourceName::new("amj").expect("a source's name"),
        kind: kind.to_owned(),
        subject: "675".to_owned(),
        received_at_ms: receipt(n).timestamp_ms(),
        occurred_at_us,
        arrival: Arrival::First,
        content_type: None,
        sha256: Digest::of(body.as_bytes()),
        body: body.as_bytes().to_vec(),
        asset: None,
        json: None,
        findings: vec![],
        previous: None,
        changed: vec![],
        attributes: vec![],
        cause: None,
        trace: None,
    }
}

fn mark(event: &Event) -> Mark {
    advance(None, event).expect("the first event is the state")
}

/// What happened at one time, the one with the lower hash first.
fn tied(kinds: [&str; 2]) -> [Event; 2] {
    let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
    let bodies = if one.as_bytes() < other.as_bytes() { ["one", "other"] } else { ["other", "one"] };
    [event(1, kinds[0], Some(10), bodies[0]), event(2, kinds[1], Some(10), bodies[1])]
}

const UPDATE: &str = "asset.update";

#[test]
fn an_event_stands_to_the_mark_as_its_time_kind_and_bytes_say() {
    let (known, at) = (UPDATE, Some(10));
    for (was, is, expected, advances) in [
        ((known, at, "a"), (known, at, "a"), Arrival::Duplicate(receipt(1)), false),
        ((known, at, "a"), (known, Some(11), "b"), Arrival::First, true),
        ((known, at, "a"), ("asset.loan", Some(11), "b"), Arrival::First, true),
        ((known, at, "a"), (known, Some(9), "b"), Arrival::Stale, false),
        ((known, at, "a"), (CREATE, Some(9), "b"), Arrival::Stale, false),
        // Created and changed at one time: it was created first.
        ((known, at, "a"), (CREATE, at, "b"), Arrival::Stale, false),
        ((CREATE, at, "a"), (known, at, "b"), Arrival::First, true),
        // The first delete ends it, whatever its time, and only deletes count from then on.
        ((known, at, "a"), (DELETE, Some(9), "b"), Arrival::First, true),
        ((known, at, "a"), (DELETE, at, "b"), Arrival::First, true),
        ((known, at, "a"), (DELETE, None, "b"), Arrival::First, true),
        ((DELETE, at, "a"), (known, Some(9), "b"), Arrival::AfterDelete, false),
        ((DELETE, at, "a"), (known, Some(11), "b"), Arrival::AfterDelete, false),
        ((DELETE, at, "a"), (CREATE, Some(11), "b"), Arrival::AfterDelete, false),
        ((DELETE, at, "a"), (known, None, "b"), Arrival::AfterDelete, false),
        ((DELETE, at, "a"), (DELETE, at, "a"), Arrival::Duplicate(receipt(1)), false),
        ((DELETE, at, "a"), (DELETE, Some(9), "b"), Arrival::Stale, false),
        ((DELETE, at, "a"), (DELETE, Some(11), "b"), Arrival::First, true),
        ((DELETE, at, "a"), (DELETE, None, "b"), Arrival::First, true),
        // Nothing is known of when it happened.
        ((known, at, "a"), (known, None, "b"), Arrival::First, true),
        ((known, at, "a"), (CREATE, None, "b"), Arrival::First, true),
        ((known, None, "a"), (known, None, "b"), Arrival::First, true),
        ((known, None, "a"), (known, None, "a"), Arrival::Duplicate(receipt(1)), false),
        ((known, None, "a"), (known, Some(1), "b"), Arrival::First, true),
        // Another sender's words.
        ((known, at, "a"), ("", Some(9), "b"), Arrival::Stale, false),
        ((known, at, "a"), ("user.delete", Some(9), "b"), Arrival::Stale, false),
    ] {
        let known = mark(&event(1, was.0, was.1, was.2));
        let event = event(2, is.0, is.1, is.2);
        assert_eq!(classify(Some(&known), &event), expected, "{was:?} then {is:?}");
        assert_eq!(advance(Some(&known), &event).is_some(), advances, "{was:?} then {is:?}");
    }
}

#[test]
fn of_what_nothing_is_known_the_first_event_is_the_state() {
    for (kind, at) in [(CREATE, Some(1)), (UPDATE, None), (DELETE, None), (DELETE, Some(1))] {
        let event = event(1, kind, at, "a");
        assert_eq!(classify(None, &event), Arrival::First);
        let expected = Mark {
            receipt: event.receipt,
            kind: kind.to_owned(),
            occurred_at_us: at,
            sha256: event.sha256,
            is_deleted: kind == DELETE,
        };
        assert_eq!(advance(None, &event), Some(expected));
    }
}

#[test]
fn of_two_that_conflict_the_state_is_the_same_whichever_comes_first() {
    for kinds in [[UPDATE, UPDATE], [CREATE, CREATE], [DELETE, DELETE]] {
        let [low, high] = tied(kinds);
        assert_eq!(classify(Some(&mark(&low)), &high), Arrival::Conflict);
        assert_eq!(classify(Some(&mark(&high)), &low), Arrival::Conflict);
        assert_eq!(advance(Some(&mark(&low)), &high), Some(mark(&high)));
        assert_eq!(advance(Some(&mark(&high)), &low), None);
    }
}

#[test]
fn no_event_is_stale_by_its_hash() {
    let [low, high] = tied([UPDATE, "asset.loan"]);
    assert_eq!(classify(Some(&mark(&low)), &high), Arrival::First);
    assert_eq!(classify(Some(&mark(&high)), &low), Arrival::First);
    assert_eq!(advance(Some(&mark(&high)), &low), None);
}

#[test]
fn what_names_no_time_stands_where_it_arrives() {
    let timed = event(1, UPDATE, Some(10), "timed");
    let (untimed, next) = (event(2, CREATE, None, "untimed"), event(3, UPDATE, None, "next"));
    let first = mark(&timed);
    let second = advance(Some(&first), &untimed).expect("it arrives later");
    let third = advance(Some(&second), &next).expect("it arrives later");
    assert_eq!((second.occurred_at_us, third.occurred_at_us), (Some(11), Some(12)));
    let places =
        [(&timed, None), (&untimed, Some(&first)), (&next, Some(&second))].map(|(e, m)| Place::of(e, m));
    assert!(places.is_sorted() && places[0] != places[1] && places[1] != places[2]);
    // The event that became the mark has one place, before and after.
    assert_eq!(Place::of(&untimed, Some(&second)), places[1]);
    // What was known before is older now, and comes back no more.
    assert_eq!(classify(Some(&second), &timed), Arrival::Stale);
    assert_eq!(advance(Some(&second), &timed), None);
    // What happened later than what was known before is later.
    assert_eq!(classify(Some(&third), &event(4, UPDATE, Some(20), "later")), Arrival::First);
}

#[test]
fn what_names_no_time_is_in_the_order_in_which_it_was_received() {
    // Wake-ups become no mark, and a sender may never name a time.
    for known in
        [None, Some(mark(&event(0, UPDATE, Some(10), "a"))), Some(mark(&event(0, UPDATE, None, "a")))]
    {
        let events = ["b", "c", "d", "e", "f"].into_iter().zip(1..);
        let places: Vec<_> = events
            .map(|(body, n)| Place::of(&event(n, "tidegate.wake", None, body), known.as_ref()))
            .collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{known:?}");
    }
}

#[test]
fn places_are_stored_as_bytes_that_sort() {
    let ordered = [
        event(9, UPDATE, None, "no time"),
        event(8, UPDATE, Some(0), "a"),
        event(7, CREATE, Some(256), "a"),
        event(6, "asset.loan", Some(256), "b"),
        event(5, UPDATE, Some(1 << 40), "a"),
        event(4, UPDATE, Some(u64::MAX), "a"),
        event(3, DELETE, None, "b"),
        event(2, DELETE, Some(1), "b"),
        event(1, DELETE, Some(2), "a"),
    ];
    let places: Vec<_> = ordered.iter().map(|event| Place::of(event, None)).collect();
    assert!(places.windows(2).all(|pair| pair[0].as_bytes() < pair[1].as_bytes()), "{places:?}");
    for place in places {
        assert_eq!(Place::from_bytes(*place.as_bytes()), place);
    }
    let place = Place::of(&event(1, UPDATE, Some(0x0102_0304_0506_0708), "a"), None);
    let head = [0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 1];
    assert_eq!(place.as_bytes()[..], [&head[..], Digest::of(b"a").as_bytes()].concat());
}

/// Up to six events of one asset, often at one time; their bodies say all of them.
fn some_events(rng: &mut fastrand::Rng) -> Vec<Event> {
    let kinds: &[&str] =
        if rng.bool() { &[CREATE, UPDATE, "asset.loan"] } else { &[CREATE, UPDATE, UPDATE, DELETE] };
    let count = rng.usize(1..=6);
    (0..count)
        .map(|n| {
            let (kind, at_us) = (kinds[rng.usize(..kinds.len())], rng.u64(1..4));
            event(0, kind, Some(at_us), &format!("{n} {kind} {at_us} {}", rng.u64(..)))
        })
        .collect()
}

/// The mark after these arrive, the class of each held against what it does to the mark.
fn arrive<'a>(events: impl Iterator<Item = &'a Event>) -> Mark {
    let mut known: Option<Mark> = None;
    for (event, n) in events.zip(1..) {
        let event = Event { receipt: receipt(n), ..event.clone() };
        let next = advance(known.as_ref(), &event);
        let may_advance = matches!(classify(known.as_ref(), &event), Arrival::First | Arrival::Conflict);
        assert!(may_advance || next.is_none(), "{known:?} then {event:?}");
        known = next.or(known);
    }
    known.expect("something arrived")
}

/// All orders of these numbers, each once.
fn orders(numbers: &[usize]) -> Vec<Vec<usize>> {
    let mut found = vec![vec![]];
    for (place, &number) in numbers.iter().enumerate() {
        found = found
            .iter()
            .flat_map(|order| (0..=place).map(move |at| [&order[..at], &[number], &order[at..]].concat()))
            .collect();
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn copies_of_events_in_any_order_end_in_the_same_state() {
    let mut rng = fastrand::Rng::with_seed(6);
    for round in 0..400 {
        let events = some_events(&mut rng);
        let last = events
            .iter()
            .max_by_key(|e| (e.kind == DELETE, e.occurred_at_us, e.kind != CREATE, *e.sha256.as_bytes()))
            .expect("an event");
        let copies: Vec<_> = (0..events.len()).flat_map(|n| vec![n; rng.usize(1..=4)]).collect();
        let arrivals = if copies.len() <= 6 {
            orders(&copies)
        } else {
            let mut order = copies;
            std::iter::repeat_with(|| {
                rng.shuffle(&mut order);
                order.clone()
            })
            .take(200)
            .collect()
        };
        for order in arrivals {
            let known = arrive(order.iter().map(|&n| &events[n]));
            let state = (&known.kind, known.occurred_at_us, known.sha256, known.is_deleted);
            let expected = (&last.kind, last.occurred_at_us, last.sha256, last.kind == DELETE);
            assert_eq!(state, expected, "round {round}, order {order:?} of {events:#?}");
        }
    }
}
