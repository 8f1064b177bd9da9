//! The part of the API that asks a version about events of the past, a bounded page in each call. Knows nothing of SQL or
//! wasm.

use super::Admin;
use super::extract::{Only, Operate, Path, Sent};
use super::plugins::{self, OfPlugin};
use super::refusal::Refused;
use crate::deploy::{DeployError, Deployer};
use crate::dryrun::tally::Tally;
use crate::dryrun::{Page, Run};
use crate::event::{Arrival, Event, Snapshot};
use crate::plugin::{PluginName, Version};
use crate::read::read_fetched;
use crate::registry::Active;
use crate::scan;
use crate::store::Store;
use crate::store::listing::{EventRow, Payload};
use crate::store::past::{Past, PastQuery};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tidegate_envelope::{Body, Digest, Envelope};
use tokio::time::Instant;

/// Differences of one outcome in one page at most.
const TOLD_MAX: usize = 200;
/// The longest that one page takes but for one event more: a client that went away costs no more than that.
const PAGE: Duration = Duration::from_secs(5);
/// The longest for events that are given: as many as one request holds.
const GIVEN: Duration = Duration::from_secs(3_600);

/// What to ask about, as it travels.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// How the version begins that is tried, or `active`.
    pub candidate: String,
    /// The version that it is compared with, likewise; absent for what was recorded.
    #[serde(default)]
    pub against: Option<String>,
    /// Only events before this place; from the last on when it is absent.
    #[serde(default)]
    pub before: Option<i64>,
    /// Only events accepted at this time or later, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub since_ms: Option<u64>,
    /// At most so many events, and never more than the host's own limit.
    pub events_max: usize,
    /// At most so many differences of each outcome.
    pub told_max: usize,
    /// These events instead of recorded ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<GivenEvent>>,
}

/// An event that another host recorded.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct GivenEvent {
    /// The event, with its payload.
    pub event: EventRow,
    /// The payload of the event that was its subject's snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Payload>,
}

/// What came of one page.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DryRunPage {
    /// The version that was tried.
    pub candidate: Version,
    /// The version that it was compared with; absent for what was recorded.
    pub against: Option<Version>,
    /// What was found in this page.
    pub tally: Tally,
    /// Where to go on: the next page's `before`.
    pub cursor: i64,
    /// Whether nothing is left.
    pub is_end: bool,
}

pub(super) async fn run<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Operate>,
    Path(OfPlugin { plugin }): Path<OfPlugin>,
    Sent(mut request): Sent<DryRunRequest>,
) -> plugins::Answer<DryRunPage> {
    let candidate = ready(&admin.deployer, &plugin, &request.candidate).await?;
    let against = match &request.against {
        Some(version) => Some(ready(&admin.deployer, &plugin, version).await?),
        None => None,
    };
    let run = Run { candidate, against, told_max: request.told_max.min(TOLD_MAX) };
    let page = match request.events.take() {
        Some(given) => {
            let events = given.into_iter().map(past).collect::<Result<Vec<_>, _>>();
            let mut events = events.map_err(Refused::unprocessable)?;
            let is_for = |active: &Arc<Active>, past: &Past| active.manifest.is_for(&past.event);
            // Of the others the export has, neither is asked.
            let versions = || run.against.iter().chain([&run.candidate]);
            events.retain(|past| versions().any(|active| is_for(active, past)));
            // All of them: the client has nowhere to go on from.
            let tally = admin.dry_run.all(&run, events, Instant::now() + GIVEN).await;
            Page { tally: tally.map_err(DeployError::from)?, cursor: 0, is_end: true }
        }
        None => {
            let manifest = Arc::new(run.candidate.manifest.clone());
            let DryRunRequest { before, since_ms, events_max, .. } = request;
            let query = PastQuery { manifest, before, since_ms, events_max };
            admin.dry_run.page(&run, query, Instant::now() + PAGE).await.map_err(DeployError::from)?
        }
    };
    let Page { tally, cursor, is_end } = page;
    let against = run.against.map(|against| against.version.clone());
    Ok(Json(DryRunPage { candidate: run.candidate.version.clone(), against, tally, cursor, is_end }))
}

async fn ready<S: Store>(
    deployer: &Deployer<S>,
    plugin: &PluginName,
    text: &str,
) -> Result<Arc<Active>, DeployError> {
    let version = deployer.find(plugin, text).await?;
    Ok(deployer.versions.get(&version).await?)
}

/// The event as its plugins were told of it, as far as an export says so: of what a plugin remembered nothing is known.
fn past(given: GivenEvent) -> Result<Past, String> {
    let GivenEvent { event: row, previous } = given;
    let receipt = row.receipt;
    let missing = || format!("event {receipt} has no payload: write the file with `tidegate events export`");
    let payload = row.payload.ok_or_else(missing)?;
    let content_type = payload.content_type.clone();
    let body = payload.bytes().map_err(|error| format!("payload of event {receipt}: {error}"))?;
    let envelope = Envelope {
        receipt,
        source: row.source,
        received_at_ms: row.received_at_ms,
        method: String::new(),
        profile: None,
        headers: Vec::new(),
        content_type,
        sha256: Digest::of(&body),
        body: Body::Inline(Vec::new()),
    };
    let arrival = Arrival::named(&row.class).unwrap_or(Arrival::First);
    let read = read_fetched(envelope, body);
    let mut event = Event { kind: row.kind, subject: row.subject, findings: row.findings, arrival, ..read };
    let before = row.previous.zip(previous).and_then(|(receipt, payload)| {
        let json = scan::json_of(&payload.bytes().ok()?)?.into();
        Some(Snapshot { receipt, json })
    });
    if let Some(before) = before {
        event.come_after(before);
    }
    Ok(Past { place: row.cursor, event, asked: None })
}
