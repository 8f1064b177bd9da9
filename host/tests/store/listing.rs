//! Events are found by what people know of them, page by page, whichever way they look.

use super::*;
use tidegate::partition::Partitions;

/// Receipts of all that match, gone through to the end in pages of two.
async fn found(store: &SqlStore, mut query: EventQuery) -> Vec<Receipt> {
    let mut found = Vec::new();
    query.rows_max = Some(2);
    loop {
        let page = store.events(query.clone()).await.expect("reads");
        found.extend(page.events.iter().map(|row| row.receipt));
        if page.is_end {
            return found;
        }
        match query.before {
            Some(_) => query.before = Some(page.cursor),
            None => query.after = Some(page.cursor),
        }
    }
}

/// Seven events: of two subjects, one a duplicate, one stale, one parked, one of another kind, one whose body is no text.
async fn seven(dir: &Home) -> SqlStore {
    let (store, version) = open(dir).await;
    let mut events: Vec<_> = (1..=7).map(|n| decided(&version, n)).collect();
    events[1].event.arrival = Arrival::Duplicate(receipt(1));
    events[2].event.arrival = Arrival::Stale;
    events[3].plans = vec![plan(&version, Verdict::Parked { why: "trap".into(), is_holding: true })];
    events[4].event.kind = "asset.delete".into();
    events[5].event.body = vec![0xff, b'{', b'x'];
    events[6].event.subject = "1".into();
    for (n, event) in (1_u64..).zip(&mut events) {
        // A quarter of an hour apart and more: what was pulled long before was accepted before.
        event.event.received_at_ms = NOW_MS + n * 3_600_000;
        event.pulled_at_ms = event.event.received_at_ms + 10;
    }
    events[6].plans = Vec::new();
    for event in events {
        commit_events(&store, vec![event]).await;
    }
    store
}

#[tokio::test]
async fn every_filter_finds_what_it_says_in_both_directions() {
    let dir = dir();
    let store = seven(&dir).await;
    let all = EventQuery::default;
    let hour = |n: u64| Some(NOW_MS + n * 3_600_000);
    for (query, expected) in [
        (all(), vec![1, 2, 3, 4, 5, 6, 7]),
        (EventQuery { subject: Some("1".into()), ..all() }, vec![1, 7]),
        (EventQuery { kind: Some("asset.delete".into()), ..all() }, vec![5]),
        (EventQuery { class: Some("duplicate".into()), ..all() }, vec![2]),
        (EventQuery { class: Some("stale".into()), ..all() }, vec![3]),
        (EventQuery { state: Some("parked".into()), ..all() }, vec![4]),
        (EventQuery { plugin: Some("notice".into()), ..all() }, vec![1, 2, 3, 4, 5, 6]),
        (EventQuery { plugin: Some("other".into()), ..all() }, vec![]),
        (EventQuery { source: Some("amj".into()), since_ms: hour(6), ..all() }, vec![6, 7]),
        (EventQuery { until_ms: hour(3), ..all() }, vec![1, 2]),
        (EventQuery { since_ms: hour(2), until_ms: hour(4), ..all() }, vec![2, 3]),
        (EventQuery { since_ms: hour(9), ..all() }, vec![]),
        (EventQuery { text: Some("\"id\":3}".into()), ..all() }, vec![3]),
        (EventQuery { text: Some("{x".into()), ..all() }, vec![6]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(receipt).collect();
        assert_eq!(found(&store, query.clone()).await, expected, "{query:?}");
        let mut backward = found(&store, EventQuery { before: Some(0), ..query.clone() }).await;
        backward.reverse();
        assert_eq!(backward, expected, "backward: {query:?}");
    }
}

#[tokio::test]
async fn an_empty_store_has_an_end_and_a_place_to_go_on_from() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let page = store.events(EventQuery::default()).await.expect("reads");
    assert!(page.events.is_empty() && page.is_end, "{page:?}");
    assert!(
        store.events(EventQuery { before: Some(0), ..EventQuery::default() }).await.expect("reads").is_end
    );
    commit_events(&store, vec![decided(&version, 1)]).await;
    assert_eq!(
        found(&store, EventQuery { after: Some(page.cursor), ..EventQuery::default() }).await.len(),
        1
    );
}

#[tokio::test]
async fn a_payload_comes_as_text_or_in_base64() {
    let dir = dir();
    let store = seven(&dir).await;
    let query = EventQuery { payload: Some(true), ..EventQuery::default() };
    let page = store.events(query).await.expect("reads");
    let payload = |n: usize| page.events[n].payload.clone().expect("it was asked for");
    assert_eq!((payload(0).encoding.as_str(), payload(0).content.contains("\"id\":1}")), ("text", true));
    assert_eq!((payload(5).encoding.as_str(), payload(5).content.as_str()), ("base64", "/3t4"));
    assert_eq!(page.events[0].cursor, 1);
}

#[tokio::test]
async fn an_event_alone_says_what_changed_and_what_it_led_to() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let mut later = recorded(2, vec![]);
    later.event.previous = Some(tidegate::event::Snapshot { receipt: receipt(1), json: "{}".into() });
    let upcoming = tidegate::upcoming::Upcoming {
        receipt: receipt(50),
        due_at_ms: NOW_MS + 500,
        source: SourceName::new("amj").expect("a name"),
        kind: "tidegate.wake".into(),
        subject: "2".into(),
        content_type: None,
        body: Vec::new(),
        attributes: Vec::new(),
        cause: tidegate::event::Cause { receipt: receipt(2), depth: 1, audience: None },
    };
    let verdict = Verdict::Decided(Decided { upcoming: vec![upcoming.clone()], ..Decided::default() });
    later.plans = vec![plan(&version, verdict)];
    commit_events(&store, vec![decided(&version, 1), later]).await;
    let story = async || {
        let event = store.event(receipt(2)).await.expect("reads").expect("is there");
        assert_eq!(event.previous, Some(receipt(1)));
        event.story.expect("a single event has one")
    };
    assert_eq!(story().await.changed, ["/id"]);
    let led = |story: &tidegate::store::listing::Story| {
        story.caused.iter().map(|it| (it.receipt, it.state.clone())).collect::<Vec<_>>()
    };
    assert_eq!(led(&story().await), [(receipt(50), "upcoming".into())]);
    let due = store.upcoming_due(NOW_MS + 500, 1, Partitions::ALL).await.expect("reads").remove(0);
    let came = Recorded { event: upcoming.into_event(), came: Some(due.seq), ..recorded(3, vec![]) };
    commit_events(&store, vec![came]).await;
    assert_eq!(led(&story().await), [(receipt(50), "decided".into())]);
    assert!(all(&store).await.iter().all(|event| event.story.is_none()), "lists leave it out");
}

#[tokio::test]
async fn what_a_plugin_wrote_is_kept_with_its_plan() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let lines = vec![Line::new(Level::Info, b"a line"), Line::new(Level::Error, b"an error")];
    let log = Log { lines, left_out_bytes: 7 };
    let mut wrote =
        recorded(1, vec![plan(&version, Verdict::Parked { why: "trap".into(), is_holding: true })]);
    wrote.plans[0].log = log.clone();
    commit_events(&store, vec![wrote, decided(&version, 2)]).await;
    let rows = all(&store).await;
    let [wrote, silent] = &rows[..] else { panic!("two events: {rows:?}") };
    assert_eq!(wrote.plans[0].log, log);
    let json = serde_json::to_value(&wrote.plans[0]).expect("has a JSON form");
    assert_eq!(
        json["log"],
        serde_json::json!({
            "lines": [{ "level": "info", "text": "a line" }, { "level": "error", "text": "an error" }],
            "left_out_bytes": 7,
        })
    );
    assert!(silent.plans[0].log.is_empty());
}

#[tokio::test]
async fn every_text_that_json_can_say_is_kept_and_found() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    // PostgreSQL has no U+0000 in its text; what stands for it there is no text of its own.
    for (n, subject) in (1..).zip(["6\0 75", "6\u{1}0 75", "\u{10ffff}", "6'75\\"]) {
        let why = format!("odd\0{subject}");
        let mut odd = decided(&version, n);
        odd.event.subject = subject.to_owned();
        odd.event.kind = subject.to_owned();
        odd.plans[0].verdict = Verdict::Parked { why: why.clone(), is_holding: false };
        commit_events(&store, vec![odd]).await;
        let query = EventQuery { subject: Some(subject.into()), ..EventQuery::default() };
        let rows = store.events(query).await.expect("reads").events;
        let [row] = &rows[..] else { panic!("{subject:?}: {rows:?}") };
        assert_eq!((row.receipt, row.kind.as_str()), (receipt(n), subject));
        assert_eq!(row.plans[0].why.as_ref(), Some(&why));
    }
}
