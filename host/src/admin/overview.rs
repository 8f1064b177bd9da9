//! How things are, at a glance and as they change: the overview, and the stream of what is recorded. Knows nothing of SQL.

use super::extract::Params;
use super::refusal::Refused;
use super::{Admin, veil};
use crate::access::{Caller, Role};
use crate::deploy::Deployer;
use crate::pace::usage::UsageSeries;
use crate::pace::{PASSED_MAX, Pace, STEP_MS, Series};
use crate::plugin::PluginName;
use crate::registry::Registry;
use crate::store::Store;
use crate::store::listing::EventQuery;
use crate::store::stats::Stats;
use crate::vigil::report::SourcesReport;
use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Described};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use axum::{Extension, Json};
use futures_core::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

/// Between two looks of which the first found nothing to tell: much may be recorded that a client did not ask for.
const LOOK: Duration = Duration::from_millis(50);
/// How often it says how things are.
const GLANCE: Duration = Duration::from_secs(1);
/// Events that one look tells: of more, those that came last.
const TOLD_MAX: usize = 100;

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

/// What the stream says about once a second.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Glance {
    /// When this was written.
    pub now_ms: u64,
    /// How much came in and what became of it.
    pub stats: Stats,
    /// When the edge accepted the oldest event that a plugin will be asked about; absent when none waits.
    pub oldest_waiting_ms: Option<u64>,
}

/// A list that is no longer what it was.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
enum Changed {
    Plugins,
    Sources,
    Alerts,
    Parked,
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
            Ok::<_, crate::store::StoreError>((store.stats().await?, flow))
        };
        match looked.await {
            Ok((stats, flow)) => {
                last = Some(flow.last);
                pace.write().unwrap_or_else(PoisonError::into_inner).add(
                    stats,
                    &flow,
                    deployer.usage(),
                    now_ms(),
                );
            }
            Err(error) => tracing::warn!("failed to look how much came in: {error}"),
        }
    }
}

pub(super) async fn stream<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Params(mut query): Params<EventQuery>,
) -> Result<Told, Refused> {
    query.check().map_err(Refused::unprocessable)?;
    if query.text.is_some() || query.payload.is_some() || query.before.is_some() {
        return Err(Refused::unprocessable("the stream knows no `text`, `payload` or `before`"));
    }
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = match resumed.or(query.after) {
        Some(after) => after,
        None => admin.store.flow(i64::MAX, 0).await?.last,
    };
    query.after = Some(after);
    query.rows_max = Some(TOLD_MAX);
    let telling = Telling::new(admin, caller.role, query).await?;
    Ok(Told(Sse::new(telling.told()).keep_alive(KeepAlive::default()).into_response()))
}

/// Server-Sent Events.
pub(super) struct Told(Response);

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        self.0
    }
}

impl OperationOutput for Told {
    type Inner = String;

    fn operation_response(_: &mut GenContext, _: &mut Operation) -> Option<Described> {
        let what = "Server-Sent Events: `recorded` with an event as in lists and its cursor as id, `overview` about once a second, \
                    `changed` with the list that is no longer what it was.";
        let content = [("text/event-stream".to_owned(), MediaType::default())].into_iter().collect();
        Some(Described { description: what.to_owned(), content, ..Described::default() })
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Described)> {
        Self::operation_response(ctx, operation).map(|described| (Some(200), described)).into_iter().collect()
    }
}

/// One client that is told.
struct Telling<S> {
    admin: Arc<Admin<S>>,
    role: Role,
    query: EventQuery,
    /// What was told last, to see what has changed.
    seen: Seen,
    glanced: Option<Instant>,
    waiting: Vec<Result<Event, axum::Error>>,
    stopped: watch::Receiver<bool>,
}

struct Seen {
    parked: u64,
    alerts: u64,
    /// Swapped whole at each deployment.
    registry: Arc<Registry>,
    sources_ms: u64,
}

impl<S: Store + Clone> Telling<S> {
    async fn new(admin: Arc<Admin<S>>, role: Role, query: EventQuery) -> Result<Self, Refused> {
        let stats = admin.store.stats().await?;
        let seen = admin.seen(&stats);
        let stopped = admin.stopped.clone();
        Ok(Self { admin, role, query, seen, glanced: None, waiting: Vec::new(), stopped })
    }

    fn told(self) -> impl Stream<Item = Result<Event, axum::Error>> {
        futures_util::stream::unfold(self, |mut telling| async move {
            let event = telling.next().await?;
            Some((event, telling))
        })
    }

    /// The next thing to tell; `None` when the host stops.
    async fn next(&mut self) -> Option<Result<Event, axum::Error>> {
        let pipeline = Arc::clone(&self.admin.pipeline);
        while self.waiting.is_empty() {
            let mut recorded = pin!(pipeline.recorded().notified());
            // Before the look, so that nothing is recorded unheard between it and the wait.
            recorded.as_mut().enable();
            if let Err(error) = self.look().await {
                tracing::warn!("failed to follow what is recorded: {error}");
            }
            if self.waiting.is_empty() {
                let more = async {
                    tokio::time::sleep(LOOK).await;
                    // How things are is told though nothing comes.
                    let _ = tokio::time::timeout(GLANCE, recorded).await;
                };
                tokio::select! {
                    () = more => {}
                    _ = self.stopped.wait_for(|stop| *stop) => return None,
                }
            }
        }
        Some(self.waiting.remove(0))
    }

    async fn look(&mut self) -> Result<(), crate::store::StoreError> {
        if self.glanced.is_none_or(|at| at.elapsed() >= GLANCE) {
            self.glanced = Some(Instant::now());
            self.glance().await?;
        }
        let page = self.admin.store.events(self.query.clone()).await?;
        self.query.after = Some(page.cursor);
        for mut event in page.events {
            veil::event(&mut event, self.role);
            let told = Event::default().event("recorded").id(event.cursor.to_string()).json_data(&event);
            self.waiting.push(told);
        }
        Ok(())
    }

    async fn glance(&mut self) -> Result<(), crate::store::StoreError> {
        let stats = self.admin.store.stats().await?;
        let now = self.admin.seen(&stats);
        let before = &self.seen;
        let changes = [
            (now.parked != before.parked, Changed::Parked),
            (now.alerts != before.alerts, Changed::Alerts),
            (!Arc::ptr_eq(&now.registry, &before.registry), Changed::Plugins),
            (now.sources_ms != before.sources_ms, Changed::Sources),
        ];
        for (_, what) in changes.into_iter().filter(|(has_changed, _)| *has_changed) {
            self.waiting.push(Event::default().event("changed").json_data(what));
        }
        self.seen = now;
        let oldest_waiting_ms =
            self.admin.pace.read().unwrap_or_else(PoisonError::into_inner).oldest_waiting_ms();
        let glance = Glance { now_ms: (self.admin.now_ms)(), stats, oldest_waiting_ms };
        self.waiting.push(Event::default().event("overview").json_data(glance));
        Ok(())
    }
}

impl<S: Store> Admin<S> {
    fn seen(&self, stats: &Stats) -> Seen {
        Seen {
            parked: stats.parked,
            alerts: stats.alerts.done + stats.alerts.waiting + stats.alerts.parked,
            registry: self.deployer.switchboard.current(),
            sources_ms: self.sources.borrow().now_ms,
        }
    }
}
