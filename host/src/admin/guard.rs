//! Stands before every route: who asks, how often, and that whatever changes something is in the audit before it is done.
//! Knows nothing of routes, but that those that only look change nothing.

use super::Admin;
use super::refusal::Refused;
use crate::access::{Caller, KeptToken, LOCAL, Role, Tokens};
use crate::store::group::Told;
use crate::store::keeping::Audit;
use crate::store::{Batch, Store, StoreError};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tidegate_envelope::Digest;
use tokio::sync::watch;

/// Requests without a token that counts, within a second: a tenth of what one with a token may, and at least so many. Who has
/// one is never held up by those who guess.
const STRANGERS_MIN: NonZeroU32 = NonZeroU32::new(20).expect("more than none");

/// How often it is read who may ask where hosts share the work, whether or not anybody told.
const LOOK: Duration = Duration::from_secs(1);

/// Who may ask, and how often.
pub struct Guard {
    pub(super) tokens: RwLock<Tokens>,
    /// Held while tokens are changed, or read anew.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// The host's own token.
    own: KeptToken,
    /// When each token was last used, since the host started.
    used: Mutex<HashMap<String, u64>>,
    callers: DefaultKeyedRateLimiter<String>,
    strangers: DefaultDirectRateLimiter,
}

impl Guard {
    /// Lets these in, and whoever has the host's own token, each so many times within a second.
    #[must_use]
    pub fn new(kept: Vec<KeptToken>, own: &str, per_second: NonZeroU32) -> Self {
        let strangers = STRANGERS_MIN.max(NonZeroU32::new(per_second.get() / 10).unwrap_or(NonZeroU32::MIN));
        let own = KeptToken {
            name: LOCAL.to_owned(),
            role: Role::Admin,
            sha256: Digest::of(own.as_bytes()),
            before: None,
            made_at_ms: 0,
            until_ms: None,
        };
        Self {
            tokens: RwLock::new(with(kept, &own)),
            turn: tokio::sync::Mutex::default(),
            own,
            used: Mutex::default(),
            callers: RateLimiter::keyed(Quota::per_second(per_second)),
            strangers: RateLimiter::direct(Quota::per_second(strangers)),
        }
    }

    /// Whose token this is, at this time.
    #[must_use]
    pub fn caller(&self, given: &[u8], now_ms: u64) -> Option<Caller> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).caller(given, now_ms)
    }

    /// Lets in those that the store has now: another host may have changed them. Whoever calls this has the turn.
    pub(super) async fn read_anew(&self, store: &impl Store) -> Result<(), StoreError> {
        let kept = store.tokens().await?;
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = with(kept, &self.own);
        Ok(())
    }

    /// When each token was last used since the host started, in milliseconds since the Unix epoch.
    pub(super) fn used(&self) -> HashMap<String, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn admit(&self, request: &Request, now_ms: u64) -> Result<Caller, Refused> {
        let given = request.headers().get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let Some(caller) = given.and_then(|given| self.caller(given, now_ms)) else {
            self.strangers
                .check()
                .map_err(|_| Refused::too_many("too many requests without a token that counts"))?;
            let why = "give a token as `Authorization: Bearer`: that of DIR/admin.json on the host's machine, or one that \
                       `tidegate token new` made";
            return Err(Refused::new(StatusCode::UNAUTHORIZED, why));
        };
        let too_often = |_| Refused::too_many("this token asked too often (admin.requests_per_second)");
        self.callers.check_key(&caller.name).map_err(too_often)?;
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(caller.name.clone(), now_ms);
        Ok(caller)
    }
}

fn with(kept: Vec<KeptToken>, own: &KeptToken) -> Tokens {
    let mut tokens = Tokens::new(kept);
    tokens.put(own.clone());
    tokens
}

/// Lets in whom other hosts on the same store let in, and no longer whom they do not, until told to stop. Cancel-safe.
pub async fn follow<S: Store>(guard: Arc<Guard>, store: S, mut stop: watch::Receiver<bool>) {
    let mut told = store.told();
    while !*stop.borrow() {
        // Before it is read: what is told while it is, is read once more.
        let seen = told.borrow_and_update().change;
        let turn = guard.turn.lock().await;
        if let Err(error) = guard.read_anew(&store).await {
            tracing::warn!("failed to read who may ask the admin API, will read it again: {error}");
        }
        drop(turn);
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = changed(&mut told, seen) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Resolves when another host has changed something that holds for all, since so many changes.
async fn changed(told: &mut watch::Receiver<Told>, seen: u64) {
    if told.wait_for(|told| told.change != seen).await.is_err() {
        std::future::pending().await
    }
}

pub(super) async fn guard<S: Store + Clone>(
    State(admin): State<Arc<Admin<S>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match admin.guard.admit(&request, (admin.now_ms)()) {
        Ok(caller) => caller,
        Err(refused) => return refused.into_response(),
    };
    let does =
        (!request.method().is_safe()).then(|| format!("{} {}", request.method(), request.uri().path()));
    if let Some(does) = &does
        && let Err(error) = note(&admin, &caller, json!({ "did": does })).await
    {
        return Refused::from(error).into_response();
    }
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    let status = response.status();
    if let Some(does) = does.filter(|_| status.is_client_error() || status.is_server_error()) {
        // It was not done: that this is not in the audit would be a pity, no more.
        let refused = note(&admin, &caller, json!({ "refused": does, "status": status.as_u16() })).await;
        refused.unwrap_or_else(|error| tracing::warn!("failed to write the audit: {error}"));
    }
    response
}

/// Writes down what this caller does.
pub(super) async fn note<S: Store>(admin: &Admin<S>, caller: &Caller, what: Value) -> Result<(), StoreError> {
    let mut record = json!({ "who": caller.name, "role": caller.role });
    if let (Value::Object(record), Value::Object(what)) = (&mut record, what) {
        record.extend(what);
    }
    let audit = vec![Audit { at_ms: (admin.now_ms)(), record: record.to_string() }];
    admin.store.commit(Batch { audit, ..Batch::default() }).await
}
