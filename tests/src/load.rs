//! A load generator: keep-alive HTTP/1.1 connections that post one after the other. It speaks no more HTTP
//! than that, so that on a machine with few cores it takes as little as it can from what it measures.

use crate::connection::{Body, Connection};
use anyhow::{Context as _, ensure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub struct LoadReport {
    /// Answers of any status.
    pub requests: usize,
    /// Answers per second.
    pub requests_per_s: f64,
    /// Half of the answers took at most this long, in microseconds.
    pub p50_us: u64,
    /// 99 of 100 answers took at most this long, in microseconds.
    pub p99_us: u64,
    /// Answers that were not 2xx.
    pub non_2xx: usize,
}

/// Posts `body` to `path` over so many connections at once, for so long.
///
/// # Errors
/// When a connection fails or an answer cannot be read: a run with a broken connection measures nothing.
pub async fn run(
    addr: SocketAddr,
    path: &str,
    body: &[u8],
    connections: usize,
    duration: Duration,
) -> anyhow::Result<LoadReport> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: {addr}\r\nContent-Type: application/json\r\nUser-Agent: load\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    let request = Arc::new(request);

    let started = Instant::now();
    let mut set = JoinSet::new();
    for _ in 0..connections {
        set.spawn(connection(addr, Arc::clone(&request), started + duration));
    }
    let mut taken_us = Vec::new();
    let mut non_2xx = 0;
    while let Some(done) = set.join_next().await {
        let (times, refused) = done.context("run a connection")??;
        taken_us.extend(times);
        non_2xx += refused;
    }
    let elapsed = started.elapsed();
    ensure!(!taken_us.is_empty(), "not one answer in {duration:?}");
    taken_us.sort_unstable();
    Ok(LoadReport {
        requests: taken_us.len(),
        requests_per_s: f64::from(u32::try_from(taken_us.len())?) / elapsed.as_secs_f64(),
        p50_us: percentile(&taken_us, 50),
        p99_us: percentile(&taken_us, 99),
        non_2xx,
    })
}

/// The value that so many of a hundred do not exceed.
fn percentile(sorted: &[u64], of_hundred: usize) -> u64 {
    let rank = (sorted.len() * of_hundred).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// One connection, until the time is up: how long each answer took, and how many were not 2xx.
async fn connection(
    addr: SocketAddr,
    request: Arc<Vec<u8>>,
    until: Instant,
) -> anyhow::Result<(Vec<u64>, usize)> {
    let mut connection = Connection::open(addr).await?;
    let mut taken_us = Vec::new();
    let mut non_2xx = 0;
    while Instant::now() < until {
        let started = Instant::now();
        let (status, _) = connection.exchange(&request, Body::Follows).await?;
        taken_us.push(u64::try_from(started.elapsed().as_micros())?);
        if !(200..300).contains(&status) {
            non_2xx += 1;
        }
    }
    Ok((taken_us, non_2xx))
}
