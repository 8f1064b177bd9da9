//! `tidegate queue serve` against the SQLite queue that is bundled with workerd: the same Worker on the same
//! workerd puts each request's body on the one or the other. Rounds are interleaved, so that what else the
//! machine does falls on both. Prints one JSON line. Takes the number of rounds (5).
//!
//! Every send is its own request with its own promise of durability; both queues keep what they get, and no one
//! reads. In the end ours must hold as many messages as there were good answers.
//!
//! The ratio is worth reading on an idle machine only. The bundled queue commits each send by itself, so it waits
//! for a core as often: beside a compiler it falls to a tenth, ours to two thirds, which flatters ours. So the
//! bench says how much others took.

use anyhow::{Context as _, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tidegate_tests::bench;
use tidegate_tests::edge::{Edge, EdgeOptions, QUEUE, root};
use tidegate_tests::load;
use tidegate_tests::system::{self, process::Process};
use tidegate_toolchain::tool;
use tokio::process::Command;

const CLIENTS: usize = 64;
const ROUND: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_secs(1);
const TOKEN: &str = "bench";

pub(crate) async fn run(numbers: &[u64]) -> anyhow::Result<()> {
    let rounds = numbers.first().copied().unwrap_or(5);
    let body = std::fs::read(root().join("tests/samples/asset-update.json")).context("read the event")?;
    let dir = bench::data_dir()?;
    let worker = dir.path().join("worker");
    std::fs::create_dir(&worker)?;
    std::fs::copy(root().join("tests/bench-edge/floor.js"), worker.join("index.js"))?;
    let queue = Queue::start(dir.path()).await?;
    let options = EdgeOptions { build: worker.clone(), ..EdgeOptions::usual(queue.binding) };
    let edge = Edge::start_with(options).await?;
    let bundled = Bundled::start(&worker).await?;

    let mut ours = Side::new("our", edge.workerd.addr());
    let mut theirs = Side::new("workerd's", bundled.addr);
    for side in [&mut ours, &mut theirs] {
        side.round(&body, WARM_UP).await?;
        side.sends_per_s.clear();
    }
    let mut taken = Vec::new();
    for _ in 0..rounds {
        taken.push(bench::taken_by_others().await?);
        for side in [&mut ours, &mut theirs] {
            side.round(&body, ROUND).await?;
        }
    }
    let (sent, stored) = (ours.sent, queue.backlog().await?);
    ensure!(stored == sent, "{sent} sends were answered 2xx, {stored} messages are stored");
    bench::tell_taken(&taken);
    ours.tell();
    theirs.tell();
    let (value, against) = (bench::median(&ours.sends_per_s), bench::median(&theirs.sends_per_s));
    println!("{}", bench::figure_against("queue-sends", value, "sends/s", against));
    Ok(())
}

/// One of the two queues, with what its rounds gave.
struct Side {
    whose: &'static str,
    addr: SocketAddr,
    /// Sends in all, warm-up included. Each was answered 2xx.
    sent: u64,
    sends_per_s: Vec<f64>,
}

impl Side {
    const fn new(whose: &'static str, addr: SocketAddr) -> Self {
        Self { whose, addr, sent: 0, sends_per_s: Vec::new() }
    }

    async fn round(&mut self, body: &[u8], duration: Duration) -> anyhow::Result<()> {
        let report = load::run(self.addr, "/", body, CLIENTS, duration).await?;
        let (refused, all) = (report.non_2xx, report.requests);
        ensure!(refused == 0, "{} queue refused {refused} of {all} sends", self.whose);
        self.sent += u64::try_from(report.requests)?;
        self.sends_per_s.push(report.requests_per_s);
        Ok(())
    }

    /// Says what the rounds gave.
    fn tell(&self) {
        eprintln!("{} queue, each round: {:.0?} sends/s", self.whose, self.sends_per_s);
    }
}

/// A running `tidegate queue serve`.
struct Queue {
    _process: Process,
    binding: SocketAddr,
    metrics_url: String,
}

impl Queue {
    async fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(system::tidegate()?);
        command
            .args(["queue", "serve", "--json", "--queue", QUEUE, "--data", "data"])
            .args(["--listen", "127.0.0.1:0", "--binding-listen", "127.0.0.1:0"])
            .current_dir(dir)
            .env("TIDEGATE_QUEUE_TOKEN", TOKEN);
        let mut process = Process::start("tidegate queue serve", command, &dir.join("queue.log"))?;
        let ready: Value = serde_json::from_str(&process.line().await?)?;
        let text = |pointer: &str| {
            ready.pointer(pointer).and_then(Value::as_str).with_context(|| format!("{pointer} in {ready}"))
        };
        let binding = text("/binding_url")?.trim_start_matches("http://").parse()?;
        let id = text(&format!("/queues/{QUEUE}"))?;
        let metrics_url =
            format!("{}/accounts/{}/queues/{id}/metrics", text("/queue_url")?, text("/account_id")?);
        Ok(Self { _process: process, binding, metrics_url })
    }

    /// How many messages it holds.
    async fn backlog(&self) -> anyhow::Result<u64> {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        let response = client.get(&self.metrics_url).bearer_auth(TOKEN).send().await?.error_for_status()?;
        let answer: Value = response.json().await?;
        answer.pointer("/result/backlog_count").and_then(Value::as_u64).context("metrics have a count")
    }
}

/// A workerd with the queue it brings along: what `workerd serve` makes of a wrangler configuration.
struct Bundled {
    _process: Process,
    addr: SocketAddr,
}

impl Bundled {
    async fn start(worker: &Path) -> anyhow::Result<Self> {
        let config = json!({
            "name": "floor",
            "main": "index.js",
            "no_bundle": true,
            "compatibility_date": "2026-11-01",
            "queues": { "producers": [{ "binding": "QUEUE", "queue": QUEUE }] },
        });
        std::fs::write(worker.join("wrangler.jsonc"), config.to_string())?;
        let mut command = Command::new(tool::find("workerd")?);
        command
            .args(["serve", "--experimental", "--control-fd=1", "--socket-addr", "http=127.0.0.1:0"])
            .arg("wrangler.jsonc")
            .current_dir(worker);
        let mut process = Process::start("workerd", command, &worker.join("workerd.log"))?;
        let listening: Value = serde_json::from_str(&process.line().await?)?;
        let port = listening.get("port").and_then(Value::as_u64).context("workerd says its port")?;
        let addr = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port)?));
        Ok(Self { _process: process, addr })
    }
}
