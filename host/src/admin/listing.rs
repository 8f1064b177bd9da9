//! The part of the API that is about what arrived: events, what is parked, how many there are. Knows nothing of SQL.

use super::{Admin, Refused};
use crate::metric;
use crate::pipeline::intervene::Order;
use crate::store::Store;
use crate::store::listing::EventQuery;
use crate::store::parked::{ParkedId, ParkedQuery};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fmt::Display;
use std::sync::Arc;
use tidegate_envelope::Receipt;

fn unprocessable(error: impl Display) -> Refused {
    Refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
}

pub(super) async fn events<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Query(query): Query<EventQuery>,
) -> Result<Response, Refused> {
    query.check().map_err(unprocessable)?;
    Ok(Json(admin.store.events(query).await?).into_response())
}

pub(super) async fn event<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Path(receipt): Path<String>,
) -> Result<Response, Refused> {
    let receipt: Receipt = receipt.parse().map_err(unprocessable)?;
    match admin.store.event(receipt).await? {
        Some(event) => Ok(Json(event).into_response()),
        None => Err(Refused(StatusCode::NOT_FOUND, format!("no event has the receipt {receipt} here (yet)"))),
    }
}

pub(super) async fn parked<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Query(query): Query<ParkedQuery>,
) -> Result<Response, Refused> {
    query.check().map_err(unprocessable)?;
    Ok(Json(admin.store.parked(query).await?).into_response())
}

pub(super) async fn parked_detail<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let id: ParkedId = id.parse().map_err(unprocessable)?;
    match admin.store.parked_detail(id.clone()).await? {
        Some(detail) => Ok(Json(detail).into_response()),
        None => Err(Refused(StatusCode::NOT_FOUND, format!("{id} is not here, parked or otherwise"))),
    }
}

pub(super) async fn redrive<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Json(order): Json<Order>,
) -> Result<Response, Refused> {
    order.query.check().map_err(unprocessable)?;
    // A client that goes away does not stop half-way.
    let task = tokio::spawn(async move {
        let redriven = admin.pipeline.redrive(order).await;
        admin.raised.notify_waiters();
        redriven
    });
    Ok(Json(task.await.expect("redriving does not panic")?).into_response())
}

pub(super) async fn drop_parked<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Json(order): Json<Order>,
) -> Result<Response, Refused> {
    order.query.check().map_err(unprocessable)?;
    let task = tokio::spawn(async move { admin.pipeline.drop_parked(order).await });
    Ok(Json(task.await.expect("dropping does not panic")?).into_response())
}

pub(super) async fn stats<S: Store + Clone>(State(admin): State<Arc<Admin<S>>>) -> Result<Response, Refused> {
    Ok(Json(admin.store.stats().await?).into_response())
}

pub(super) async fn metrics<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Response, Refused> {
    let text = metric::text(&admin.store.stats().await?);
    Ok(([(header::CONTENT_TYPE, metric::CONTENT_TYPE)], text).into_response())
}
