//! What is recorded, as it happens, and how things are meanwhile: Server-Sent Events. Knows nothing of SQL.

use super::extract::Params;
use super::refusal::Refused;
use super::{Admin, veil};
use crate::access::{Caller, Role};
use crate::registry::Registry;
use crate::store::Store;
use crate::store::listing::EventQuery;
use crate::store::stats::Stats;
use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Described};
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_core::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between two looks of which the first found nothing to tell: much may be recorded that a client did not ask for.
const LOOK: Duration = Duration::from_millis(50);
/// How often it says how things are.
const GLANCE: Duration = Duration::from_secs(1);
/// Events that one look tells: of more, those that came last.
const TOLD_MAX: usize = 100;

/// What the stream tells. All that is given must hold.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    /// Whether events are told (they are); what else has changed always is.
    events: Option<bool>,
    /// Events after this place; those from now on when it is not given.
    after: Option<i64>,
    /// Of this source.
    source: Option<String>,
    /// About this subject.
    subject: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// That this plugin wanted.
    plugin: Option<String>,
    /// That stood so to those before: `first`, `duplicate`, `stale`, `conflict`, `after-delete`, `echo`.
    class: Option<String>,
    /// In this state: `waiting`, `decided`, `parked`.
    state: Option<String>,
}

impl StreamQuery {
    /// Its events after this place.
    fn of_events(self, after: i64) -> EventQuery {
        let Self { source, subject, kind, plugin, class, state, .. } = self;
        let (after, rows_max) = (Some(after), Some(TOLD_MAX));
        EventQuery { after, rows_max, source, subject, kind, plugin, class, state, ..EventQuery::default() }
    }
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

pub(super) async fn stream<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Params(query): Params<StreamQuery>,
) -> Result<Told, Refused> {
    let is_told = query.events.unwrap_or(true);
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = match resumed.or(query.after) {
        Some(after) => after,
        None => admin.store.flow(i64::MAX, 0).await?.last,
    };
    let query = query.of_events(after);
    query.check().map_err(Refused::unprocessable)?;
    let telling = Telling::new(admin, caller.role, is_told.then_some(query)).await?;
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
    /// The events that come next; nothing when none is to be told.
    query: Option<EventQuery>,
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
    async fn new(admin: Arc<Admin<S>>, role: Role, query: Option<EventQuery>) -> Result<Self, Refused> {
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
        let Some(query) = &mut self.query else { return Ok(()) };
        let page = self.admin.store.events(query.clone()).await?;
        query.after = Some(page.cursor);
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
