//! Durable events per second through one process: queued, leased, decided in a fresh instance under all limits,
//! recorded with one plan and one effect, acknowledged; every commit waits for the disk. Prints one JSON object per figure.
//!
//! - `pipeline` and `pipeline-cpu`: the queue in the process. The floor, in the same run: the store alone writing the same
//!   rows in transactions of the same size, with no queue and no plugin.
//! - `pipeline-rest`: the same, pulled and acknowledged over HTTP on the loopback from the queue's REST contract, as from
//!   Cloudflare's: a hundred at a time. The server shares the cores.
//! - `pipeline-outcomes`: what became of each effect recorded afterwards, one by one, as the outbox does.
//! - `pipeline-memory` and `pipeline-grown`: one host that goes on and on; the memory this process has at the end against
//!   that after 100,000 events, and the time an event takes of the processors then against that after 10,000. Takes how
//!   many events that are (a million, with 1.2 GB of disk): `cargo bench --workspace --bench pipeline -- 10000000`.
//! - `pipeline-written` and `pipeline-stored`: bytes that each of the last events had written to the disk, by store and queue,
//!   and what the store's file has for each event in the end, against the bytes of its body.
//!
//! With a server named in `TIDEGATE_TEST_POSTGRES` none of these, but `pipeline-postgres`: everything is in a database there,
//! against the file in the same run; with `-cpu` and `-server`, what an event takes of the host and of the server; with `-outcomes` as
//! above; with `-written` and `-stored`, bytes of its log and of its tables for each event.
//!
//! Time of the processors is of the whole process, whoever produces the events included, and hardly depends on what else
//! the machine does.

#[path = "pipeline/database.rs"]
mod database;
#[path = "common/decided.rs"]
mod decided;
#[path = "pipeline/floor.rs"]
mod floor;
#[path = "../tests/home/mod.rs"]
mod home;
#[path = "pipeline/host.rs"]
mod host;
#[path = "common/resident.rs"]
mod resident;
#[path = "pipeline/traffic.rs"]
mod traffic;
#[path = "pipeline/usage.rs"]
mod usage;

use host::{Host, Way};
use resident::resident_mib;
use serde_json::json;
use std::ops::Range;
use tidegate::store::sql::SqlStore;
use traffic::envelope;
use usage::Spent;

/// As the host has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const EVENTS: u64 = 120_000;
/// Events in each transaction, at least: in one send, one pull and one batch of the floor.
const GROUP: usize = 500;
const ROUNDS: usize = 3;

/// Events that are stored when the cost of one is looked at for the first time, and when the memory is.
const FEW: u64 = 10_000;
/// Events whose cost is looked at.
const WINDOW: u64 = 100_000;
/// Stored events in the end, unless another number is given.
const MANY: u64 = 1_000_000;

fn main() {
    let many = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(MANY);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if std::env::var_os(home::SERVER).is_some() {
        return database::run(&runtime);
    }
    // First, while this process has no memory of anything else.
    runtime.block_on(grow(many.max(FEW + 2 * WINDOW)));
    let envelopes: Vec<String> = (0..EVENTS).map(envelope).collect();
    let (mut here, mut rest, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    let mut outcomes = Vec::new();
    for round in 1..=ROUNDS {
        let (decided, performed) = runtime.block_on(run(Way::InProcess, envelopes.clone()));
        here.push(decided);
        outcomes.push(performed);
        rest.push(runtime.block_on(run(Way::Rest, envelopes.clone())).0);
        floor.push(runtime.block_on(floor::run(&envelopes)));
        let of = |spent: &[Spent]| spent.last().expect("a round").to_string();
        eprintln!(
            "round {round}: pipeline {}; over REST {}; store alone {}; outcomes {}",
            of(&here),
            of(&rest),
            of(&floor),
            of(&outcomes)
        );
    }
    let [here_per_s, rest_per_s, floor_per_s] =
        [&here, &rest, &floor].map(|rounds| median(rounds, Spent::per_s));
    let [here_us, floor_us] = [&here, &floor].map(|rounds| median(rounds, Spent::cpu_us));
    tell("pipeline", here_per_s, "events/s", floor_per_s);
    tell("pipeline-cpu", here_us, "us/event", floor_us);
    tell("pipeline-rest", rest_per_s, "events/s", here_per_s);
    tell("pipeline-outcomes", median(&outcomes, Spent::per_s), "effects/s", here_per_s);
}

fn tell(name: &str, value: f64, unit: &str, against: f64) {
    let figure =
        json!({ "name": name, "value": value, "unit": unit, "against": against, "ratio": value / against });
    println!("{figure}");
}

fn median(rounds: &[Spent], figure: fn(&Spent) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A host, from an empty store to the last event, and to the last effect.
async fn run(way: Way, envelopes: Vec<String>) -> (Spent, Spent) {
    let dir = tempfile::tempdir().expect("a directory");
    let host = Host::start(dir.path(), SqlStore::open(dir.path()).expect("a store"), way).await;
    let spent = (host.feed(envelopes.into_iter(), EVENTS).await, host.record_outcomes(EVENTS).await);
    host.stop(EVENTS).await;
    spent
}

/// One host that goes on: what an event costs, and what memory there is, when little is stored and when much is.
async fn grow(many: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqlStore::open(dir.path()).expect("a store");
    let host = Host::start(dir.path(), store, Way::InProcess).await;
    let feed =
        async |range: Range<u64>| host.feed(range.clone().map(envelope), range.end - range.start).await;
    feed(0..FEW).await;
    let first = feed(FEW..FEW + WINDOW).await;
    let before_mib = resident_mib();
    feed(FEW + WINDOW..many - WINDOW).await;
    let written = usage::written_bytes();
    let last = feed(many - WINDOW..many).await;
    let written = usage::written_bytes() - written;
    let after_mib = resident_mib();
    eprintln!("stored {FEW}: {first}, {before_mib:.0} MiB; stored {many}: {last}, {after_mib:.0} MiB");
    host.stop(many).await;
    tell("pipeline-memory", after_mib, "MiB", before_mib);
    tell("pipeline-grown", last.cpu_us(), "us/event", first.cpu_us());
    let stored = std::fs::metadata(dir.path().join("store.sqlite")).expect("a file").len();
    tell("pipeline-written", each(written, WINDOW), "bytes/event", traffic::body_bytes());
    tell("pipeline-stored", each(stored, many), "bytes/event", traffic::body_bytes());
}

/// Of so many bytes, what there is for each event.
fn each(bytes: u64, events: u64) -> f64 {
    let [bytes, events] =
        [bytes, events].map(|count| u32::try_from(count / 1_000).expect("fewer than four million million"));
    f64::from(bytes) / f64::from(events)
}
