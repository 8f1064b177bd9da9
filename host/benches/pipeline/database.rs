//! The pipeline with everything in PostgreSQL, on the same cores as the server, against the file in the same run.

use super::home::Home;
use super::host::{Host, Way};
use super::traffic::body_bytes;
use super::usage::{Spent, cpu_of, parent_of};
use super::{ROUNDS, envelope, tell};
use std::path::Path;
use tidegate::store::sql::SqlStore;
use tokio::runtime::Runtime;

/// Each transaction waits for the same disk twice or thrice as long as with the file: fewer events take as long.
const EVENTS: u64 = 40_000;
/// Bytes of the server's log, and of the database's tables and indexes.
const WRITTEN: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')";
const STORED: &str = "SELECT pg_database_size(current_database())";

/// What a host did: from an empty store to the last event, and to the last effect.
struct Round {
    decided: Spent,
    performed: Spent,
    /// For each event: microseconds of the server, bytes of its log, bytes of the database.
    server: [f64; 3],
}

pub(crate) fn run(runtime: &Runtime) {
    let envelopes: Vec<String> = (0..EVENTS).map(envelope).collect();
    let (mut file, mut database) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SqlStore::open(dir.path()).expect("a store");
        file.push(runtime.block_on(one(dir.path(), store, &envelopes, || [0.0; 3])));
        let home = Home::new();
        let store = home.open().expect("a store");
        let own = home.query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
        let server = Server { pid: parent_of(&own[0][0]) };
        let bytes = |of: &str| home.query(of)[0][0].parse().expect("a number");
        let look = || [server.cpu_us(), bytes(WRITTEN), bytes(STORED)];
        database.push(runtime.block_on(one(home.path(), store, &envelopes, look)));
        let (of_file, of_database) = (&file[round - 1], &database[round - 1]);
        eprintln!(
            "round {round}: in a file {}; in PostgreSQL {}, and {:.1} us of the server; outcomes {}",
            of_file.decided, of_database.decided, of_database.server[0], of_database.performed
        );
    }
    let of = |rounds: &[Round], figure: fn(&Round) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[ROUNDS / 2]
    };
    let per_s = of(&database, |round| round.decided.per_s());
    let cpu_us = of(&database, |round| round.decided.cpu_us());
    tell("pipeline-postgres", per_s, "events/s", of(&file, |round| round.decided.per_s()));
    tell("pipeline-postgres-cpu", cpu_us, "us/event", of(&file, |round| round.decided.cpu_us()));
    tell("pipeline-postgres-server", of(&database, |round| round.server[0]), "us/event", cpu_us);
    tell("pipeline-postgres-outcomes", of(&database, |round| round.performed.per_s()), "effects/s", per_s);
    tell("pipeline-postgres-written", of(&database, |round| round.server[1]), "bytes/event", body_bytes());
    tell("pipeline-postgres-stored", of(&database, |round| round.server[2]), "bytes/event", body_bytes());
}

async fn one(dir: &Path, store: SqlStore, envelopes: &[String], look: impl Fn() -> [f64; 3]) -> Round {
    let host = Host::start(dir, store, Way::InProcess).await;
    let before = look();
    let decided = host.feed(envelopes.iter().cloned(), EVENTS).await;
    let after = look();
    let performed = host.record_outcomes(EVENTS).await;
    host.stop(EVENTS).await;
    let each = |at: usize| (after[at] - before[at]) / f64::from(u32::try_from(EVENTS).expect("few"));
    Round { decided, performed, server: std::array::from_fn(each) }
}

/// The server's processes: one for each connection, and a few of its own.
struct Server {
    pid: String,
}

impl Server {
    /// Time on the processors that they had so far, those that have ended included, in microseconds.
    fn cpu_us(&self) -> f64 {
        let processes = std::fs::read_dir("/proc").expect("the kernel tells").flatten();
        let names = processes.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let pids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        let of = |pid: &String| *pid == self.pid || parent_of(pid) == self.pid;
        pids.filter(of).map(|pid| cpu_of(&pid).as_secs_f64() * 1e6).sum()
    }
}
