//! Watches the sources: asks the edge how they are, hears of events, lets the vigil conclude, and records what it
//! says before anybody is told. Knows nothing of how an alert is sent.

use crate::edge::EdgeClient;
use crate::heard::Heard;
use crate::partition::Partitions;
use crate::store::watched::{LastVigil, Sending, WatchedBatch};
use crate::store::{self, Batch, Store};
use crate::vigil::report::{EdgeReport, SourcesReport};
use crate::vigil::{Changes, Vigil, VigilRules};
use std::sync::Arc;
use std::time::Duration;
use tidegate_source::status::Status;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often what was heard is looked at: how exact the ends of a gap are.
const TICK: Duration = Duration::from_secs(1);
/// Events of the last start that are looked at for when each source last spoke.
const RECENT_EVENTS: usize = 10_000;

/// What watching is made of.
#[derive(Clone)]
pub struct Watch<S> {
    /// Where what was concluded is recorded.
    pub store: S,
    /// The edge, if there is one to ask.
    pub edge: Option<EdgeClient>,
    /// How often it is asked.
    pub poll: Duration,
    /// What the operator set.
    pub rules: VigilRules,
    /// Whether alerts are sent.
    pub sending: Sending,
    /// What the pipeline heard.
    pub heard: Arc<Heard>,
    /// Where how the sources are is left, for whoever asks.
    pub report: watch::Sender<Arc<SourcesReport>>,
    /// Told after alerts were recorded.
    pub raised: Arc<Notify>,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
}

/// Watches until told to stop, then leaves what the next watch needs.
///
/// Cancel-safe: what was concluded and not recorded is concluded again.
pub async fn run<S: Store>(watch: Watch<S>, mut stop: watch::Receiver<bool>) {
    let mut vigil = begin(&watch).await;
    let mut edge = watch.edge.as_ref().map(|_| EdgeReport::default());
    let (mut asked, mut ask_at) = (JoinSet::new(), Instant::now());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stop.borrow() {
        if let Some(client) = watch.edge.clone().filter(|_| asked.is_empty() && Instant::now() >= ask_at) {
            ask_at = Instant::now() + watch.poll;
            asked.spawn(async move { client.status().await });
        }
        let answer = tokio::select! {
            Some(answer) = asked.join_next() => Some(answer.expect("asking the edge does not panic")),
            _ = tick.tick() => None,
            () = tokio::time::sleep_until(ask_at), if watch.edge.is_some() && asked.is_empty() => None,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        look(&watch, &mut vigil, edge.as_mut(), answer).await;
        watch.report.send_replace(Arc::new(vigil.report(edge.clone(), (watch.now_ms)())));
    }
    let changes = Changes { memory: Some(vigil.memory()), rhythms: Vec::new() };
    let watched = WatchedBatch { changes, ..WatchedBatch::default() };
    if let Err(error) = watch.store.commit(Batch { watched, ..Batch::default() }).await {
        tracing::error!("failed to record when each source was last heard of: {error}");
    }
}

/// A vigil that goes on where the last one stopped. One that left nothing readable is begun anew: events matter more
/// than being watched without a break.
async fn begin<S: Store>(watch: &Watch<S>) -> Vigil {
    let last = watch.store.last_vigil().await.unwrap_or_else(|error| {
        tracing::error!("failed to read how the sources were, beginning anew: {error}");
        LastVigil::default()
    });
    let now_ms = (watch.now_ms)();
    let mut vigil = Vigil::new(watch.rules, now_ms, last.memory, last.rhythms);
    match watch.store.recent(RECENT_EVENTS, Partitions::ALL).await {
        Ok(recent) => {
            for (source, _, receipt) in recent {
                vigil.remember(&source, receipt.timestamp_ms());
            }
        }
        Err(error) => tracing::error!("failed to read when each source last spoke: {error}"),
    }
    vigil
}

/// One look: what was heard first, then what the edge said, then the time.
async fn look<S: Store>(
    watch: &Watch<S>,
    vigil: &mut Vigil,
    edge: Option<&mut EdgeReport>,
    answer: Option<anyhow::Result<Status>>,
) {
    let now_ms = (watch.now_ms)();
    let mut alerts = Vec::new();
    for (source, span) in watch.heard.take() {
        if let Some(at_ms) = span.tested_ms {
            vigil.tested(&source, at_ms);
        }
        if let Some((first_ms, last_ms)) = span.events {
            alerts.extend(vigil.recorded(&source, first_ms, last_ms, now_ms));
        }
    }
    match (answer, edge) {
        (Some(Ok(status)), Some(edge)) => {
            alerts.extend(vigil.polled(&status, now_ms));
            if edge.faults != status.faults {
                for fault in &status.faults {
                    tracing::error!("a source is not live at the edge: {fault}");
                }
            }
            *edge = EdgeReport { asked_ms: Some(now_ms), failure: None, faults: status.faults };
        }
        (Some(Err(error)), Some(edge)) => {
            let why = format!("{error:#}");
            tracing::debug!("failed to ask the edge how its sources are: {why}");
            alerts.extend(vigil.unreachable(&why, now_ms));
            edge.failure = Some(why);
        }
        (_, None) | (None, _) => {}
    }
    alerts.extend(vigil.tick(now_ms));
    let changes = vigil.changes();
    if alerts.is_empty() && changes.memory.is_none() && changes.rhythms.is_empty() {
        return;
    }
    for alert in &alerts {
        let source = alert.source().map(tracing::field::display);
        tracing::warn!(
            kind = alert.kind(),
            source,
            "{}. What to do: {}",
            alert.summary(),
            alert.steps().join(" ")
        );
    }
    let raised = !alerts.is_empty();
    let watched = WatchedBatch { alerts, sending: watch.sending, changes, ..WatchedBatch::default() };
    store::record(&watch.store, Batch { watched, ..Batch::default() }).await;
    if raised {
        watch.raised.notify_waiters();
    }
}
