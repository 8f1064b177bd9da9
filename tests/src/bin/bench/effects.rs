//! What it takes to perform an effect: the target does not listen until all events are decided, then it takes them as fast
//! as the host gives them, over the loopback, without TLS. Each outcome is recorded before the next effect takes its place.
//! Prints effects per second, which are as many as `executor.target_in_flight_max` allows and the cores give, and the
//! host's time of the processors for each. Takes the number of effects (20,000).

use super::edge::cpu_time;
use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tidegate_tests::bench;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::{Dev, lasting_port, plugin, until};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Requests of the sender at the same time.
const SIDE_BY_SIDE: usize = 32;

pub(crate) async fn run(numbers: &[u64]) -> anyhow::Result<()> {
    let events = numbers.first().copied().unwrap_or(20_000);
    let dir = bench::data_dir()?;
    // Soon after the target is there the host finds out.
    let dev = Dev::start_with(dir.path(), &[("TIDEGATE_EXECUTOR_TARGET_PAUSE_MS_MAX", "1000")]).await?;
    let port = lasting_port()?;
    dev.cli.deploy(&plugin("rust")?, &format!("http://127.0.0.1:{port}/notices")).await?;
    post(&Sender::new(dev.ready("request_url"))?, 0..events).await?;
    until("all are decided", async || {
        let stats: Value = dev.cli.json(&["stats", "--json"]).await?;
        Ok((stats["effects"]["waiting"] == events).then_some(()))
    })
    .await?;

    let host = dev.process.id()?;
    let before = cpu_time(host)?;
    let arrived = Arc::new(AtomicU64::new(0));
    let router = Router::new().fallback(take).with_state(Arc::clone(&arrived));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.context("listen")?;
    tokio::spawn(async move { axum::serve(listener, router).await.expect("a bound listener serves") });
    let begun =
        until("the first arrives", async || Ok((arrived.load(Ordering::Relaxed) > 0).then(Instant::now)))
            .await?;
    until("the last arrives", async || Ok((arrived.load(Ordering::Relaxed) >= events).then_some(()))).await?;
    let (took, spent) = (begun.elapsed(), cpu_time(host)?.saturating_sub(before));

    let effects = f64::from(u32::try_from(events)?);
    println!("{}", bench::figure("effects", effects / took.as_secs_f64(), "effects/s"));
    println!("{}", bench::figure("effects-cpu", spent.as_secs_f64() * 1e6 / effects, "us/effect"));
    Ok(())
}

/// Posts the events of these numbers, some side by side.
pub(crate) async fn post(sender: &Sender, numbers: Range<u64>) -> anyhow::Result<()> {
    let mut posts = JoinSet::new();
    for number in usize::try_from(numbers.start)?..usize::try_from(numbers.end)? {
        let sender = sender.clone();
        posts.spawn(async move { sender.post(&loan(number)).await });
        if posts.len() >= SIDE_BY_SIDE {
            posts.join_next().await.context("one is under way")??.context("post an event")?;
        }
    }
    while let Some(posted) = posts.join_next().await {
        posted?.context("post an event")?;
    }
    Ok(())
}

async fn take(State(arrived): State<Arc<AtomicU64>>) -> StatusCode {
    arrived.fetch_add(1, Ordering::Relaxed);
    StatusCode::OK
}
