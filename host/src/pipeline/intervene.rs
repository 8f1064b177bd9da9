//! Carries out what a person says about what is parked, while the host works: the subjects are taken for as long as their
//! lanes change in the store, so nobody decides about them from what is no longer so. Knows nothing of who the person is.

use super::elsewhere::Fetched;
use super::{Incoming, Pipeline, open};
use crate::plugin::Version;
use crate::queue::DeliveryBody;
use crate::read::{self, Opened};
use crate::store::parked::{Action, Intervention, ParkedDetail, ParkedId, ParkedQuery, ParkedRow};
use crate::store::versions::VersionState;
use crate::store::{Batch, Store, StoreError};
use crate::subject::SubjectKey;
use crate::turn::Turn;
use crate::versions::VersionError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use tidegate_envelope::Envelope;

/// What a person says about some of what is parked.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// About what. One page of it is dealt with in one go.
    pub query: ParkedQuery,
    /// To redrive: how the version begins that is asked, or `same` for the one that was asked before; else whichever
    /// decides then.
    pub version: Option<String>,
    /// To drop: why.
    pub reason: Option<String>,
}

/// What became of one page.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Intervened {
    /// How many it was done to.
    pub done: u64,
    /// To which it could not be done; they are parked still.
    pub failed: Vec<Failed>,
    /// The next page's `after`; absent when this was the last.
    pub next: Option<String>,
}

/// Something that is parked still, though a person wanted otherwise.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// What.
    pub id: ParkedId,
    /// Why.
    pub why: String,
}

impl<S: Store> Pipeline<S> {
    /// Has a page of what is parked tried again, as if it had not been: by the version that is named, or else by the one that
    /// decides now, under the same key. What a plugin parked itself, and what is not first in its lane, waits its turn there.
    ///
    /// Not cancel-safe: run it in a task of its own.
    ///
    /// # Errors
    /// When the store cannot be read, or has stopped.
    pub async fn redrive(self: &Arc<Self>, order: Order) -> Result<Intervened, StoreError> {
        let _turn = self.intervening.lock().await;
        let page = self.store.parked(order.query).await?;
        let mut result = Intervened { next: page.next, ..Intervened::default() };
        let (strays, others): (Vec<_>, Vec<_>) =
            page.rows.into_iter().partition(|row| matches!(row.id, ParkedId::Stray(_)));
        let mut rows = Vec::new();
        for row in others {
            match self.whom_to_ask(&row, order.version.as_deref()).await? {
                Ok(version) => rows.push((row, Action::Redrive { version })),
                Err(why) => result.failed.push(Failed { id: row.id, why }),
            }
        }
        result.done += self.carry_out(rows).await?;
        for ParkedRow { id, .. } in strays {
            match self.read_again(&id).await? {
                Ok(()) => result.done += 1,
                Err(why) => result.failed.push(Failed { id, why }),
            }
        }
        Ok(result)
    }

    /// Takes note that a page of what is parked needs nothing more. It is kept; what waits behind it goes on.
    ///
    /// Not cancel-safe: run it in a task of its own.
    ///
    /// # Errors
    /// As [`Pipeline::redrive`].
    pub async fn drop_parked(self: &Arc<Self>, order: Order) -> Result<Intervened, StoreError> {
        let _turn = self.intervening.lock().await;
        let page = self.store.parked(order.query).await?;
        let action = Action::Drop { reason: order.reason };
        let done = self.carry_out(page.rows.into_iter().map(|row| (row, action.clone())).collect()).await?;
        Ok(Intervened { done, failed: Vec::new(), next: page.next })
    }

    /// Does this to them in one transaction, and says how many they are.
    async fn carry_out(&self, rows: Vec<(ParkedRow, Action)>) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let at_ms = (self.now_ms)();
        let keys: HashSet<_> = rows.iter().filter_map(|(row, _)| subject_key(row)).collect();
        let interventions: Vec<_> =
            rows.into_iter().map(|(row, action)| Intervention { id: row.id, action, at_ms }).collect();
        let done = u64::try_from(interventions.len()).unwrap_or(u64::MAX);
        let taken = self.take(keys).await;
        let submitted = self.store.submit(Batch { interventions, ..Batch::default() }).await?;
        taken.reread_after(submitted.ticket);
        submitted.durable().await?;
        self.recorded.notify_waiters();
        Ok(done)
    }

    /// The version that is to be asked about it, where one is named; or why there is none.
    async fn whom_to_ask(
        &self,
        row: &ParkedRow,
        named: Option<&str>,
    ) -> Result<Result<Option<Version>, String>, StoreError> {
        let (ParkedId::Plan(..), Some(plugin)) = (&row.id, &row.plugin) else { return Ok(Ok(None)) };
        let Some(named) = named else {
            let is_there = self.switchboard.current().standing(plugin).is_some();
            let why = || {
                format!("no version of `{plugin}` is at work: deploy one first, or name one with --version")
            };
            return Ok(is_there.then_some(None).ok_or_else(why));
        };
        if named == "same" {
            return Ok(row.version.clone().map(Some).ok_or_else(|| "nobody was asked before".to_owned()));
        }
        match self.versions.find(plugin, named).await {
            Ok(kept) if kept.state == VersionState::Usable => Ok(Ok(Some(kept.version))),
            Ok(kept) => {
                Ok(Err(format!("version {} of `{plugin}` was taken out of work", kept.version.short())))
            }
            Err(VersionError::Store(error)) => Err(error),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Reads a stray as if it had just been delivered. When it is an event now, that is recorded and the stray goes, in one
    /// transaction; else it says why not.
    async fn read_again(self: &Arc<Self>, id: &ParkedId) -> Result<Result<(), String>, StoreError> {
        let Some(ParkedDetail { body: Some(text), .. }) = self.store.parked_detail(id.clone()).await? else {
            return Ok(Err("it is gone".to_owned()));
        };
        let (event, fetched) = match open(DeliveryBody::Text(text)) {
            Err((_, why)) => return Ok(Err(format!("it is still no event: {why}"))),
            Ok((Opened::Event(event), _)) => (Some(event), None),
            Ok((Opened::Elsewhere(envelope), _)) => {
                let (source, receipt) = (envelope.source.clone(), envelope.receipt);
                match self.fetch_again(envelope).await? {
                    Ok(event) => (event, Some((source, receipt))),
                    Err(why) => return Ok(Err(why)),
                }
            }
        };
        let pulled_at_ms = (self.now_ms)();
        let incoming =
            event.map(|event| Incoming { event, queued_at_ms: pulled_at_ms, pulled_at_ms, came: None });
        let intervention =
            Intervention { id: id.clone(), action: Action::Redrive { version: None }, at_ms: pulled_at_ms };
        self.record(incoming.into_iter().collect(), Vec::new(), vec![intervention], Turn::alone()).await?;
        if let (Some(edge), Some((source, receipt))) = (&self.edge, fetched)
            && let Err(error) = edge.drop_body(&source, receipt).await
        {
            tracing::warn!(%receipt, "failed to have the vault forget a body, it will by itself: {error:#}");
        }
        Ok(Ok(()))
    }

    /// The event whose body is in the vault; none when it is recorded already.
    async fn fetch_again(
        &self,
        envelope: Envelope,
    ) -> Result<Result<Option<crate::event::Event>, String>, StoreError> {
        Ok(match self.fetch(&envelope).await {
            Fetched::Body(body) => Ok(Some(read::read_fetched(envelope, body))),
            Fetched::Gone if self.store.event(envelope.receipt).await?.is_some() => Ok(None),
            Fetched::Gone => Err("the vault no longer has its body".to_owned()),
            Fetched::Later(error) => Err(format!("its body could not be fetched: {error:#}")),
        })
    }
}

/// Whose lane changes with it.
fn subject_key(row: &ParkedRow) -> Option<SubjectKey> {
    let (ParkedId::Plan(..), Some(source), Some(subject)) = (&row.id, &row.source, &row.subject) else {
        return None;
    };
    Some(SubjectKey { source: source.clone(), subject: subject.as_str().into() })
}
