//! The pipeline with everything in PostgreSQL, on the same cores as the server, against the file in the same run.

use super::home::Home;
use super::host::{Host, Way};
use super::usage::{Spent, cpu_of, parent_of};
use super::{ROUNDS, envelope, median, tell};
use tidegate::store::sql::SqlStore;
use tokio::runtime::Runtime;

/// Each transaction waits for the same disk twice or thrice as long as with the file: fewer events take as long.
const EVENTS: u64 = 40_000;

pub(crate) fn run(runtime: &Runtime) {
    let envelopes: Vec<String> = (0..EVENTS).map(envelope).collect();
    let (mut file, mut database, mut server_us) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SqlStore::open(dir.path()).expect("a store");
        file.push(runtime.block_on(one(dir.path(), store, &envelopes)));
        let home = Home::new();
        let store = home.open().expect("a store");
        let own = home.query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
        let server = Server { pid: parent_of(&own[0][0]) };
        let before = server.cpu_us();
        database.push(runtime.block_on(one(home.path(), store, &envelopes)));
        server_us.push((server.cpu_us() - before) / f64::from(u32::try_from(EVENTS).expect("few")));
        let of = |spent: &[Spent]| spent.last().expect("a round").to_string();
        eprintln!(
            "round {round}: in a file {}; in PostgreSQL {}, and {:.1} us of the server",
            of(&file),
            of(&database),
            server_us[server_us.len() - 1]
        );
    }
    server_us.sort_by(f64::total_cmp);
    tell("pipeline-postgres", median(&database, Spent::per_s), "events/s", median(&file, Spent::per_s));
    tell("pipeline-postgres-cpu", median(&database, Spent::cpu_us), "us/event", median(&file, Spent::cpu_us));
    tell("pipeline-postgres-server", server_us[ROUNDS / 2], "us/event", median(&database, Spent::cpu_us));
}

async fn one(dir: &std::path::Path, store: SqlStore, envelopes: &[String]) -> Spent {
    let host = Host::start(dir, store, Way::InProcess).await;
    let spent = host.feed(envelopes.iter().cloned(), EVENTS).await;
    host.stop(EVENTS).await;
    spent
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
