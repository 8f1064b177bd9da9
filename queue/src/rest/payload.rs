//! What comes with a request: ids in the path, JSON in the body. Knows nothing of what either means.

use super::answer::ApiError;
use crate::id::{ConsumerId, QueueId};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// The queue, and the consumer if the route has one, that the path names.
pub(super) struct Target {
    pub(super) queue: QueueId,
    consumer: Option<ConsumerId>,
}

impl Target {
    pub(super) fn consumer(&self) -> Result<ConsumerId, ApiError> {
        self.consumer.ok_or_else(|| ApiError::bad(7003, "consumer id is malformed"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::no_route(StatusCode::NOT_FOUND))?;
        let find = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
        let queue = find("queue").and_then(|text| text.parse().ok());
        Ok(Self {
            queue: queue.ok_or_else(|| ApiError::bad(10_107, "queue id is malformed"))?,
            consumer: find("consumer").and_then(|text| text.parse().ok()),
        })
    }
}

/// The body of a request.
pub(super) struct Payload(Bytes);

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(BytesRejection::FailedToBufferBody(error)) => {
                Err(ApiError::new(error.status(), 10_205, error.body_text()))
            }
            Err(_) => Err(ApiError::bad(10_208, "request body could not be read")),
        }
    }
}

impl Payload {
    /// The body as JSON; no body is an empty object.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let bytes: &[u8] = if self.0.is_empty() { b"{}" } else { &self.0 };
        serde_json::from_slice(bytes).map_err(|error| {
            let code = if error.is_data() { 10_207 } else { 10_208 };
            ApiError::bad(code, format!("request body: {error}"))
        })
    }
}
