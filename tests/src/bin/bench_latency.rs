//! From the POST at the edge to the notice at its target, through `tidegate dev` as a user starts it, idle: one
//! event at a time, with a pause before each. Prints two JSON lines. Takes the number of events (400).

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use std::time::{Duration, Instant};
use tidegate_tests::bench;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{Dev, plugin};
use tokio::net::TcpListener;
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
    let dev = Dev::start(dir.path()).await?;
    dev.cli.deploy(&plugin("rust")?, &notice_url).await?;
    let sender = Sender::new(dev.ready("request_url"))?;

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
