//! The contract of a store, run against the one that ships, in a file and (see `home`) in a database.

mod home;

#[path = "store/counters.rs"]
mod counters;
#[path = "store/database.rs"]
mod database;
#[path = "store/file.rs"]
mod file;
#[path = "store/keeping.rs"]
mod keeping;
#[path = "store/listing.rs"]
mod listing;
#[path = "store/parked.rs"]
mod parked;
#[path = "store/traced.rs"]
mod traced;
#[path = "store/versions.rs"]
mod versions;
#[path = "store/watched.rs"]
mod watched;

use home::Home;
use tidegate::deployment::{Action, Deployment, Roles};
use tidegate::effect::{Effect, EffectKey, EffectLimits, Grants, HostGrant};
use tidegate::event::Arrival;
use tidegate::log::{Level, Line, Log};
use tidegate::partition::Partitions;
use tidegate::plan::{Basis, Decided, Plan, Verdict};
use tidegate::plugin::{Manifest, PluginName, Version};
use tidegate::store::listing::EventQuery;
use tidegate::store::outbox::WaitingTarget;
use tidegate::store::parked::ParkedQuery;
use tidegate::store::sql::SqlStore;
use tidegate::store::versions::{NewVersion, Provenance};
use tidegate::store::{
    Batch, DueEffect, EffectOutcome, EffectState, EventRow, ParkedRow, Recorded, Replan, Store, Stray,
    SubjectChange,
};
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};

const NOW_MS: u64 = 1_700_000_000_000;

fn manifest() -> Manifest {
    Manifest::parse("name = \"notice\"\nkinds = [\"*\"]\nhosts = [\"a.example\"]\n")
        .expect("a valid manifest")
}

fn new_version(component: &[u8]) -> NewVersion {
    let manifest = manifest();
    let version = Version::of(component, &manifest);
    NewVersion {
        version,
        manifest,
        component: component.to_vec(),
        provenance: Provenance::default(),
        made_at_ms: NOW_MS,
    }
}

fn receipt(n: u64) -> Receipt {
    Receipt::new(NOW_MS + n, n.into())
}

fn recorded(n: u64, plans: Vec<Plan>) -> Recorded {
    let body = format!("{{\"event_type\":\"asset.update\",\"id\":{n}}}").into_bytes();
    let envelope = Envelope {
        receipt: receipt(n),
        source: SourceName::new("amj").expect("a valid name"),
        received_at_ms: NOW_MS + n,
        method: "POST".into(),
        profile: None,
        headers: vec![],
        content_type: Some("application/json".into()),
        sha256: Digest::of(&body),
        body: Body::Inline(body.clone()),
    };
    let event = tidegate::read::read_fetched(envelope, body);
    Recorded {
        event,
        queued_at_ms: NOW_MS + 1,
        pulled_at_ms: NOW_MS + 2,
        decided_at_ms: NOW_MS + 3,
        plans,
        subject: SubjectChange::default(),
        came: None,
    }
}

fn plan(version: &Version, verdict: Verdict) -> Plan {
    let plugin = PluginName::new("notice").expect("a valid name");
    Plan {
        plugin,
        version: version.clone(),
        attempt: 1,
        asked_us: 30,
        log: Log::default(),
        verdict,
        basis: Basis::default(),
    }
}

fn effect(n: u64) -> Effect {
    let request = tidegate::decision::HttpRequest {
        method: "POST".into(),
        url: "https://a.example/notices".into(),
        headers: vec![("content-type".into(), "text/plain".into())],
        body: Some(vec![0, 255, 7]),
        timeout_ms: Some(500),
        reply_tag: None,
    };
    let grants =
        Grants { hosts: vec![HostGrant::parse("a.example").expect("a valid host")], ..Grants::default() };
    let key = EffectKey::new(receipt(n), &manifest().name, 0);
    Effect::grant(&request, &grants, key, &EffectLimits::default()).expect("granted")
}

fn decided(version: &Version, n: u64) -> Recorded {
    let verdict = Verdict::Decided(Decided {
        effects: vec![effect(n)],
        notes: vec!["a line".into()],
        ..Decided::default()
    });
    recorded(n, vec![plan(version, verdict)])
}

async fn open(dir: &Home) -> (SqlStore, Version) {
    let store = dir.open().expect("opens");
    let new = new_version(b"component");
    let version = new.version.clone();
    store.commit(Batch { versions: vec![new], ..Batch::default() }).await.expect("records");
    deploy(&store, &version, 0).await;
    (store, version)
}

/// Makes a recorded version the active one.
async fn deploy(store: &SqlStore, version: &Version, at_ms: u64) {
    let deployment = Deployment {
        id: 0,
        plugin: manifest().name,
        roles: Roles { active: Some(version.clone()), ..Roles::default() },
        action: Action::Deploy,
        who: "ann".into(),
        why: None,
        at_ms,
    };
    store.commit(Batch { deployments: vec![deployment], ..Batch::default() }).await.expect("deploys");
}

fn dir() -> Home {
    Home::new()
}

async fn commit_events(store: &SqlStore, events: Vec<Recorded>) {
    store.commit(Batch { events, ..Batch::default() }).await.expect("commits");
}

/// All events, oldest first.
async fn all(store: &SqlStore) -> Vec<EventRow> {
    store.events(EventQuery::default()).await.expect("reads").events
}

async fn all_parked(store: &SqlStore) -> Vec<ParkedRow> {
    store.parked(ParkedQuery::default()).await.expect("reads").rows
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    commit_events(&store, vec![decided(&version, 1)]).await;
    drop(store);
    let store = reopen(&dir).await;
    let row = store.event(receipt(1)).await.expect("reads").expect("is there");
    assert_eq!((row.state.as_str(), row.class.as_str(), row.subject.as_str()), ("decided", "first", "1"));
    assert_eq!(
        (row.plans[0].version.clone(), row.plans[0].notes.clone()),
        (version.clone(), vec!["a line".to_owned()])
    );
    assert_eq!(row.effects[0].state, "waiting");
    let due = effects_due(&store, NOW_MS + 3).await;
    assert_eq!((due[0].effect.clone(), due[0].attempts), (effect(1), 0));
    assert_eq!(store.component(version).await.expect("reads").expect("is there"), b"component");
}

/// All effects that are due.
async fn effects_due(store: &SqlStore, now_ms: u64) -> Vec<DueEffect> {
    let waiting = store.targets_waiting(now_ms, 10).await.expect("reads");
    store.effects(waiting.into_iter().flat_map(|waiting| waiting.due).collect()).await.expect("reads")
}

/// The writer's thread lets go of the file a moment after the last handle is gone.
async fn reopen(dir: &Home) -> SqlStore {
    dir.open().expect("opens again")
}

#[tokio::test]
async fn a_receipt_known_already_is_left_as_it_is() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    commit_events(&store, vec![decided(&version, 1)]).await;
    commit_events(&store, vec![decided(&version, 1), decided(&version, 2)]).await;
    let rows = all(&store).await;
    assert_eq!(
        rows.iter().map(|row| (row.receipt, row.effects.len())).collect::<Vec<_>>(),
        [(receipt(1), 1), (receipt(2), 1)]
    );
}

#[tokio::test]
async fn a_batch_that_cannot_be_written_leaves_nothing_and_takes_no_other_with_it() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let never_deployed = Version::of(b"another", &manifest());
    let bad = Batch { events: vec![decided(&version, 1), decided(&never_deployed, 2)], ..Batch::default() };
    let good = Batch { events: vec![decided(&version, 3)], ..Batch::default() };
    let (bad, good) = tokio::join!(store.commit(bad), store.commit(good));
    assert!(bad.expect_err("cannot be written").to_string().contains("never deployed"));
    good.expect("is written");
    let rows = all(&store).await;
    assert_eq!(rows.iter().map(|row| row.receipt).collect::<Vec<_>>(), [receipt(3)]);
}

#[tokio::test]
async fn an_effect_is_due_until_it_is_done_or_parked() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    commit_events(&store, (1..=3).map(|n| decided(&version, n)).collect()).await;
    let due = effects_due(&store, NOW_MS + 3).await;
    let ends = [EffectState::Done, EffectState::Parked, EffectState::Waiting { due_at_ms: NOW_MS + 500 }];
    let outcomes = due.iter().zip(ends).map(|(due, state)| EffectOutcome {
        seq: due.seq,
        attempts: 1,
        state,
        what: "what".into(),
        at_ms: NOW_MS + 100,
        reply: None,
    });
    store.commit(Batch { outcomes: outcomes.collect(), ..Batch::default() }).await.expect("commits");
    assert!(effects_due(&store, NOW_MS + 499).await.is_empty());
    let waiting = store.targets_waiting(NOW_MS + 499, 10).await.expect("reads");
    let [WaitingTarget { target, due_at_ms, due, next_at_ms }] = waiting.as_slice() else {
        panic!("{waiting:?}")
    };
    assert_eq!(target.as_str(), "https://a.example");
    assert!(due.is_empty());
    assert_eq!((*due_at_ms, *next_at_ms), (NOW_MS + 500, Some(NOW_MS + 500)));
    let again = effects_due(&store, NOW_MS + 500).await;
    assert_eq!((again.len(), again[0].attempts, again[0].effect.clone()), (1, 1, effect(3)));
    let parked = all_parked(&store).await;
    assert_eq!(
        (parked[0].what.as_str(), parked[0].receipt, parked[0].why.as_str()),
        ("effect", Some(receipt(2)), "what")
    );
    let performed = store.event(receipt(1)).await.expect("reads").expect("is there");
    assert_eq!(performed.performed_at_ms, Some(NOW_MS + 100));
}

#[tokio::test]
async fn a_waiting_plan_is_asked_again_and_replaced_once() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let waiting = Verdict::Waiting { due_at_ms: NOW_MS + 50, why: "too slow".into() };
    commit_events(&store, vec![recorded(1, vec![plan(&version, waiting)])]).await;
    assert_eq!(store.event(receipt(1)).await.expect("reads").expect("is there").state, "waiting");
    assert_eq!(store.next_due_at_ms(0, Partitions::ALL).await.expect("reads"), Some(NOW_MS + 50));
    let due = store.asks_due(NOW_MS + 50, 10, Partitions::ALL).await.expect("reads");
    assert_eq!((due.len(), due[0].attempts, due[0].event.clone()), (1, 1, recorded(1, vec![]).event));

    let replan = || Replan {
        event: due[0].seq,
        plan: Plan {
            attempt: 2,
            ..plan(&version, Verdict::Decided(Decided { effects: vec![effect(1)], ..Decided::default() }))
        },
        decided_at_ms: NOW_MS + 60,
        subject: SubjectChange::default(),
    };
    for _ in 0..2 {
        store.commit(Batch { replans: vec![replan()], ..Batch::default() }).await.expect("commits");
    }
    let row = store.event(receipt(1)).await.expect("reads").expect("is there");
    assert_eq!((row.state.as_str(), row.plans[0].attempt, row.effects.len()), ("decided", 2, 1));
    assert!(store.asks_due(u64::MAX >> 1, 10, Partitions::ALL).await.expect("reads").is_empty());
}

#[tokio::test]
async fn what_is_parked_is_listed_with_its_reason() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let stray = || Stray { body: "what".into(), why: "not an envelope".into(), pulled_at_ms: NOW_MS };
    let parked = recorded(1, vec![plan(&version, Verdict::Parked { why: "trap".into(), is_holding: true })]);
    // A stray that was recorded and not acknowledged comes again, and is still one.
    store.commit(Batch { strays: vec![stray()], ..Batch::default() }).await.expect("commits");
    store
        .commit(Batch { events: vec![parked], strays: vec![stray()], ..Batch::default() })
        .await
        .expect("commits");
    let rows = all_parked(&store).await;
    let rows: Vec<_> = rows.iter().map(|row| (row.what.as_str(), row.receipt, row.why.as_str())).collect();
    assert_eq!(rows, [("stray", None, "not an envelope"), ("event", Some(receipt(1)), "trap")]);
}

#[tokio::test]
async fn events_are_listed_page_by_page_in_order_of_arrival() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    for n in [3, 1, 2] {
        commit_events(&store, vec![decided(&version, n)]).await;
    }
    let page = |after| EventQuery { after, rows_max: Some(2), ..EventQuery::default() };
    let first = store.events(page(None)).await.expect("reads");
    let second = store.events(page(Some(first.cursor))).await.expect("reads");
    let order: Vec<_> = first.events.iter().chain(&second.events).map(|row| row.receipt).collect();
    assert_eq!(order, [receipt(3), receipt(1), receipt(2)]);
    assert_eq!((first.is_end, second.is_end), (false, true));
    let none = store.events(page(Some(99))).await.expect("reads");
    assert!(none.events.is_empty() && none.is_end && none.cursor == 99, "{none:?}");
}

#[tokio::test]
async fn the_recent_window_holds_the_last_firsts() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let mut duplicate = recorded(9, vec![]);
    duplicate.event.arrival = Arrival::Duplicate(receipt(1));
    commit_events(&store, vec![decided(&version, 1), duplicate, decided(&version, 2), decided(&version, 3)])
        .await;
    let recent = store.recent(2, Partitions::ALL).await.expect("reads");
    assert_eq!(recent.iter().map(|(_, _, receipt)| *receipt).collect::<Vec<_>>(), [receipt(2), receipt(3)]);
    let row = store.event(receipt(9)).await.expect("reads").expect("is there");
    assert_eq!(
        (row.class.as_str(), row.duplicate_of, row.state.as_str()),
        ("duplicate", Some(receipt(1)), "decided")
    );
}

#[tokio::test]
async fn two_hosts_cannot_work_on_one_store() {
    let dir = dir();
    let (_store, _) = open(&dir).await;
    let error = dir.open().err().expect("is refused");
    let error = format!("{error:#}");
    assert!(error.contains("another tidegate"), "{error}");
}

#[tokio::test]
async fn a_store_of_a_newer_schema_is_refused() {
    let dir = dir();
    drop(open(&dir).await);
    dir.run(match dir.is_postgres() {
        true => "INSERT INTO schema_versions (version, works_since) VALUES (99, 99)",
        false => "PRAGMA user_version = 99",
    });
    let error = format!("{:#}", dir.open().err().expect("is refused"));
    assert!(error.contains("schema 99"), "{error}");
}

#[tokio::test]
async fn a_store_that_fails_is_tried_again_until_it_takes_the_batch() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    // The store refuses effects from here on.
    dir.run(match dir.is_postgres() {
        true => {
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no room'; END$$;
             CREATE TRIGGER refuse BEFORE INSERT ON effects FOR EACH ROW EXECUTE FUNCTION refuse()"
        }
        false => "CREATE TRIGGER refuse BEFORE INSERT ON effects BEGIN SELECT RAISE(ABORT, 'no room'); END",
    });
    let batch = |n| Batch { events: vec![decided(&version, n)], ..Batch::default() };
    let error = format!("{:#}", store.commit(batch(1)).await.expect_err("is refused").0);
    assert!(error.contains("no room"), "{error}");
    let (waiting, held) = (store.clone(), batch(2));
    let taken = waiting.submit(held).await.expect("is handed over");
    let later = waiting.submit(Batch { events: vec![recorded(4, vec![])], ..Batch::default() }).await;
    assert!(store.commit(batch(3)).await.is_err(), "it still refuses");
    assert!(store.durable() < taken.ticket);
    dir.run(if dir.is_postgres() { "DROP TRIGGER refuse ON effects" } else { "DROP TRIGGER refuse" });
    taken.durable().await.expect("ends when the store takes it");
    later.expect("is handed over").durable().await.expect("and so does what came after it");
    let rows = all(&store).await;
    let order: Vec<_> = rows.iter().map(|row| row.receipt).collect();
    assert_eq!(order, [receipt(2), receipt(4)], "what could be written did not overtake what could not");
}
