//! Sends traces and metrics to a collector, over OTLP (HTTP, protobuf). Nobody waits for it: while the collector is away, what
//! there is no room for is dropped and counted.

mod collector;
mod wire;

pub use collector::{Collector, CollectorConfig, Refusal};

use crate::meter::Meter;
use crate::signal::{Signals, TOLD_MAX};
use crate::store::Store;
use crate::trace::Told;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

/// Events and attempts in one request.
const BATCH_MAX: usize = 512;
/// How long more is waited for before a request is sent that has room for it.
const GATHER: Duration = Duration::from_millis(250);
/// Attempts at one request, and the wait after the first that failed; it doubles.
const ATTEMPTS_MAX: u32 = 5;
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// When the host stops: how long nothing must come until all has.
const QUIET: Duration = Duration::from_millis(300);

/// Who tells the collector.
pub struct Telemetry<S> {
    /// The collector.
    pub collector: Collector,
    /// What is told in traces.
    pub told: mpsc::Receiver<Told>,
    /// What reads the metrics.
    pub meter: Arc<Meter<S>>,
    /// Where it is counted what was told.
    pub signals: Arc<Signals>,
    /// Between two reports of the metrics.
    pub metrics_every: Duration,
}

/// Tells until told to stop, then tells what the rest of the host still has to say. Cancel-safe: what was not told is lost,
/// and nothing else.
pub async fn run<S: Store + Clone>(telemetry: Telemetry<S>, stop: watch::Receiver<bool>) {
    let Telemetry { collector, told, meter, signals, metrics_every } = telemetry;
    let traces = Traces { collector: &collector, told, signals: &signals, stop: stop.clone() };
    tokio::join!(traces.run(), metrics(&collector, &meter, metrics_every, stop));
}

async fn metrics<S: Store + Clone>(
    collector: &Collector,
    meter: &Meter<S>,
    every: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let mut is_away = false;
    loop {
        let is_last = tokio::select! {
            () = sleep(every) => false,
            _ = stop.wait_for(|stop| *stop) => true,
        };
        let sent = match meter.families().await {
            Ok(families) => {
                let body = wire::metrics(collector.resource(), &families, meter.started_ms, (meter.now_ms)());
                collector.metrics(body).await.map_err(|refusal| refusal.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        say_once(&mut is_away, sent, "metrics");
        if is_last {
            return;
        }
    }
}

/// Says that the collector is away, and that it is back: not each time.
fn say_once(is_away: &mut bool, sent: Result<(), String>, what: &str) {
    match sent {
        Ok(()) if *is_away => tracing::info!("the collector takes {what} again"),
        Err(why) if !*is_away => {
            tracing::warn!("the collector does not take {what}, which are dropped: {why}")
        }
        Ok(()) | Err(_) => return,
    }
    *is_away = !*is_away;
}

struct Traces<'a> {
    collector: &'a Collector,
    told: mpsc::Receiver<Told>,
    signals: &'a Signals,
    stop: watch::Receiver<bool>,
}

impl Traces<'_> {
    async fn run(mut self) {
        let (mut batch, mut is_away) = (Vec::with_capacity(BATCH_MAX), false);
        while !*self.stop.borrow() {
            tokio::select! {
                _ = self.told.recv_many(&mut batch, BATCH_MAX) => {}
                _ = self.stop.wait_for(|stop| *stop) => break,
            }
            if batch.len() < BATCH_MAX {
                // A request for each event would cost more than the event.
                let _ = timeout(GATHER, self.stop.wait_for(|stop| *stop)).await;
                while batch.len() < BATCH_MAX
                    && let Ok(told) = self.told.try_recv()
                {
                    batch.push(told);
                }
            }
            let attempts_max = if is_away { 1 } else { ATTEMPTS_MAX };
            let sent = self.send(&mut batch, attempts_max).await;
            say_once(&mut is_away, sent, "traces");
        }
        // What the others still tell while they finish. Bounded, should they never.
        for _ in 0..TOLD_MAX.div_ceil(BATCH_MAX) {
            let room = BATCH_MAX - batch.len().min(BATCH_MAX);
            let came = timeout(QUIET, self.told.recv_many(&mut batch, room)).await;
            if batch.is_empty() {
                break;
            }
            if self.send(&mut batch, 1).await.is_err() || came.is_err() {
                break;
            }
        }
        self.told.close();
        let mut left = 0;
        while self.told.try_recv().is_ok() {
            left += 1;
        }
        self.signals.dropped(left);
    }

    /// Sends a batch, in so many attempts, and empties it.
    async fn send(&mut self, batch: &mut Vec<Told>, attempts_max: u32) -> Result<(), String> {
        let (body, count) = (wire::traces(self.collector.resource(), batch), batch.len());
        batch.clear();
        let mut wait = RETRY_FIRST;
        for attempt in 1.. {
            match self.collector.traces(body.clone()).await {
                Ok(()) => break,
                Err(refusal) if attempt < attempts_max && refusal.may_pass() => {
                    // Stopping waits for no collector.
                    let stopped = timeout(refusal.after().unwrap_or(wait), self.stop.wait_for(|stop| *stop));
                    if stopped.await.is_ok() {
                        self.signals.dropped(count);
                        return Err(refusal.to_string());
                    }
                    wait *= 2;
                }
                Err(refusal) => {
                    self.signals.dropped(count);
                    return Err(refusal.to_string());
                }
            }
        }
        self.signals.counts.told.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }
}
