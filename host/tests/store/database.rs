//! What is said of a database on another machine alone: its connections are lost, and what became of a transaction is not
//! always answered.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tidegate::partition::Partitions;
use tidegate::store::access::AuditQuery;
use tidegate::store::keeping::Audit;
use tidegate::store::seal::StoreKeys;
use tidegate::store::sql::{Others, SqlStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn connections_that_are_lost_lose_nothing_and_double_nothing() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let ending = async {
        loop {
            tokio::time::sleep(Duration::from_millis(40)).await;
            dir.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
        }
    };
    let writing = async {
        for n in 1..=60 {
            let batch =
                Batch { events: vec![decided(&version, n)], audit: vec![audit(n)], ..Batch::default() };
            store.submit(batch).await.expect("is handed over").durable().await.expect("is written");
        }
    };
    tokio::select! {
        () = ending => unreachable!("it goes on for ever"),
        () = writing => {}
    }
    let rows = all(&store).await;
    assert_eq!(
        rows.iter().map(|row| row.receipt).collect::<Vec<_>>(),
        (1..=60).map(receipt).collect::<Vec<_>>()
    );
    assert!(rows.iter().all(|row| row.effects.len() == 1));
    assert_eq!(audits(&store).await, (1..=60).rev().collect::<Vec<_>>());
    super::counters::assert_counted(&dir, &store, "in the end").await;
}

/// What a line between the host and the server does to the next transaction.
const PASS: u8 = 0;
const LOSE_THE_ANSWER: u8 = 1;
const LOSE_THE_COMMIT: u8 = 2;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_commit_that_nobody_answered_is_asked_for_and_written_once() {
    let dir = dir();
    let fate = Arc::new(AtomicU8::new(PASS));
    let store = dir.open_through(line(dir.server_port(), Arc::clone(&fate)).await).expect("opens");
    for (n, what) in [(1, PASS), (2, LOSE_THE_ANSWER), (3, LOSE_THE_COMMIT), (4, PASS)] {
        fate.store(what, Ordering::SeqCst);
        let batch = Batch { audit: vec![audit(n)], ..Batch::default() };
        store.submit(batch).await.expect("is handed over").durable().await.expect("is written");
        assert_eq!(fate.load(Ordering::SeqCst), PASS, "it happened");
    }
    assert_eq!(audits(&store).await, [4, 3, 2, 1]);
}

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_host_that_was_taken_over_writes_nothing_more() {
    let dir = dir();
    let (first, version) = open(&dir).await;
    let waiting = dir.open_after_others();
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(600), &mut waiting).await;
    assert!(early.is_err(), "while one is at work another waits");
    // What the server does to one that it does not hear any more.
    dir.query(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    let second = waiting.await;
    commit_events(&second, vec![decided(&version, 1)]).await;
    let late = Batch { events: vec![decided(&version, 2)], ..Batch::default() };
    assert!(first.commit(late).await.is_err(), "it decided on what holds no longer");
    tokio::time::timeout(Duration::from_secs(10), first.ended()).await.expect("it has ended");
    assert_eq!(all(&second).await.len(), 1);
    drop(second);
    let late = Batch { events: vec![decided(&version, 3)], ..Batch::default() };
    assert!(first.submit(late).await.is_err(), "nor when nobody else is there");
}

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_server_without_tls_and_a_password_in_the_url_are_refused() {
    let dir = dir();
    let refused = async |url: String| {
        let connect = move || SqlStore::connect(&url, None, &StoreKeys::default(), Others::Refuse);
        let opened = tokio::task::spawn_blocking(connect).await.expect("does not panic");
        format!("{:#}", opened.err().expect("is refused"))
    };
    let port = dir.server_port();
    let error = refused(format!("postgres://tidegate@127.0.0.1:{port}/postgres")).await;
    assert!(error.contains("?sslmode=disable"), "{error}");
    let error = refused(format!("postgres://tidegate:battery@127.0.0.1:{port}/postgres")).await;
    assert!(error.contains("TIDEGATE_STORE_PASSWORD") && !error.contains("battery"), "{error}");
    let error = refused("postgres://tidegate:battery@127.0.0.1:x/postgres".to_owned()).await;
    assert!(error.contains("store.url") && !error.contains("battery"), "{error}");
}

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_host_that_stands_by_outlives_its_connection() {
    let dir = dir();
    let (first, version) = open(&dir).await;
    let waiting = dir.open_after_others();
    tokio::pin!(waiting);
    for n in 1..=3 {
        let early = tokio::time::timeout(Duration::from_millis(600), &mut waiting).await;
        assert!(early.is_err(), "while one is at work another waits");
        dir.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_try_advisory_lock%'
               AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)",
        );
        commit_events(&first, vec![decided(&version, n)]).await;
    }
    drop(first);
    assert_eq!(all(&waiting.await).await.len(), 3);
}

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_file_is_copied_row_by_row_and_an_interrupted_copy_goes_on() {
    let dir = dir();
    let keys = StoreKeys::parse(Some(&StoreKeys::fresh().expect("random bytes")), None).expect("a key");
    let file = SqlStore::open_with(dir.path(), &keys).expect("opens");
    let new = new_version(b"component");
    let version = new.version.clone();
    file.commit(Batch { versions: vec![new], ..Batch::default() }).await.expect("is recorded");
    let waits = Verdict::Waiting { due_at_ms: NOW_MS, why: "later\0".into() };
    for n in 1..=1_500 {
        commit_events(&file, vec![decided(&version, 2 * n)]).await;
    }
    commit_events(&file, vec![recorded(1, vec![plan(&version, waits)])]).await;
    file.commit(Batch { audit: vec![audit(1)], ..Batch::default() }).await.expect("is recorded");
    let (listed, stats) = (json(&all(&file).await), file.stats().await.expect("reads"));
    drop(file);

    drop(dir.open_with(&keys).expect("makes the tables"));
    dir.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no room'; END$$;
         CREATE TRIGGER refuse BEFORE INSERT ON plans FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let copy = || dir.copy_from_file(&keys);
    let error = format!("{:#}", copy().expect_err("is interrupted"));
    assert!(error.contains("no room"), "{error}");
    let error = format!("{:#}", dir.open_with(&keys).err().expect("is half of a store"));
    assert!(error.contains("tidegate store copy"), "{error}");
    dir.run("DROP TRIGGER refuse ON plans");
    let copied = copy().expect("goes on");
    let rows = |name: &str| copied.iter().find(|table| table.table == name).expect("a table").rows;
    assert_eq!((rows("events"), rows("plans"), rows("audit")), (1_501, 1_501, 1));

    let store = dir.open_with(&keys).expect("opens");
    assert_eq!((json(&all(&store).await), store.stats().await.expect("reads")), (listed, stats));
    assert_eq!(store.asks_due(NOW_MS, 10, Partitions::ALL).await.expect("reads").len(), 1);
    commit_events(&store, vec![decided(&version, 5_000)]).await;
    super::counters::assert_counted(&dir, &store, "after more").await;
    drop(store);
    let error = format!("{:#}", copy().expect_err("there is a store"));
    assert!(error.contains("has a store already"), "{error}");
}

/// What the server says of the tables of schema 2. A schema that was released is never changed: one that follows has a file of
/// its own. Until then the file is made anew by copying what the test below leaves when it fails to where this one is.
const DESCRIBED: &str = include_str!("../golden/postgres-v2.txt");

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn a_database_is_made_as_it_was_released() {
    let dir = dir();
    drop(dir.open().expect("makes the tables"));
    let lines: Vec<_> = dir.query(DESCRIBE).into_iter().flatten().collect();
    let left = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres-v2.txt");
    std::fs::write(&left, lines.join("\n") + "\n").expect("is written");
    let released: Vec<_> = DESCRIBED.lines().collect();
    let added: Vec<_> = lines.iter().filter(|line| !released.contains(&line.as_str())).collect();
    let gone: Vec<_> = released.iter().filter(|line| !lines.iter().any(|it| it == *line)).collect();
    assert!(lines == released, "added: {added:#?}, gone: {gone:#?}, all of it: {}", left.display());
}

/// Line by line: the schema, and each table with its columns, constraints and indexes. What newer servers list as constraints
/// beside, that a column is not null, stands with the column.
const DESCRIBE: &str = "
    WITH tables AS (
        SELECT oid, relname AS name, relpersistence, reloptions FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relnamespace = current_schema()::regnamespace
    )
    SELECT line FROM (
        SELECT '' AS name, 0 AS part, version AS place, 'schema ' || version || ' works since ' || works_since AS line
            FROM schema_versions
        UNION ALL SELECT name, 1, 0, concat('table ', name, CASE WHEN relpersistence <> 'p' THEN ' not kept' END,
                ' with ' || array_to_string(reloptions, ', ')) FROM tables
        UNION ALL SELECT name, 2, attnum, concat('  ', attname, ' ', format_type(atttypid, atttypmod),
                (SELECT ' collate ' || collname FROM pg_collation c WHERE c.oid = attcollation AND collname <> 'default'),
                CASE WHEN attnotnull THEN ' not null' END,
                CASE attidentity WHEN 'a' THEN ' always identity' WHEN 'd' THEN ' by default identity' END,
                (SELECT ' default ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef d
                    WHERE d.adrelid = attrelid AND d.adnum = attnum))
            FROM tables t JOIN pg_attribute ON attrelid = t.oid WHERE attnum > 0 AND NOT attisdropped
        UNION ALL SELECT name, 3, 0, concat('  ', conname, ': ', pg_get_constraintdef(c.oid))
            FROM tables t JOIN pg_constraint c ON conrelid = t.oid WHERE contype <> 'n'
        UNION ALL SELECT name, 4, 0, concat('  ', pg_get_indexdef(indexrelid))
            FROM tables t JOIN pg_index ON indrelid = t.oid
    ) AS described ORDER BY name COLLATE \"C\", part, place, line COLLATE \"C\"";

/// What a later release would note: that its tables are one further, and that those who know the tables as they are now can
/// work on them.
const NEXT: &str = "INSERT INTO schema_versions (version, works_since)
     SELECT max(version) + 1, max(version) FROM schema_versions";

#[tokio::test]
#[ignore = "needs a server: `cargo xtask test` starts one"]
async fn tables_of_the_next_release_are_worked_on_where_they_only_have_more_and_refused_after_that() {
    let dir = dir();
    let (store, version) = open(&dir).await;
    let waits = || Verdict::Waiting { due_at_ms: NOW_MS, why: "later".into() };
    commit_events(&store, vec![decided(&version, 1), recorded(2, vec![plan(&version, waits())])]).await;
    drop(store);
    dir.run(
        "ALTER TABLE events ADD COLUMN later TEXT; CREATE INDEX events_later ON events (later, seq);
         ALTER TABLE plans ADD COLUMN later BIGINT; CREATE INDEX plans_later ON plans (later) WHERE state = 1",
    );
    dir.run(NEXT);

    let store = dir.open().expect("opens");
    commit_events(&store, vec![decided(&version, 3), recorded(4, vec![plan(&version, waits())])]).await;
    let rows = all(&store).await;
    let rows: Vec<_> = rows.iter().map(|row| (row.receipt, row.state.as_str(), row.effects.len())).collect();
    assert_eq!(
        rows,
        [
            (receipt(1), "decided", 1),
            (receipt(2), "waiting", 0),
            (receipt(3), "decided", 1),
            (receipt(4), "waiting", 0),
        ]
    );
    let asks = store.asks_due(NOW_MS, 10, Partitions::ALL).await.expect("reads");
    assert_eq!(asks.iter().map(|ask| ask.event.receipt).collect::<Vec<_>>(), [receipt(2), receipt(4)]);
    super::counters::assert_counted(&dir, &store, "on the tables of the next release").await;
    drop(store);

    dir.run(NEXT);
    let error = format!("{:#}", dir.open().err().expect("is refused"));
    assert!(error.contains("it has schema 4, this Tidegate knows up to 2: use a newer one"), "{error}");
}

fn json(rows: &[EventRow]) -> serde_json::Value {
    serde_json::to_value(rows).expect("has a JSON form")
}

fn audit(n: u64) -> Audit {
    Audit { at_ms: n, record: "{}".into() }
}

async fn audits(store: &SqlStore) -> Vec<u64> {
    let rows = store.audit(AuditQuery { rows_max: Some(500), ..AuditQuery::default() }).await.expect("reads");
    rows.iter().map(|row| row.at_ms).collect()
}

/// A port that leads to the server.
async fn line(port: u16, fate: Arc<AtomicU8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let own = listener.local_addr().expect("a port").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.expect("the server is there");
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let fate = Arc::clone(&fate);
            tokio::spawn(async move {
                // One way's end is the other's.
                tokio::select! {
                    () = hand_on(from_client, to_server, &fate, LOSE_THE_COMMIT) => {}
                    () = hand_on(from_server, to_client, &fate, LOSE_THE_ANSWER) => {}
                }
            });
        }
    });
    own
}

/// Hands on what comes, until it is this way's fate to lose a commit: what asks for it, or the tag that says it is done.
async fn hand_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fate: &AtomicU8, own: u8) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let is_commit = bytes[..count].windows(7).any(|part| part == b"COMMIT\0");
        if is_commit && fate.compare_exchange(own, PASS, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
