//! What a request brings, taken apart with errors that are the API's own. Knows nothing of what is done with it.

use super::refusal::Refused;
use crate::access::{Caller, Role};
use aide::OperationIo;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use std::marker::PhantomData;

/// A body of JSON.
#[derive(FromRequest, OperationIo)]
#[from_request(via(axum::Json), rejection(Refused))]
#[aide(input_with = "axum::Json<T>", json_schema)]
pub(super) struct Sent<T>(pub(super) T);

/// What stands behind the `?`.
#[derive(FromRequestParts, OperationIo)]
#[from_request(via(Query), rejection(Refused))]
#[aide(input_with = "Query<T>", json_schema)]
pub(super) struct Params<T>(pub(super) T);

/// What the path names.
#[derive(FromRequestParts, OperationIo)]
#[from_request(via(axum::extract::Path), rejection(Refused))]
#[aide(input_with = "axum::extract::Path<T>", json_schema)]
pub(super) struct Path<T>(pub(super) T);

impl From<JsonRejection> for Refused {
    fn from(error: JsonRejection) -> Self {
        Self::new(error.status(), error.body_text())
    }
}

impl From<QueryRejection> for Refused {
    fn from(error: QueryRejection) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())
    }
}

impl From<PathRejection> for Refused {
    fn from(error: PathRejection) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())
    }
}

/// A role that not everybody has.
pub(super) trait Needed: Send + Sync + 'static {
    /// Which.
    const ROLE: Role;
}

/// [`Role::Operate`].
pub(super) enum Operate {}
/// [`Role::Admin`].
pub(super) enum Administer {}

impl Needed for Operate {
    const ROLE: Role = Role::Operate;
}

impl Needed for Administer {
    const ROLE: Role = Role::Admin;
}

/// Who asks, when that is somebody who may: a handler that takes this is for them only.
pub(super) struct Only<R> {
    pub(super) caller: Caller,
    role: PhantomData<R>,
}

/// Whether the caller may what takes this role.
///
/// # Errors
/// When not: 403, with the role that it takes.
pub(super) fn need(caller: &Caller, role: Role) -> Result<(), Refused> {
    if caller.role >= role {
        return Ok(());
    }
    let why = format!(
        "this needs the role `{}`, and the token `{}` has `{}`",
        role.word(),
        caller.name,
        caller.role.word()
    );
    Err(Refused::new(StatusCode::FORBIDDEN, why))
}

impl<R: Needed, S: Send + Sync> FromRequestParts<S> for Only<R> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let caller =
            parts.extensions.get::<Caller>().expect("the guard lets nobody pass whom it does not know");
        need(caller, R::ROLE)?;
        Ok(Self { caller: caller.clone(), role: PhantomData })
    }
}

impl<R: Needed> aide::OperationInput for Only<R> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        operation.extensions.insert("x-role".into(), R::ROLE.word().into());
    }
}
