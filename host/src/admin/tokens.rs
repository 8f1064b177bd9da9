//! The part of the API that makes tokens and takes them away, and that says what was done. Knows nothing of SQL.

use super::Admin;
use super::extract::{Administer, Only, Params, Path, Sent};
use super::refusal::Refused;
use crate::access::{AccessError, Caller, KeptToken, LOCAL, Role};
use crate::store::access::{AuditQuery, AuditRow, TokenChange};
use crate::store::{Batch, Store, StoreError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError};
use tidegate_envelope::Digest;
use tokio::sync::MutexGuard;

/// Who one is to this host.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// The token's name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The host's version.
    pub version: String,
}

/// A token to make.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name: of the form of a plugin's.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// When it ends, in milliseconds since the Unix epoch; absent for never.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

/// How one token takes over from another.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// For how long the one so far counts, too, in milliseconds.
    #[serde(default)]
    pub overlap_ms: u64,
}

/// A token that was just made: the one time that it is said.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct MadeToken {
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The token.
    pub token: String,
}

/// A token as lists show it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenRow {
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// When it was made. All times are in milliseconds since the Unix epoch.
    pub made_at_ms: u64,
    /// When it ends; absent for never.
    pub until_ms: Option<u64>,
    /// Until when the token before it counts, too, when there is one.
    pub before_until_ms: Option<u64>,
    /// When it was last used since the host started.
    pub used_at_ms: Option<u64>,
}

/// A token's name in a path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfToken {
    name: String,
}

pub(super) async fn me(Extension(caller): Extension<Caller>) -> Json<Me> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Me { name: caller.name, role: caller.role, version })
}

pub(super) async fn list<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Administer>,
) -> Result<Json<Vec<TokenRow>>, Refused> {
    let used = admin.guard.used();
    let now_ms = (admin.now_ms)();
    let tokens = admin.guard.tokens.read().unwrap_or_else(PoisonError::into_inner);
    let row = |kept: &KeptToken| TokenRow {
        name: kept.name.clone(),
        role: kept.role,
        made_at_ms: kept.made_at_ms,
        until_ms: kept.until_ms,
        before_until_ms: kept
            .before
            .as_ref()
            .map(|(_, until_ms)| *until_ms)
            .filter(|until_ms| *until_ms > now_ms),
        used_at_ms: used.get(&kept.name).copied(),
    };
    let mut rows: Vec<_> = tokens.iter().filter(|kept| kept.name != LOCAL).map(row).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(rows))
}

pub(super) async fn make<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Administer>,
    Sent(NewToken { name, role, until_ms }): Sent<NewToken>,
) -> Result<Json<MadeToken>, Refused> {
    let _turn = turn(&admin).await?;
    admin.guard.tokens.read().unwrap_or_else(PoisonError::into_inner).admit(&name)?;
    let token = fresh(&admin)?;
    let made_at_ms = (admin.now_ms)();
    let sha256 = Digest::of(token.as_bytes());
    let kept = KeptToken { name: name.clone(), role, sha256, before: None, made_at_ms, until_ms };
    put(&admin, kept).await?;
    Ok(Json(MadeToken { name, role, token }))
}

pub(super) async fn rotate<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Administer>,
    Path(OfToken { name }): Path<OfToken>,
    Sent(Rotation { overlap_ms }): Sent<Rotation>,
) -> Result<Json<MadeToken>, Refused> {
    let _turn = turn(&admin).await?;
    let kept = find(&admin, &name)?;
    let token = fresh(&admin)?;
    let now_ms = (admin.now_ms)();
    let rotated = kept.rotated(Digest::of(token.as_bytes()), now_ms, now_ms.saturating_add(overlap_ms));
    let role = rotated.role;
    put(&admin, rotated).await?;
    Ok(Json(MadeToken { name, role, token }))
}

pub(super) async fn remove<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Administer>,
    Path(OfToken { name }): Path<OfToken>,
) -> Result<Json<TokenRow>, Refused> {
    let _turn = turn(&admin).await?;
    let kept = find(&admin, &name)?;
    write(&admin, TokenChange::Remove(name.clone())).await?;
    admin.guard.tokens.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
    let KeptToken { role, made_at_ms, until_ms, .. } = kept;
    Ok(Json(TokenRow { name, role, made_at_ms, until_ms, before_until_ms: None, used_at_ms: None }))
}

pub(super) async fn audit<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    _: Only<Administer>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<Vec<AuditRow>>, Refused> {
    Ok(Json(admin.store.audit(query).await?))
}

/// The turn to change tokens, which are then as the store has them.
async fn turn<S: Store>(admin: &Admin<S>) -> Result<MutexGuard<'_, ()>, StoreError> {
    let turn = admin.guard.turn.lock().await;
    admin.guard.read_anew(&admin.store).await?;
    Ok(turn)
}

fn find<S>(admin: &Admin<S>, name: &str) -> Result<KeptToken, AccessError> {
    if name == LOCAL {
        return Err(AccessError::Unknown(name.to_owned()));
    }
    admin.guard.tokens.read().unwrap_or_else(PoisonError::into_inner).find(name).cloned()
}

fn fresh<S>(admin: &Admin<S>) -> Result<String, Refused> {
    (admin.random_token)().map_err(|error| {
        tracing::error!("failed to make a token: {error:#}");
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
    })
}

/// On disk first: a token that is told of counts after a restart, too.
async fn put<S: Store>(admin: &Admin<S>, kept: KeptToken) -> Result<(), StoreError> {
    write(admin, TokenChange::Put(kept.clone())).await?;
    admin.guard.tokens.write().unwrap_or_else(PoisonError::into_inner).put(kept);
    Ok(())
}

async fn write<S: Store>(admin: &Admin<S>, change: TokenChange) -> Result<(), StoreError> {
    admin.store.commit(Batch { tokens: vec![change], ..Batch::default() }).await
}
