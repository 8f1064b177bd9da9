//! An answer of the API that says what was wrong. Knows nothing of what was asked.

use crate::access::AccessError;
use crate::store::StoreError;
use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Described};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    why: String,
    retry_after_s: Option<u64>,
}

/// A refusal as it travels.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Error {
    /// What was wrong, in a sentence.
    pub(super) error: String,
}

impl Refused {
    /// With this status, for this reason.
    pub(super) fn new(status: StatusCode, why: impl Display) -> Self {
        Self { status, why: why.to_string(), retry_after_s: None }
    }

    /// What was asked for makes no sense.
    pub(super) fn unprocessable(why: impl Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, why)
    }

    /// There is no such thing.
    pub(super) fn not_found(why: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }

    /// Asked too often.
    pub(super) fn too_many(why: impl Display) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, why) }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!("failed to answer the admin API: {error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }
}

impl From<AccessError> for Refused {
    fn from(error: AccessError) -> Self {
        let status = match &error {
            AccessError::Unknown(_) => StatusCode::NOT_FOUND,
            AccessError::Known(_) | AccessError::TooMany => StatusCode::CONFLICT,
            AccessError::Name(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Error { error: self.why })).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl OperationOutput for Refused {
    type Inner = Error;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<Described> {
        let described = Json::<Error>::operation_response(ctx, operation)?;
        Some(Described { description: "It was not done, and this is why.".to_owned(), ..described })
    }

    /// Whatever status is not named otherwise is one of these.
    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Described)> {
        Self::operation_response(ctx, operation).map(|described| (None, described)).into_iter().collect()
    }
}
