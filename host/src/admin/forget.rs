//! Forgetting a person, as the command line asks for it. Knows nothing of how it is done.

use super::Admin;
use super::extract::{Administer, Only, Sent};
use super::refusal::Refused;
use crate::forget::{ForgetReport, ForgetRequest};
use crate::store::Store;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;

pub(super) async fn start<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    only: Only<Administer>,
    Sent(request): Sent<ForgetRequest>,
) -> Result<Json<ForgetReport>, Refused> {
    admin.forgetter.start(request).map_err(|why| Refused::new(StatusCode::CONFLICT, why))?;
    progress(State(admin), only).await
}

pub(super) async fn progress<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Administer>,
) -> Result<Json<ForgetReport>, Refused> {
    let progress = admin.forgetter.progress().map(Json);
    progress.ok_or_else(|| Refused::not_found("nobody was forgotten since the host started"))
}
