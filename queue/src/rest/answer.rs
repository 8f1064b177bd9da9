//! The envelope every answer comes in, and the codes of errors
//! (<https://developers.cloudflare.com/queues/reference/error-codes/>). Knows nothing of what is answered.

use crate::behavior::{Behavior, Oversize};
use crate::fault::QueueError;
use crate::limit;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A good answer with its result.
pub(super) struct Answer<T>(pub(super) T);

/// A good answer that has no result, as after a deletion.
pub(super) struct Done;

#[derive(Serialize)]
struct Envelope<T> {
    success: bool,
    errors: Vec<ErrorBody>,
    messages: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    result_info: Option<Page>,
    result: Option<T>,
}

#[derive(Serialize)]
struct Bare {
    success: bool,
    errors: [(); 0],
    messages: [(); 0],
}

#[derive(Serialize)]
struct ErrorBody {
    code: u32,
    message: String,
}

/// Which part of a list this is.
#[derive(Serialize)]
pub(super) struct Page {
    page: u32,
    per_page: usize,
    count: usize,
    total_count: usize,
    total_pages: u32,
}

impl Page {
    /// All there is, on one page.
    pub(super) fn whole(count: usize) -> Self {
        Self { page: 1, per_page: count.max(100), count, total_count: count, total_pages: 1 }
    }
}

/// A list, with the note on pages that clients may read.
pub(super) struct Listing<T>(pub(super) Vec<T>, pub(super) Page);

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => {
            tracing::error!("failed to write an answer: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let envelope = Envelope {
            success: true,
            errors: Vec::new(),
            messages: [],
            result_info: None,
            result: Some(self.0),
        };
        json(StatusCode::OK, &envelope)
    }
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        let envelope = Envelope {
            success: true,
            errors: Vec::new(),
            messages: [],
            result_info: Some(self.1),
            result: Some(self.0),
        };
        json(StatusCode::OK, &envelope)
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let bare = Bare { success: true, errors: [], messages: [] };
        json(StatusCode::OK, &bare)
    }
}

/// A bad answer.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: u32,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, code, message }
    }

    pub(crate) fn bad(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn no_route(status: StatusCode) -> Self {
        Self::new(status, 7003, "No route for the URI")
    }

    pub(super) fn unauthorised() -> Self {
        Self::new(StatusCode::FORBIDDEN, 10_000, "Authentication error")
    }

    pub(crate) fn message_size(behavior: &Behavior, bytes: usize) -> Self {
        let error = QueueError::MessageTooLarge(bytes);
        Self::new(oversize(behavior), 10_204, error.to_string())
    }

    pub(crate) fn batch_size(behavior: &Behavior, bytes: usize) -> Self {
        let text = format!("batch of {bytes} bytes is too large: the limit is {}", limit::BATCH_BYTES_MAX);
        Self::new(oversize(behavior), 10_205, text)
    }

    pub(crate) fn batch_count(count: usize) -> Self {
        let text = format!("{count} messages: a batch carries 1 to {}", limit::BATCH_MESSAGES_MAX);
        Self::bad(10_206, text)
    }
}

fn oversize(behavior: &Behavior) -> StatusCode {
    match behavior.oversize {
        Oversize::BadRequest => StatusCode::BAD_REQUEST,
        Oversize::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        let (status, code) = match &error {
            QueueError::NotFound => (StatusCode::NOT_FOUND, 10_104),
            // Codes of the control plane are not documented; these are the ones users report.
            QueueError::ConsumerNotFound => (StatusCode::NOT_FOUND, 11_003),
            QueueError::NameTaken(_) => (StatusCode::BAD_REQUEST, 11_009),
            QueueError::ConsumerExists => (StatusCode::BAD_REQUEST, 11_004),
            QueueError::NotPullable => (StatusCode::METHOD_NOT_ALLOWED, 10_105),
            QueueError::NameInvalid(_) | QueueError::QueueSettings(_) | QueueError::TooManyQueues => {
                (StatusCode::BAD_REQUEST, 100_128)
            }
            QueueError::ConsumerSettings(_) => (StatusCode::BAD_REQUEST, 100_127),
            QueueError::Paused => (StatusCode::CONFLICT, 10_252),
            QueueError::MessageTooLarge(_) => (StatusCode::BAD_REQUEST, 10_204),
            QueueError::DelayTooLong(_) => (StatusCode::BAD_REQUEST, 10_203),
            QueueError::GroupSize(_) => (StatusCode::BAD_REQUEST, 10_206),
            QueueError::StorageLimit => (StatusCode::TOO_MANY_REQUESTS, 10_251),
            QueueError::Storage(_) | QueueError::Closed => (StatusCode::INTERNAL_SERVER_ERROR, 15_000),
        };
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let envelope = Envelope::<()> {
            success: false,
            errors: vec![ErrorBody { code: self.code, message: self.message }],
            messages: [],
            result_info: None,
            result: None,
        };
        json(self.status, &envelope)
    }
}
