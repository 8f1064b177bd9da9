//! Measures the host again and again, lets `condition` conclude, and records what there is to say before anybody is told.
//! Knows nothing of what is too much, nor of how an alert is sent.

use crate::alert::Alert;
use crate::condition::{self, Bounds, Memory, Sample, missing};
use crate::machine::Disk;
use crate::roster::LISTED_MS;
use crate::signal::Signals;
use crate::store::group::KnownHost;
use crate::store::keeping::Pages;
use crate::store::watched::{Sending, WatchedBatch};
use crate::store::{self, Batch, Store, StoreError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

/// What measuring is made of.
#[derive(Clone)]
pub struct Gauge<S> {
    /// What is asked how much waits and is parked, and where alerts are recorded.
    pub store: S,
    /// The directory whose disk is looked at.
    pub data: PathBuf,
    /// What the queues said of themselves.
    pub signals: Arc<Signals>,
    /// What is too much; the operator may change it meanwhile.
    pub bounds: watch::Receiver<Bounds>,
    /// How often it is looked.
    pub every: Duration,
    /// Whether alerts are sent.
    pub sending: Sending,
    /// Told after alerts were recorded.
    pub raised: Arc<Notify>,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
}

/// Looks until told to stop.
///
/// Cancel-safe: what was concluded and not recorded is concluded again.
pub async fn run<S: Store>(gauge: Gauge<S>, mut stop: watch::Receiver<bool>) {
    let mut memory = match gauge.store.last_vigil().await {
        Ok(last) => last.conditions,
        Err(error) => {
            tracing::error!("failed to read what was said of the host, beginning anew: {error}");
            Memory::default()
        }
    };
    let mut tick = interval(gauge.every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now_ms = (gauge.now_ms)();
        match gauge.sample(now_ms).await {
            Ok((sample, hosts)) => memory = gauge.conclude(memory, &sample, &hosts, now_ms).await,
            Err(error) => tracing::warn!("failed to look how the host is: {error}"),
        }
    }
}

impl<S: Store> Gauge<S> {
    async fn sample(&self, now_ms: u64) -> Result<(Sample, Vec<KnownHost>), StoreError> {
        let stats = self.store.stats().await?;
        let oldest_ms = self.store.oldest_waiting_ms().await?;
        let Pages { all, bytes, .. } = self.store.pages().await?;
        let disk = Disk::of(&self.data);
        if let Err(error) = &disk {
            tracing::warn!("failed to {error:#}");
        }
        let sample = Sample {
            waiting_ms: Some(oldest_ms.map_or(0, |oldest_ms| now_ms.saturating_sub(oldest_ms))),
            parked: Some(stats.parked + stats.effects.parked),
            disk_percent: disk.ok().map(|disk| disk.used_percent()),
            store_bytes: Some(all.saturating_mul(bytes)),
            backlog: self.signals.counts.backlog(),
        };
        Ok((sample, self.store.hosts(now_ms.saturating_sub(LISTED_MS)).await?))
    }

    async fn conclude(&self, memory: Memory, sample: &Sample, hosts: &[KnownHost], now_ms: u64) -> Memory {
        let bounds = *self.bounds.borrow();
        let (next, news) = condition::look(&memory, &bounds, sample, now_ms);
        let (next, host_news) = missing::look(&next, bounds.host_gone_ms, hosts, now_ms);
        if next == memory {
            return next;
        }
        let alerts = news.into_iter().map(Alert::Host).chain(host_news.into_iter().map(Alert::Member));
        let alerts: Vec<_> = alerts.collect();
        for alert in &alerts {
            let (summary, steps) = (alert.summary(), alert.steps().join(" "));
            tracing::warn!(kind = alert.kind(), "{summary}. What to do: {steps}");
        }
        let is_news = !alerts.is_empty();
        let conditions = Some(next.clone());
        let watched = WatchedBatch { alerts, sending: self.sending, conditions, ..WatchedBatch::default() };
        store::record(&self.store, Batch { watched, ..Batch::default() }).await;
        if is_news {
            self.raised.notify_waiters();
        }
        next
    }
}
