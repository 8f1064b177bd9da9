//! The hosts that share the work; any of them answers for all. Knows nothing of SQL.

use super::Admin;
use super::refusal::Refused;
use crate::roster::{Alone, HostsReport, LISTED_MS};
use crate::store::Store;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

pub(super) async fn hosts<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Json<HostsReport>, Refused> {
    let (store, now_ms) = (&admin.store, (admin.now_ms)());
    if let own @ Some(_) = store.own() {
        let hosts = store.hosts(now_ms.saturating_sub(LISTED_MS)).await?;
        return Ok(Json(HostsReport::of(&hosts, own, &store.behind().await?, now_ms)));
    }
    let alone = Alone {
        name: admin.own.name.clone(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        started_ms: admin.own.started_ms,
        doing: admin.own.doing(),
        oldest_ms: store.oldest_waiting_ms().await?,
    };
    Ok(Json(HostsReport::alone(alone, now_ms)))
}
