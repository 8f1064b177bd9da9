//! What is said of SQLite's file alone: those of every older schema.

use super::*;
use tidegate::access::Role;
use tidegate::condition;
use tidegate::partition::{Partition, Partitions};
use tidegate::store::access::AuditQuery;
use tidegate::store::parked::{Action as Say, Intervention, ParkedId};
use tidegate::store::seal::StoreKeys;
use tidegate::store::versions::VersionState;
use tidegate::subject::SubjectKey;

/// Made by the code of each schema: an event decided by `notice`, one that waits, one that is parked, a duplicate of the
/// first, and a stray. Since the second schema, two alerts, a gap, and something odd about the first event. Since the third,
/// what the plugin wrote about it. Since the fourth, what it remembers and what is to come of it, the asset's last state, an
/// attempt before the last at the effect, a target that is left alone, and a second stray that was dropped. Since the fifth, a
/// shadow and where it differs, a version that was withdrawn, and a line of the audit. Since the sixth, two tokens, their
/// sender's trace of the first two events, what was said of the host, an event that is held behind the parked one, one about
/// nothing that waits, and what is to come about nothing of one more.
const OLDER: [&[u8]; 6] = [
    include_bytes!("../golden/store-v1.sqlite"),
    include_bytes!("../golden/store-v2.sqlite"),
    include_bytes!("../golden/store-v3.sqlite"),
    include_bytes!("../golden/store-v4.sqlite"),
    include_bytes!("../golden/store-v5.sqlite"),
    include_bytes!("../golden/store-v6.sqlite"),
];
/// As that of the sixth schema, encrypted with this key.
const SEALED: &[u8] = include_bytes!("../golden/store-v6-sealed.sqlite");
const SEALED_WITH: &str = "BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY=";

#[tokio::test]
async fn a_store_of_an_older_schema_opens_and_keeps_everything() {
    for (since, bytes) in (1..).zip(OLDER) {
        let dir = holding(bytes);
        let store = dir.open().expect("opens");
        assert_keeps_everything(&store).await;
        if since >= 2 {
            let row = store.event(receipt(1)).await.expect("reads").expect("is there");
            assert_eq!(row.findings.len(), 1);
            assert_eq!(store.alerts(10).await.expect("reads").len(), 2);
            assert_eq!(store.gaps(10).await.expect("reads").len(), 1);
        }
        if since >= 4 {
            assert_keeps_the_fourth(&store).await;
        }
        if since >= 5 {
            assert_keeps_the_fifth(&store).await;
        }
        if since >= 6 {
            assert_keeps_the_sixth(&store).await;
        } else {
            assert!(store.tokens().await.expect("reads").is_empty());
        }
        let before = all(&store).await.len();
        // And it is one of this schema from now on.
        let version = new_version(b"component").version;
        let mut written = decided(&version, 5);
        written.plans[0].log = Log { lines: vec![Line::new(Level::Info, b"a line")], left_out_bytes: 0 };
        commit_events(&store, vec![written]).await;
        drop(store);
        let rows = all(&reopen(&dir).await).await;
        let with_log = rows.iter().filter(|row| row.plans.iter().any(|plan| !plan.log.is_empty())).count();
        assert_eq!(with_log, if since >= 3 { 2 } else { 1 });
        assert_eq!(rows.len(), before + 1);
    }
}

/// A place with this file.
fn holding(store: &[u8]) -> Home {
    let dir = dir();
    std::fs::write(dir.path().join("store.sqlite"), store).expect("the golden file is copied");
    dir
}

#[tokio::test]
async fn an_encrypted_store_of_an_older_schema_opens_with_its_key_and_with_no_other() {
    let dir = holding(SEALED);
    let other = StoreKeys::parse(Some(&StoreKeys::fresh().expect("random bytes")), None).expect("a key");
    for wrong in [StoreKeys::default(), other] {
        let error = format!("{:#}", dir.open_with(&wrong).err().expect("is refused"));
        assert!(error.contains("set TIDEGATE_STORE_KEY"), "{error}");
    }
    let own = StoreKeys::parse(Some(SEALED_WITH), None).expect("a key");
    let store = dir.open_with(&own).expect("opens");
    assert_keeps_everything(&store).await;
    assert_keeps_the_fourth(&store).await;
    assert_keeps_the_fifth(&store).await;
    assert_keeps_the_sixth(&store).await;
}

async fn assert_keeps_everything(store: &SqlStore) {
    let rows = all(store).await;
    let rows: Vec<_> = rows
        .iter()
        .take(4)
        .map(|row| (row.receipt, row.state.as_str(), row.class.as_str(), row.effects.len()))
        .collect();
    assert_eq!(
        rows,
        [
            (receipt(1), "decided", "first", 1),
            (receipt(2), "waiting", "first", 0),
            (receipt(3), "parked", "first", 0),
            (receipt(4), "decided", "duplicate", 0),
        ]
    );
    assert_eq!(effects_due(store, NOW_MS + 3).await[0].effect, effect(1));
    assert_eq!(store.asks_due(NOW_MS + 50, 10, Partitions::ALL).await.expect("reads").len(), 1);
    assert_eq!(all_parked(store).await.len(), 2);
    let active = store.deployments().await.expect("reads").remove(0).roles.active.expect("it has one");
    assert_eq!(store.component(active).await.expect("reads").expect("is there"), b"component");
}

async fn assert_keeps_the_fifth(store: &SqlStore) {
    let plugin = manifest().name;
    let now = store.history(plugin.clone(), 1).await.expect("reads").remove(0);
    let shadow = now.roles.shadow.expect("it has a shadow");
    let drift = store.drifts(plugin, 10).await.expect("reads").remove(0);
    assert_eq!((now.action, drift.version, drift.drift.fields_left_out), (Action::Shadow, shadow, 3));
    let third = store.kept_versions(vec![new_version(b"third").version]).await.expect("reads").remove(0);
    assert_eq!(third.state, VersionState::Withdrawn);
    let audit = store.audit(AuditQuery::default()).await.expect("reads");
    assert_eq!((audit.len(), audit[0].record["forgot"].as_u64()), (1, Some(1)));
}

async fn assert_keeps_the_sixth(store: &SqlStore) {
    let tokens = store.tokens().await.expect("reads");
    let tokens: Vec<_> =
        tokens.iter().map(|it| (it.name.as_str(), it.role, it.before, it.until_ms)).collect();
    let before = Some((Digest::of(b"before"), NOW_MS + 9));
    assert_eq!(tokens, [("ann", Role::Admin, before, None), ("bob", Role::Read, None, Some(NOW_MS + 99))]);
    assert_ne!(store.last_vigil().await.expect("reads").conditions, condition::Memory::default());
    let trace = effects_due(store, NOW_MS + 3).await[0].trace.expect("its sender has it in a trace");
    let asks = store.asks_due(NOW_MS + 100, 10, Partitions::ALL).await.expect("reads");
    let asks: Vec<_> = asks.iter().map(|ask| (ask.event.receipt, ask.event.trace)).collect();
    assert_eq!(asks, [(receipt(2), Some(trace)), (receipt(7), None)]);
    assert_is_shared_out(store).await;
}

/// Whoever holds its partition finds what waits, and nobody else does.
async fn assert_is_shared_out(store: &SqlStore) {
    let about_nothing = Partition::of_event("", None, &recorded(7, vec![]).event.sha256);
    let mut waiting = vec![(Partition::of_subject("2"), receipt(2)), (about_nothing, receipt(7))];
    assert_eq!(asks(store).await, in_order(waiting.clone()));

    let upcoming = store.upcoming_due(NOW_MS + 2_000_000, 10, Partitions::ALL).await.expect("reads");
    let upcoming: Vec<_> = upcoming.into_iter().map(|due| due.upcoming).collect();
    let subjects: Vec<_> = upcoming.iter().map(|it| (it.subject.as_str(), it.body.as_slice())).collect();
    assert_eq!(subjects, [("1", &b"tick"[..]), ("", &b"tock"[..])]);
    let to_come = upcoming.iter().map(|it| (it.partition(), it.receipt)).collect();
    let mut found = Vec::new();
    for partition in Partitions::ALL.iter() {
        let due = store.upcoming_due(NOW_MS + 2_000_000, 10, only(partition)).await.expect("reads");
        found.extend(due.iter().map(|due| (partition, due.upcoming.receipt)));
    }
    assert_eq!(found, in_order(to_come));

    // What is held is found there once what it was held behind has gone.
    let drop = Intervention {
        id: ParkedId::Plan(receipt(3), manifest().name),
        action: Say::Drop { reason: None },
        at_ms: NOW_MS + 20,
    };
    store.commit(Batch { interventions: vec![drop], ..Batch::default() }).await.expect("commits");
    waiting.push((Partition::of_subject("3"), receipt(6)));
    assert_eq!(asks(store).await, in_order(waiting));
}

/// What each partition alone has to ask.
async fn asks(store: &SqlStore) -> Vec<(Partition, Receipt)> {
    let mut found = Vec::new();
    for partition in Partitions::ALL.iter() {
        let due = store.asks_due(NOW_MS + 100, 10, only(partition)).await.expect("reads");
        found.extend(due.iter().map(|due| (partition, due.event.receipt)));
    }
    found
}

fn only(partition: Partition) -> Partitions {
    [partition].into_iter().collect()
}

fn in_order(mut found: Vec<(Partition, Receipt)>) -> Vec<(Partition, Receipt)> {
    found.sort();
    found
}

async fn assert_keeps_the_fourth(store: &SqlStore) {
    let key = SubjectKey { source: SourceName::new("amj").expect("a valid name"), subject: "1".into() };
    let state = store.subjects(vec![key]).await.expect("reads").remove(0);
    let memory = state.memories.values().next().and_then(|memory| memory.body.clone()).expect("remembers");
    assert_eq!((&*memory, state.expected.len()), (&b"remembered"[..], 1));
    assert_eq!(state.mark.expect("has a last state").receipt, receipt(1));
    let upcoming = store.upcoming_due(NOW_MS + 1_000_000, 10, Partitions::ALL).await.expect("reads");
    assert_eq!((upcoming.len(), upcoming[0].upcoming.body.as_slice()), (1, &b"tick"[..]));
    let row = store.event(receipt(1)).await.expect("reads").expect("is there");
    let tries: Vec<_> = row.effects[0].tries.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(tries, ["503 at attempt 1", "503 at attempt 2"]);
    assert!(row.effects[0].paused.is_some());
    assert_eq!(store.stats().await.expect("reads").strays.dropped, 1);
}

#[tokio::test]
async fn a_store_of_an_older_schema_is_counted_once_and_then_kept() {
    for (since, bytes) in (1..).zip(OLDER) {
        let dir = holding(bytes);
        let store = dir.open().expect("opens");
        let stats = super::counters::assert_counted(&dir, &store, "as it was").await;
        let (accepted, waiting) = if since >= 6 { (7, 3) } else { (4, 1) };
        assert_eq!((stats.accepted.sum(), stats.strays.parked, stats.waiting), (accepted, 1, waiting));
        commit_events(&store, vec![decided(&new_version(b"component").version, 5)]).await;
        super::counters::assert_counted(&dir, &store, "after more").await;
    }
}
