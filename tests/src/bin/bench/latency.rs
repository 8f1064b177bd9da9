//! From the POST at the edge to the notice at its target, through `tidegate dev` as a user starts it. Idle: one event at
//! a time, with a pause before each. Paced: a thousand events a second, each due at its own moment whatever became of
//! those before it, and its time counted from that moment on. `paced-cpu` is the host's time of the processors for each of
//! these: with the queue in the process, one plugin, and one effect performed over HTTP. Prints five JSON lines. Takes the number of events (400),
//! of which there are twenty-five times as many at a pace.

use super::edge::cpu_time;
use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};
use tidegate_tests::bench;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{Dev, plugin};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Events before the first that counts.
const WARM_UP: usize = 50;
/// Before each event, so that everything has come to rest.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest a notice may be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(30);
/// Notices that came and were not looked at yet. One event causes one.
const NOTICES_MAX: usize = 1_024;
/// Events in a second, at a pace.
const PACE: u32 = 1_000;
/// How many there are at a pace for each that is alone.
const PACED_EACH: usize = 25;

/// A notice, and when it was there.
type Arrival = (Instant, Bytes);

pub(crate) async fn run(numbers: &[u64]) -> anyhow::Result<()> {
    let events = numbers.first().map_or(Ok(400), |events| usize::try_from(*events))?;
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
    let numbers = WARM_UP + events + 1..=WARM_UP + events * (1 + PACED_EACH);
    let host = dev.process.id()?;
    let before = cpu_time(host)?;
    let paced_ms = paced(&sender, numbers, &mut arrivals).await?;
    let spent = cpu_time(host)?.saturating_sub(before);
    taken.push(bench::taken_by_others().await?);
    bench::tell_taken(&taken);
    for (name, latencies_ms) in [("latency", &latencies_ms), ("paced-latency", &paced_ms)] {
        for of_hundred in [50, 99] {
            let value = bench::percentile(latencies_ms, of_hundred);
            println!("{}", bench::figure(&format!("{name}-p{of_hundred}"), value, "ms"));
        }
    }
    let cpu_us = spent.as_secs_f64() * 1e6 / f64::from(u32::try_from(paced_ms.len())?);
    println!("{}", bench::figure("paced-cpu", cpu_us, "us/event"));
    Ok(())
}

/// Posts [`PACE`] events a second. The milliseconds from the moment each was due to its notice.
async fn paced(
    sender: &Sender,
    numbers: RangeInclusive<usize>,
    arrivals: &mut mpsc::Receiver<Arrival>,
) -> anyhow::Result<Vec<f64>> {
    let events = numbers.clone().count();
    let post = async {
        let mut pace = tokio::time::interval(Duration::from_secs(1) / PACE);
        let mut posts = JoinSet::new();
        for number in numbers {
            let due = pace.tick().await.into_std();
            let sender = sender.clone();
            posts.spawn(async move { anyhow::Ok((sender.post(&loan(number)).await?.to_string(), due)) });
        }
        let mut dues = Vec::with_capacity(events);
        while let Some(posted) = posts.join_next().await {
            dues.push(posted??);
        }
        anyhow::Ok(dues)
    };
    let collect = async {
        let mut arrived = HashMap::with_capacity(events);
        while arrived.len() < events {
            let (at, receipt) = notice(arrivals).await?;
            arrived.entry(receipt).or_insert(at);
        }
        anyhow::Ok(arrived)
    };
    let (dues, arrived) = tokio::try_join!(post, collect)?;
    let latency_ms = |(receipt, due): (String, Instant)| {
        let at = arrived.get(&receipt).with_context(|| format!("a notice of {receipt}"))?;
        Ok((*at - due).as_secs_f64() * 1e3)
    };
    dues.into_iter().map(latency_ms).collect()
}

/// Waits for the next notice: when it came, and of which receipt.
async fn notice(arrivals: &mut mpsc::Receiver<Arrival>) -> anyhow::Result<(Instant, String)> {
    let arrival = timeout(ON_ITS_WAY, arrivals.recv()).await.context("a notice does not arrive")?;
    let (arrived, body) = arrival.context("the receiver stopped")?;
    let notice: Value = serde_json::from_slice(&body).context("read the notice")?;
    let receipt = notice.get("receipt").and_then(Value::as_str);
    Ok((arrived, receipt.with_context(|| format!("a receipt in {notice}"))?.to_owned()))
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
    let (arrived, of) = notice(arrivals).await?;
    ensure!(of == receipt.to_string(), "a notice of {of}, not of {receipt}");
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
