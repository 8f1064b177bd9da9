//! Carries out what a person says about what is parked, while the host works: the subjects are taken for as long as their
//! lanes change in the store, so nobody decides about them from what is no longer so. Knows nothing of who the person is.

use super::elsewhere::Fetched;
use super::{Incoming, Origin, Pipeline, open};
use crate::holding::Held;
use crate::partition::{Partition, Partitions};
use crate::plugin::Version;
use crate::queue::DeliveryBody;
use crate::read::{self, Opened};
use crate::store::group::{Errand, ErrandSeq, NewErrand};
use crate::store::parked::{Action, Intervention, ParkedDetail, ParkedId, ParkedQuery, ParkedRow};
use crate::store::versions::VersionState;
use crate::store::{Batch, Store, StoreError};
use crate::subject::{SubjectKey, SubjectSet};
use crate::turn::Turn;
use crate::versions::VersionError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tidegate_envelope::{Envelope, SourceName};
use tokio::sync::RwLockReadGuard;
use tokio::time::Instant;

/// How long a person waits for what another host does, and how often that is looked for.
const OTHERS_MAX: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

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

    /// Does this to them in one transaction, and says how many they are. What is another host's to do is done when this returns,
    /// or a moment later.
    async fn carry_out(&self, rows: Vec<(ParkedRow, Action)>) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let at_ms = (self.now_ms)();
        let done = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let held = self.holding.held().await;
        let (mut keys, mut batch) = (SubjectSet::default(), Batch::default());
        for (row, action) in rows {
            let key = subject_key(&row);
            let intervention = Intervention { id: row.id, action, at_ms };
            match key.as_ref().map(|key| Partition::of_subject(&key.subject)) {
                Some(partition) if !held.partitions.contains(partition) => {
                    batch.errands.push(NewErrand { partition, errand: Errand::Intervene(intervention) });
                }
                _ => {
                    keys.extend(key);
                    batch.interventions.push(intervention);
                }
            }
        }
        let theirs = batch.errands.iter().map(|new| new.partition).collect();
        self.hand_over(held, keys, batch).await?;
        self.await_others(theirs).await?;
        Ok(done)
    }

    /// Hands over what changes lanes of these subjects: whoever takes one next reads it anew. Durable when this returns.
    async fn hand_over(
        &self,
        held: RwLockReadGuard<'_, Held>,
        keys: SubjectSet,
        batch: Batch,
    ) -> Result<(), StoreError> {
        let taken = self.take(keys).await;
        let submitted = self.store.submit(batch).await?;
        taken.reread_after(submitted.ticket);
        drop(held);
        submitted.durable().await?;
        self.recorded.notify_waiters();
        Ok(())
    }

    /// Waits until nobody has to do anything in these partitions that a person wants done, though not for ever.
    pub(super) async fn await_others(&self, within: Partitions) -> Result<(), StoreError> {
        let until = Instant::now() + OTHERS_MAX;
        while !within.is_empty()
            && Instant::now() < until
            && !self.store.errands(within, false, 1).await?.is_empty()
        {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Does what a person told another host, and this one is to do: what is its own. The rest is left to whose it is.
    ///
    /// # Errors
    /// When the store cannot be read, or has stopped.
    pub async fn intervene(&self, errands: Vec<(ErrandSeq, Intervention)>) -> Result<(), StoreError> {
        let _turn = self.intervening.lock().await;
        let held = self.holding.held().await;
        let (mut keys, mut batch) = (SubjectSet::default(), Batch::default());
        for (seq, intervention) in errands {
            let detail = self.store.parked_detail(intervention.id.clone()).await?;
            let event = detail.as_ref().and_then(|detail| detail.event.as_ref());
            let key = event.and_then(|event| lane_of(&intervention.id, &event.source, &event.subject));
            let partition = key.as_ref().map(|key| Partition::of_subject(&key.subject));
            if partition.is_some_and(|partition| !held.partitions.contains(partition)) {
                continue;
            }
            keys.extend(key);
            batch.interventions.push(intervention);
            batch.errands_done.push(seq);
        }
        self.hand_over(held, keys, batch).await
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
        let (event, fetched) = match open::one(DeliveryBody::Text(text.clone())) {
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
        let incoming = event.map(|event| Incoming {
            event,
            queued_at_ms: pulled_at_ms,
            pulled_at_ms,
            origin: Origin::Text(text),
        });
        let intervention =
            Intervention { id: id.clone(), action: Action::Redrive { version: None }, at_ms: pulled_at_ms };
        let incoming = incoming.into_iter().collect();
        let is_own = self.record(incoming, Vec::new(), vec![intervention], Turn::alone()).await?;
        if let (true, Some(edge), Some((source, receipt))) = (is_own, &self.edge, fetched)
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
    lane_of(&row.id, row.source.as_ref()?, row.subject.as_ref()?)
}

fn lane_of(id: &ParkedId, source: &SourceName, subject: &str) -> Option<SubjectKey> {
    let has_lane = matches!(id, ParkedId::Plan(..)) && !subject.is_empty();
    has_lane.then(|| SubjectKey { source: source.clone(), subject: subject.into() })
}
