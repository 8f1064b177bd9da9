//! What may be asked of a store, each by the statements that it takes.

use super::{
    SqlStore, access, flow, group, listing, outbox, parked, past, payload, queries, remove, rows, subjects,
    tally, versions, watched,
};
use crate::access::KeptToken;
use crate::account::AccountRow;
use crate::alert::Gap;
use crate::deployment::Deployment;
use crate::partition::Partitions;
use crate::plugin::{PluginName, Version};
use crate::store::access::{AuditQuery, AuditRow};
use crate::store::flow::{EffectQuery, EffectsPage, Flow};
use crate::store::group::{Behind, Change, Errand, ErrandSeq, Group, KnownHost, Members, Told};
use crate::store::keeping::{Keeping, Look, Looked, Pages, Payload, Place, Stored, Table};
use crate::store::listing::{self as listed, EventQuery, EventsPage};
use crate::store::outbox::WaitingTarget;
use crate::store::parked::{ParkedDetail, ParkedId, ParkedPage, ParkedQuery};
use crate::store::past::{PastPage, PastQuery};
use crate::store::stats::Stats;
use crate::store::versions::{DriftRow, KeptVersion, VersionQuery};
use crate::store::watched::{AlertRow, DueAlert, LastVigil};
use crate::store::{
    Batch, DueAsk, DueEffect, DueUpcoming, EffectSeq, EventRow, EventSeq, Store, StoreError, Submitted,
};
use crate::subject::{SubjectKey, SubjectState};
use crate::target::{Pause, Target};
use anyhow::Context as _;
use std::sync::Arc;
use tidegate_envelope::{Digest, Receipt, SourceName};
use tokio::sync::watch;
impl Store for SqlStore {
    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.writer.commit(batch).await
    }

    async fn submit(&self, batch: Batch) -> Result<Submitted, StoreError> {
        self.0.writer.submit(batch).await
    }

    fn durable(&self) -> u64 {
        self.0.writer.durable()
    }

    async fn subjects(&self, keys: Vec<SubjectKey>) -> Result<Vec<SubjectState>, StoreError> {
        self.read(move |db| subjects::read(db, &keys)).await
    }

    async fn known(&self, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, StoreError> {
        self.read(move |db| subjects::known(db, &receipts)).await
    }

    async fn upcoming_due(
        &self,
        now_ms: u64,
        rows_max: usize,
        within: Partitions,
    ) -> Result<Vec<DueUpcoming>, StoreError> {
        self.read(move |db| queries::upcoming_due(db, now_ms, rows_max, within)).await
    }

    async fn targets_waiting(&self, now_ms: u64, each_max: usize) -> Result<Vec<WaitingTarget>, StoreError> {
        self.read(move |db| outbox::targets_waiting(db, now_ms, each_max)).await
    }

    async fn effects(&self, seqs: Vec<EffectSeq>) -> Result<Vec<DueEffect>, StoreError> {
        self.read(move |db| outbox::effects(db, &seqs)).await
    }

    async fn pauses(&self) -> Result<Vec<(Target, Pause)>, StoreError> {
        self.read(outbox::pauses).await
    }

    async fn asks_due(
        &self,
        now_ms: u64,
        each_max: usize,
        within: Partitions,
    ) -> Result<Vec<DueAsk>, StoreError> {
        self.read(move |db| queries::asks_due(db, now_ms, each_max, within)).await
    }

    async fn next_due_at_ms(&self, now_ms: u64, within: Partitions) -> Result<Option<u64>, StoreError> {
        self.read(move |db| queries::next_due_at_ms(db, now_ms, within)).await
    }

    async fn recent(
        &self,
        events_max: usize,
        within: Partitions,
    ) -> Result<Vec<(SourceName, Digest, Receipt)>, StoreError> {
        self.read(move |db| queries::recent(db, events_max, within)).await
    }

    async fn deployments(&self) -> Result<Vec<Deployment>, StoreError> {
        self.read(versions::deployments).await
    }

    async fn history(&self, plugin: PluginName, rows_max: usize) -> Result<Vec<Deployment>, StoreError> {
        self.read(move |db| versions::history(db, &plugin, rows_max)).await
    }

    async fn versions(&self, query: VersionQuery) -> Result<Vec<KeptVersion>, StoreError> {
        self.read(move |db| versions::list(db, &query)).await
    }

    async fn kept_versions(&self, versions: Vec<Version>) -> Result<Vec<KeptVersion>, StoreError> {
        self.read(move |db| versions::kept(db, &versions)).await
    }

    async fn drifts(&self, plugin: PluginName, rows_max: usize) -> Result<Vec<DriftRow>, StoreError> {
        self.show(move |db| versions::drifts(db, &plugin, rows_max)).await
    }

    async fn component(&self, version: Version) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |db| versions::component(db, &version)).await
    }

    async fn events(&self, query: EventQuery) -> Result<EventsPage, StoreError> {
        self.show(move |db| listing::events(db, &query)).await
    }

    async fn past(&self, query: PastQuery) -> Result<PastPage, StoreError> {
        self.show(move |db| past::page(db, &query)).await
    }

    async fn event(&self, receipt: Receipt) -> Result<Option<EventRow>, StoreError> {
        self.show(move |db| rows::event(db, receipt)).await
    }

    async fn payload(&self, receipt: Receipt) -> Result<Option<listed::Payload>, StoreError> {
        self.show(move |db| rows::payload(db, receipt)).await
    }

    async fn parked(&self, query: ParkedQuery) -> Result<ParkedPage, StoreError> {
        self.show(move |db| parked::page(db, &query)).await
    }

    async fn parked_detail(&self, id: ParkedId) -> Result<Option<ParkedDetail>, StoreError> {
        self.show(move |db| parked::detail(db, &id)).await
    }

    async fn effects_listed(&self, query: EffectQuery) -> Result<EffectsPage, StoreError> {
        self.show(move |db| flow::effects(db, &query)).await
    }

    async fn flow(&self, after: i64, rows_max: usize) -> Result<Flow, StoreError> {
        self.show(move |db| flow::flow(db, after, rows_max)).await
    }

    async fn oldest_waiting_ms(&self) -> Result<Option<u64>, StoreError> {
        self.show(flow::oldest_waiting_ms).await
    }

    async fn tokens(&self) -> Result<Vec<KeptToken>, StoreError> {
        self.read(access::tokens).await
    }

    async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        self.show(move |db| access::audit(db, &query)).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.show(tally::stats).await
    }

    async fn last_vigil(&self) -> Result<LastVigil, StoreError> {
        self.read(watched::last_vigil).await
    }

    async fn alerts_due(&self, now_ms: u64, rows_max: usize) -> Result<Vec<DueAlert>, StoreError> {
        self.read(move |db| watched::alerts_due(db, now_ms, rows_max)).await
    }

    async fn next_alert_at_ms(&self, now_ms: u64) -> Result<Option<u64>, StoreError> {
        self.read(move |db| watched::next_alert_at_ms(db, now_ms)).await
    }

    async fn alerts(&self, rows_max: usize) -> Result<Vec<AlertRow>, StoreError> {
        self.read(move |db| watched::alerts(db, rows_max)).await
    }

    async fn gaps(&self, rows_max: usize) -> Result<Vec<Gap>, StoreError> {
        self.read(move |db| watched::gaps(db, rows_max)).await
    }
}

impl Group for SqlStore {
    fn own(&self) -> Option<i64> {
        self.0.own
    }

    async fn hosts(&self, since_ms: u64) -> Result<Vec<KnownHost>, StoreError> {
        let is_shared = self.0.own.is_some();
        self.show(move |db| if is_shared { db.hosts(since_ms) } else { Ok(Vec::new()) }).await
    }

    async fn behind(&self) -> Result<Vec<Behind>, StoreError> {
        self.show(group::behind).await
    }

    async fn sources(&self) -> Result<Option<String>, StoreError> {
        self.show(group::sources).await
    }

    async fn accounts(&self) -> Result<Vec<Vec<AccountRow>>, StoreError> {
        match self.0.own {
            Some(own) => self.read(move |db| group::accounts(db, own)).await,
            None => Ok(Vec::new()),
        }
    }

    async fn members(&self) -> Result<Members, StoreError> {
        let own = self.0.own;
        self.read(move |db| group::members(db, own)).await
    }

    async fn hold(&self, change: Change) -> Result<Partitions, StoreError> {
        self.0.writer.hold(change).await
    }

    fn told(&self) -> watch::Receiver<Told> {
        (self.0.listen)()
    }

    async fn errands(
        &self,
        within: Partitions,
        deliveries: bool,
        rows_max: usize,
    ) -> Result<Vec<(ErrandSeq, Errand)>, StoreError> {
        self.read(move |db| group::errands(db, within, deliveries, rows_max)).await
    }
}

impl Keeping for SqlStore {
    async fn sizes(&self, after: Option<EventSeq>, rows_max: usize) -> Result<Vec<Stored>, StoreError> {
        self.show(move |db| remove::sizes(db, after, rows_max)).await
    }

    async fn removable(&self, seqs: Vec<EventSeq>) -> Result<Vec<EventSeq>, StoreError> {
        self.show(move |db| remove::removable(db, &seqs)).await
    }

    async fn payloads(
        &self,
        table: Table,
        after: Option<Place>,
        rows_max: usize,
    ) -> Result<Vec<Payload>, StoreError> {
        self.show(move |db| payload::read(db, table, after.as_ref(), rows_max)).await
    }

    async fn look(&self, look: Look, anew: bool) -> Result<Vec<Looked>, StoreError> {
        let through = Arc::clone(&self.0.look);
        let task = tokio::task::spawn_blocking(move || through(&look, anew));
        Ok(task.await.context("look through the store")??)
    }

    async fn pages(&self) -> Result<Pages, StoreError> {
        self.show(|db| db.pages()).await
    }
}
