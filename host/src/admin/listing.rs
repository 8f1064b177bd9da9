//! The part of the API that is about what arrived: events, effects, what is parked, how many there are. Knows nothing of SQL.

use super::extract::{Only, Operate, Params, Path, Sent, need};
use super::refusal::Refused;
use super::{Admin, guard, veil};
use crate::access::{Caller, Role};
use crate::metric;
use crate::pipeline::intervene::{Intervened, Order};
use crate::store::Store;
use crate::store::flow::{EffectQuery, EffectsPage};
use crate::store::listing::{EventQuery, EventRow, EventsPage};
use crate::store::parked::{ParkedDetail, ParkedId, ParkedPage, ParkedQuery};
use crate::store::stats::Stats;
use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Described};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use tidegate_envelope::Receipt;

/// A receipt in a path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfEvent {
    /// Which event.
    receipt: Receipt,
}

/// Of something parked, its name in a path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfParked {
    /// RECEIPT/PLUGIN, RECEIPT/PLUGIN/POSITION, stray/N or alert/N.
    id: ParkedId,
}

/// How much of one event is shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    /// Its body, too, and the one before. It takes the role `operate`, and stands in the audit.
    payload: Option<bool>,
}

pub(super) async fn events<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<EventQuery>,
) -> Result<Json<EventsPage>, Refused> {
    query.check().map_err(Refused::unprocessable)?;
    if query.text.is_some() || query.payload == Some(true) {
        need(&caller, Role::Operate)?;
        guard::note(&admin, &caller, json!({ "saw": "payloads of events" })).await?;
    }
    let mut page = admin.store.events(query).await?;
    page.events.iter_mut().for_each(|event| veil::event(event, caller.role));
    Ok(Json(page))
}

pub(super) async fn event<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Extension(caller): Extension<Caller>,
    Path(OfEvent { receipt }): Path<OfEvent>,
    Params(shown): Params<Shown>,
) -> Result<Json<EventRow>, Refused> {
    let found = admin.store.event(receipt).await?;
    let mut event =
        found.ok_or_else(|| Refused::not_found(format!("no event has the receipt {receipt} here (yet)")))?;
    veil::event(&mut event, caller.role);
    if shown.payload == Some(true) {
        need(&caller, Role::Operate)?;
        guard::note(&admin, &caller, json!({ "saw": format!("the payload of {receipt}") })).await?;
        event.payload = admin.store.payload(receipt).await?;
        if let Some(previous) = event.previous {
            event.previous_payload = admin.store.payload(previous).await?;
        }
    }
    Ok(Json(event))
}

pub(super) async fn effects<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<EffectQuery>,
) -> Result<Json<EffectsPage>, Refused> {
    query.check().map_err(Refused::unprocessable)?;
    let mut page = admin.store.effects_listed(query).await?;
    page.effects.iter_mut().for_each(|effect| veil::request(&mut effect.request, caller.role));
    Ok(Json(page))
}

pub(super) async fn parked<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<ParkedQuery>,
) -> Result<Json<ParkedPage>, Refused> {
    query.check().map_err(Refused::unprocessable)?;
    if query.reason.is_some() {
        need(&caller, Role::Operate)?;
    }
    let mut page = admin.store.parked(query).await?;
    page.rows.iter_mut().for_each(|row| veil::why(&mut row.why, caller.role));
    Ok(Json(page))
}

pub(super) async fn parked_detail<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Extension(caller): Extension<Caller>,
    Path(OfParked { id }): Path<OfParked>,
) -> Result<Json<ParkedDetail>, Refused> {
    let found = admin.store.parked_detail(id.clone()).await?;
    let mut detail =
        found.ok_or_else(|| Refused::not_found(format!("{id} is not here, parked or otherwise")))?;
    veil::parked(&mut detail, caller.role);
    Ok(Json(detail))
}

pub(super) async fn redrive<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Operate>,
    Sent(order): Sent<Order>,
) -> Result<Json<Intervened>, Refused> {
    order.query.check().map_err(Refused::unprocessable)?;
    // A client that goes away does not stop half-way.
    let task = tokio::spawn(async move {
        let redriven = admin.pipeline.redrive(order).await;
        admin.raised.notify_waiters();
        redriven
    });
    Ok(Json(task.await.expect("redriving does not panic")?))
}

pub(super) async fn drop_parked<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Operate>,
    Sent(order): Sent<Order>,
) -> Result<Json<Intervened>, Refused> {
    order.query.check().map_err(Refused::unprocessable)?;
    let task = tokio::spawn(async move { admin.pipeline.drop_parked(order).await });
    Ok(Json(task.await.expect("dropping does not panic")?))
}

pub(super) async fn stats<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Json<Stats>, Refused> {
    Ok(Json(admin.store.stats().await?))
}

pub(super) async fn metrics<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Metrics, Refused> {
    Ok(Metrics(metric::text(&admin.meter.families().await?)))
}

/// What Prometheus reads.
pub(super) struct Metrics(String);

impl IntoResponse for Metrics {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, metric::CONTENT_TYPE)], self.0).into_response()
    }
}

impl OperationOutput for Metrics {
    type Inner = String;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<Described> {
        String::operation_response(ctx, operation)
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Described)> {
        String::inferred_responses(ctx, operation)
    }
}
