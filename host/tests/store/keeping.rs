//! What is removed with time, what is erased, and what is encrypted.

use super::*;
use std::sync::Arc;
use tidegate::arrival::Mark;
use tidegate::config::{RetentionSection, SourceRetention};
use tidegate::event::Cause;
use tidegate::keep::{Keeper, Swept};
use tidegate::partition::Partitions;
use tidegate::person::Person;
use tidegate::retention::Retention;
use tidegate::store::keeping::{Erasure, Keeping as _, Look, Place, Table};
use tidegate::store::parked::{Action, Intervention, ParkedId};
use tidegate::store::seal::StoreKeys;
use tidegate::subject::SubjectKey;
use tidegate::upcoming::{Upcoming, WAKE};

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// Twenty days after the events of these tests.
fn later() -> u64 {
    NOW_MS + 20 * DAY_MS
}

fn keeper(store: &SqlStore, section: &RetentionSection) -> Keeper<SqlStore> {
    let retention = Retention::new(section).expect("fits");
    Keeper { store: store.clone(), retention, now_ms: later }
}

fn days(days: u32) -> RetentionSection {
    RetentionSection { days, ..RetentionSection::default() }
}

async fn receipts(store: &SqlStore) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    let mut query = EventQuery::default();
    loop {
        let page = store.events(query).await.expect("reads");
        receipts.extend(page.events.iter().map(|row| row.receipt));
        if page.is_end {
            return receipts;
        }
        query = EventQuery { after: Some(page.cursor), ..EventQuery::default() };
    }
}

fn lent(n: u64, plans: Vec<Plan>) -> Recorded {
    let mut recorded = recorded(n, plans);
    let body = format!(
        "{{\"event_type\":\"asset.update\",\"id\":{n},\"loanee\":{{\"id\":142,\"name\":\"John Do\"}}}}"
    );
    recorded.event.body = body.into_bytes();
    recorded
}

fn snapshot_of(mut recorded: Recorded) -> Recorded {
    recorded.subject.mark = Some(Mark {
        receipt: recorded.event.receipt,
        kind: recorded.event.kind.clone(),
        occurred_at_us: None,
        sha256: recorded.event.sha256,
        is_deleted: false,
    });
    recorded
}

/// Decided, with a wake-up long after.
fn to_come(n: u64) -> Verdict {
    let upcoming = Upcoming {
        receipt: Receipt::new(NOW_MS + 1_000, n.into()),
        due_at_ms: later() + DAY_MS,
        source: SourceName::new("amj").expect("a name"),
        kind: WAKE.into(),
        subject: n.to_string(),
        content_type: None,
        body: b"John Do".to_vec(),
        attributes: vec![],
        cause: Cause { receipt: receipt(n), depth: 1, audience: None },
    };
    Verdict::Decided(Decided { upcoming: vec![upcoming], ..Decided::default() })
}

async fn perform_all(store: &SqlStore) {
    let waiting = store.targets_waiting(later(), 2_000).await.expect("reads");
    let due = store.effects(waiting.into_iter().flat_map(|it| it.due).collect()).await.expect("reads");
    let outcomes = due.into_iter().map(|due| EffectOutcome {
        seq: due.seq,
        attempts: 1,
        state: EffectState::Done,
        what: "200 in 1 ms".into(),
        at_ms: NOW_MS,
        reply: None,
    });
    store.commit(Batch { outcomes: outcomes.collect(), ..Batch::default() }).await.expect("commits");
}

#[tokio::test]
async fn what_is_old_goes_with_all_that_hangs_on_it_and_what_is_needed_stays() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    commit_events(&store, vec![decided(&version, 1), snapshot_of(decided(&version, 2))]).await;
    perform_all(&store).await;
    let waits = Verdict::Waiting { due_at_ms: NOW_MS, why: "later".into() };
    let parked = Verdict::Parked { why: "odd".into(), is_holding: false };
    commit_events(
        &store,
        vec![
            recorded(3, vec![plan(&version, waits)]),
            recorded(4, vec![plan(&version, parked)]),
            // Its effect is not performed.
            decided(&version, 5),
            recorded(6, vec![]),
            // Something is to come of it.
            recorded(7, vec![plan(&version, to_come(7))]),
            // The newest: its number must not be given again.
            recorded(8, vec![]),
        ],
    )
    .await;
    let strays = ["one", "two"];
    let strays = strays.map(|it| Stray { body: it.into(), why: "odd".into(), pulled_at_ms: NOW_MS });
    let dropped =
        Intervention { id: ParkedId::Stray(1), action: Action::Drop { reason: None }, at_ms: NOW_MS };
    let batch = Batch { strays: strays.into(), interventions: vec![dropped], ..Batch::default() };
    store.commit(batch).await.expect("commits");
    let before = store.stats().await.expect("reads");
    let swept = keeper(&store, &days(21)).sweep().await.expect("looks");
    assert_eq!(swept.removed, 0, "nothing is that old");
    let swept = keeper(&store, &days(15)).sweep().await.expect("removes");
    assert_eq!((swept.seen, swept.removed), (8, 2));
    assert_eq!(store.stats().await.expect("reads"), before, "what is removed stays counted");
    assert_eq!(receipts(&store).await, [2, 3, 4, 5, 7, 8].map(receipt));
    let parked = all_parked(&store).await;
    assert_eq!(parked.iter().filter(|row| row.what == "stray").count(), 1, "the other one was dropped");
    assert!(store.parked_detail(ParkedId::Stray(1)).await.expect("reads").is_none());
    for table in ["plans", "effects"] {
        let left = dir.query(&format!("SELECT event_seq FROM {table} WHERE event_seq IN (1, 6)"));
        assert!(left.is_empty(), "{table}");
    }
}

#[tokio::test]
async fn a_source_with_too_much_loses_its_oldest_and_the_file_becomes_smaller() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    for n in 0..20 {
        let events = (1..=50).map(|k| {
            let mut event = decided(&version, n * 50 + k);
            event.event.body.resize(6_000, b' ');
            event
        });
        commit_events(&store, events.collect()).await;
    }
    perform_all(&store).await;
    let before = store.pages().await.expect("reads");
    let amj = SourceRetention { source: SourceName::new("amj").expect("a name"), days: 0, bytes: 1_000_000 };
    let section = RetentionSection { sources: vec![amj], ..RetentionSection::default() };
    let keeper = keeper(&store, &section);
    let swept = keeper.sweep().await.expect("removes");
    let kept = receipts(&store).await;
    assert!((140..170).contains(&kept.len()), "{} are left of 1000", kept.len());
    assert_eq!(kept.last(), Some(&receipt(1_000)), "the newest stay");
    let after = store.pages().await.expect("reads");
    if !dir.is_postgres() {
        assert!(after.all * 3 < before.all && swept.pages > 0, "{before:?} {after:?} {swept:?}");
    }
    let again = keeper.sweep().await.expect("looks");
    assert_eq!(Swept { seen: 0, ..again }, Swept::default(), "it fits");
}

/// How often each file of the store names the person.
async fn found(store: &SqlStore) -> u64 {
    let person = Person { id: Some("142".into()), names: vec!["John Do".into()] };
    let look: Look = Arc::new(move |bytes| person.places_in(bytes));
    store.look(look, false).await.expect("looks").iter().map(|file| file.found).sum()
}

async fn places(store: &SqlStore) -> Vec<Place> {
    let person = Person { id: Some("142".into()), names: vec!["John Do".into()] };
    let mut places = Vec::new();
    for table in Table::ALL {
        for payload in store.payloads(table, None, 1_000).await.expect("reads") {
            if payload.texts.iter().any(|text| person.is_named_in(text)) {
                places.push(payload.place);
            }
        }
    }
    places
}

#[tokio::test]
async fn what_is_erased_is_gone_from_the_rows_and_from_the_bytes_of_the_file() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let waits = Verdict::Waiting { due_at_ms: NOW_MS, why: "John Do".into() };
    let mut noted = decided(&version, 1);
    if let Verdict::Decided(decided) = &mut noted.plans[0].verdict {
        decided.notes = vec!["lent to John Do".into()];
    }
    let events =
        vec![lent(2, vec![plan(&version, waits)]), snapshot_of(lent(3, decided(&version, 3).plans)), noted];
    commit_events(&store, events).await;
    let stray = Stray { body: "{\"loanee\":{\"id\":142".into(), why: "cut off".into(), pulled_at_ms: NOW_MS };
    let stray = Stray { body: stray.body + "}}", ..stray };
    store.commit(Batch { strays: vec![stray], ..Batch::default() }).await.expect("commits");
    let named = places(&store).await;
    assert_eq!(named.len(), 5, "two events, two plans, a stray: {named:?}");
    assert!(found(&store).await >= 5);

    let due = effects_due(&store, later()).await;
    let under_way = due.iter().find(|due| due.effect.key() == effect(3).key()).expect("is due").seq;
    let erasure = Erasure { places: named, at_ms: NOW_MS };
    store.commit(Batch { erasure, ..Batch::default() }).await.expect("erases");
    let outcome = EffectOutcome {
        seq: under_way,
        attempts: 1,
        state: EffectState::Waiting { due_at_ms: NOW_MS },
        what: "John Do is not known".into(),
        at_ms: NOW_MS,
        reply: None,
    };
    store.commit(Batch { outcomes: vec![outcome], ..Batch::default() }).await.expect("commits");
    assert_eq!((places(&store).await, found(&store).await), (vec![], 0));
    super::counters::assert_counted(&dir, &store, "after erasing").await;

    let row = store.event(receipt(2)).await.expect("reads").expect("its row stays");
    assert_eq!((row.state.as_str(), row.plans[0].state.as_str()), ("decided", "dropped"));
    assert_eq!(row.findings[0].code, "erased");
    let row = store.event(receipt(3)).await.expect("reads").expect("its row stays");
    assert_eq!(
        (row.effects[0].state.as_str(), row.effects[0].key.as_str()),
        ("dropped", effect(3).key().as_str())
    );
    assert!(row.effects[0].what.as_deref().is_some_and(|what| what.starts_with("forgotten")), "{row:?}");
    assert_eq!(
        store.known(vec![receipt(2), receipt(3)]).await.expect("reads").len(),
        2,
        "receipts stay known"
    );
    let key = SubjectKey { source: row.source, subject: "3".into() };
    let state = store.subjects(vec![key]).await.expect("reads").remove(0);
    assert!(
        state.mark.is_some() && state.json.is_none(),
        "the mark stays, and nobody is told the state before"
    );
    assert_eq!(effects_due(&store, later()).await.len(), 1, "the other event's effect");
    assert!(store.asks_due(later(), 10, Partitions::ALL).await.expect("reads").is_empty());
}

#[tokio::test]
async fn with_a_key_no_payload_stands_in_the_file_and_without_it_the_file_does_not_open() {
    let dir = dir();
    let fresh = || StoreKeys::fresh().expect("random bytes");
    let (key, newer) = (fresh(), fresh());
    let keys = StoreKeys::parse(Some(&key), None).expect("a key");
    let store = dir.open_with(&keys).expect("opens");
    let new = new_version(b"component");
    let version = new.version.clone();
    store.commit(Batch { versions: vec![new], ..Batch::default() }).await.expect("is recorded");
    let waits = Verdict::Waiting { due_at_ms: NOW_MS, why: "John Do".into() };
    commit_events(&store, vec![lent(1, vec![plan(&version, waits)]), lent(2, decided(&version, 2).plans)])
        .await;
    assert_eq!(found(&store).await, 0);
    assert_eq!(places(&store).await.len(), 3, "whoever has the key reads two bodies and why one waits");
    drop(store);
    let error = format!("{:#}", dir.open().err().expect("is refused"));
    assert!(error.contains("TIDEGATE_STORE_KEY"), "{error}");
    let error = StoreKeys::parse(Some(&newer), None).expect("a key");
    assert!(dir.open_with(&error).is_err());
    let both = StoreKeys::parse(Some(&newer), Some(&key)).expect("keys");
    let store = dir.open_with(&both).expect("opens");
    assert_eq!(effects_due(&store, later()).await[0].effect, effect(2));
    assert_eq!(
        store.asks_due(later(), 10, Partitions::ALL).await.expect("reads")[0].event.body,
        lent(1, vec![]).event.body
    );
}

#[tokio::test]
async fn a_file_that_was_not_encrypted_is_read_on_with_a_key() {
    let dir = dir();
    let (store, _) = open(&dir).await;
    commit_events(&store, vec![lent(1, vec![])]).await;
    drop(store);
    let keys = StoreKeys::parse(Some(&StoreKeys::fresh().expect("random bytes")), None).expect("a key");
    let store = dir.open_with(&keys).expect("opens");
    commit_events(&store, vec![lent(2, vec![])]).await;
    assert_eq!(places(&store).await.len(), 2);
}
