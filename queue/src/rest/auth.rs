//! Who may ask: one account, one bearer token. Knows nothing of what is asked.

use super::Rest;
use super::answer::ApiError;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Runs before every route, unknown ones too: a stranger learns nothing but that.
pub(super) async fn check(State(rest): State<Rest>, request: Request, next: Next) -> Response {
    if is_allowed(&rest, &request) {
        next.run(request).await
    } else {
        ApiError::unauthorised().into_response()
    }
}

fn is_allowed(rest: &Rest, request: &Request) -> bool {
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or("", |(_, token)| token.trim());
    let is_token: bool = Sha256::digest(token.as_bytes()).ct_eq(&rest.token_hash).into();
    let account =
        request.uri().path().strip_prefix("/client/v4/accounts/").and_then(|rest| rest.split('/').next());
    is_token && account.is_none_or(|account| account == &*rest.account_id)
}
