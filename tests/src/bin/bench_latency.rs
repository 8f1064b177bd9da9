//! From the POST at the edge to the notice at its target, through `tidegate dev` as a user starts it, idle: one
//! event at a time, with a pause before each. Prints two JSON lines. Takes the number of events (400).

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tidegate_tests::bench;
use tidegate_tests::edge::root;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{self, process::Process};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Events before the first that counts.
const WARM_UP: usize = 50;
/// Before each event, so that everything has come to rest.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest a notice may be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(30);
/// Notices that came and were not looked at yet. One event causes one.
const NOTICES_MAX: usize = 8;

/// A notice, and when it was there.
type Arrival = (Instant, Bytes);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let events =
        std::env::args().nth(1).map_or(Ok(400), |text| text.parse()).context("read the number of events")?;
    let (notice_url, mut arrivals) = receive().await?;
    let dir = bench::data_dir()?;
    let (_process, request_url) = dev(dir.path()).await?;
    deploy(dir.path(), &notice_url).await?;
    let sender = Sender::new(&request_url)?;

    let mut latencies_ms = Vec::with_capacity(events);
    let mut taken = vec![bench::taken_by_others().await?];
    for number in 1..=WARM_UP + events {
        sleep(PAUSE).await;
        let took = event(&sender, number, &mut arrivals).await?;
        if number > WARM_UP {
            latencies_ms.push(took.as_secs_f64() * 1e3);
        }
    }
    taken.push(bench::taken_by_others().await?);
    bench::tell_taken(&taken);
    for (name, of_hundred) in [("latency-p50", 50), ("latency-p99", 99)] {
        println!("{}", bench::figure(name, bench::percentile(&latencies_ms, of_hundred), "ms"));
    }
    Ok(())
}

/// Posts one event and waits for its notice: the time from the one to the other.
async fn event(
    sender: &Sender,
    number: usize,
    arrivals: &mut mpsc::Receiver<Arrival>,
) -> anyhow::Result<Duration> {
    let event = loan(number);
    let started = Instant::now();
    let receipt = sender.post(&event).await?;
    let arrival = timeout(ON_ITS_WAY, arrivals.recv()).await.context("the notice does not arrive")?;
    let (arrived, body) = arrival.context("the receiver stopped")?;
    let notice: Value = serde_json::from_slice(&body).context("read the notice")?;
    ensure!(notice.get("receipt") == Some(&Value::from(receipt.to_string())), "not of {receipt}: {notice}");
    Ok(arrived - started)
}

/// Listens for notices on a free port of the loopback, and looks at the clock before anything else.
async fn receive() -> anyhow::Result<(String, mpsc::Receiver<Arrival>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
    let url = format!("http://{}/notices", listener.local_addr()?);
    let (arrived, arrivals) = mpsc::channel(NOTICES_MAX);
    let router = Router::new().fallback(take).with_state(arrived);
    tokio::spawn(async move { axum::serve(listener, router).await.expect("a bound listener serves") });
    Ok((url, arrivals))
}

async fn take(State(arrived): State<mpsc::Sender<Arrival>>, body: Bytes) -> StatusCode {
    let now = Instant::now();
    match arrived.send((now, body)).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// `tidegate dev` on this directory, and the URL it takes events at.
async fn dev(dir: &Path) -> anyhow::Result<(Process, String)> {
    let mut command = tidegate(dir)?;
    command.args(["dev", "--json"]).env("TIDEGATE_DEV_WORKER_BUILD", root().join("worker/build"));
    let mut process = Process::start("tidegate dev", command, &dir.join("dev.log"))?;
    let ready: Value = serde_json::from_str(&process.line().await?).context("read what it printed")?;
    let url = ready.get("request_url").and_then(Value::as_str).context("it says its URL")?.to_owned();
    Ok((process, url))
}

/// Deploys the Rust plugin, its notices going to this URL.
async fn deploy(dir: &Path, notice_url: &str) -> anyhow::Result<()> {
    let mut command = tidegate(dir)?;
    command.args(["plugin", "deploy", "--set", &format!("notice_url={notice_url}")]);
    let output = command.arg(system::plugin("rust")?).output().await.context("run tidegate")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

fn tidegate(dir: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(bench::tidegate()?);
    command.args(["--data", "data"]).current_dir(dir);
    Ok(command)
}
