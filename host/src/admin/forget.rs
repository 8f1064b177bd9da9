//! Forgetting a person, as the command line asks for it. Knows nothing of how it is done.

use super::{Admin, Refused};
use crate::forget::ForgetRequest;
use crate::store::Store;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

pub(super) async fn start<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    Json(request): Json<ForgetRequest>,
) -> Result<Response, Refused> {
    admin.forgetter.start(request).map_err(|why| Refused(StatusCode::CONFLICT, why))?;
    progress(State(admin)).await
}

pub(super) async fn progress<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
) -> Result<Response, Refused> {
    match admin.forgetter.progress() {
        Some(report) => Ok(Json(report).into_response()),
        None => Err(Refused(StatusCode::NOT_FOUND, "nobody was forgotten since the host started".into())),
    }
}
