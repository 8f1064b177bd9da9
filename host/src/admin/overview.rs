//! How things are at a glance, and how they were in the last hour. Knows nothing of SQL.

use super::Admin;
use super::extract::Params;
use super::refusal::Refused;
use crate::deploy::Deployer;
use crate::pace::usage::UsageSeries;
use crate::pace::{PASSED_MAX, Pace, STEP_MS, Series};
use crate::plugin::PluginName;
use crate::store::Store;
use crate::store::stats::Stats;
use crate::vigil::report::SourcesReport;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// How things are.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// When this was written. All times are in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// When the host started.
    pub started_ms: u64,
    /// How much came in and what became of it.
    pub stats: Stats,
    /// How the sources are.
    pub sources: SourcesReport,
    /// When the edge accepted the oldest event that a plugin will be asked about; absent when none waits.
    pub oldest_waiting_ms: Option<u64>,
    /// The last hour.
    pub series: Series,
}

pub(super) async fn overview<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Json<Overview>, Refused> {
    let stats = admin.store.stats().await?;
    let sources = (**admin.sources.borrow()).clone();
    let pace = admin.pace.read().unwrap_or_else(PoisonError::into_inner);
    let (oldest_waiting_ms, series) = (pace.oldest_waiting_ms(), pace.series());
    let (now_ms, started_ms) = ((admin.now_ms)(), admin.meter.started_ms);
    Ok(Json(Overview { now_ms, started_ms, stats, sources, oldest_waiting_ms, series }))
}

/// Which versions' last hour.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageQuery {
    /// Those of this plugin only.
    plugin: Option<PluginName>,
    /// The last so many steps only.
    steps_max: Option<usize>,
}

pub(super) async fn usage_series<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Params(query): Params<UsageQuery>,
) -> Json<UsageSeries> {
    let pace = admin.pace.read().unwrap_or_else(PoisonError::into_inner);
    Json(pace.usage(query.plugin.as_ref(), query.steps_max.unwrap_or(usize::MAX)))
}

/// Adds a step to the pace again and again, until it is stopped. Cancel-safe.
pub async fn keep_pace<S: Store + Clone>(
    store: S,
    deployer: Arc<Deployer<S>>,
    pace: Arc<RwLock<Pace>>,
    now_ms: fn() -> u64,
    mut stop: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(Duration::from_millis(STEP_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let looked = async {
            let flow = store.flow(last.unwrap_or(i64::MAX), PASSED_MAX).await?;
            Ok::<_, crate::store::StoreError>((store.stats().await?, flow, deployer.usage_of_all().await?))
        };
        match looked.await {
            Ok((stats, flow, accounts)) => {
                last = Some(flow.last);
                pace.write().unwrap_or_else(PoisonError::into_inner).add(stats, &flow, accounts, now_ms());
            }
            Err(error) => tracing::warn!("failed to look how much came in: {error}"),
        }
    }
}
