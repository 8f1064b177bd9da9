//! The store on one SQLite file. One thread owns the connection that writes and makes one transaction of
//! all that waits; reads go past it on a connection of their own (WAL). Knows nothing of plugins or queues.

mod access;
mod erase;
mod flow;
pub mod inspect;
mod intervene;
mod lane;
mod listing;
mod look;
mod outbox;
mod parked;
mod past;
mod payload;
mod queries;
mod remove;
mod rows;
mod schema;
pub mod seal;
mod subjects;
mod tally;
mod versions;
mod watched;
mod write;
mod writer;

use super::access::{AuditQuery, AuditRow};
use super::flow::{EffectQuery, EffectsPage, Flow};
use super::keeping::{Keeping, Look, Looked, Pages, Payload, Place, Stored, Table};
use super::listing::{self as listed, EventQuery, EventsPage};
use super::outbox::WaitingTarget;
use super::parked::{ParkedDetail, ParkedId, ParkedPage, ParkedQuery};
use super::past::{PastPage, PastQuery};
use super::stats::Stats;
use super::versions::{DriftRow, KeptVersion, VersionQuery};
use super::watched::{AlertRow, DueAlert, LastVigil};
use super::{
    Batch, DueAsk, DueEffect, DueUpcoming, EffectSeq, EventRow, EventSeq, Store, StoreError, Submitted,
};
use crate::access::KeptToken;
use crate::alert::Gap;
use crate::deployment::Deployment;
use crate::plugin::{PluginName, Version};
use crate::subject::{SubjectKey, SubjectState};
use crate::target::{Pause, Target};
use anyhow::Context as _;
use rusqlite::Connection;
use seal::StoreKeys;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidegate_envelope::{Digest, Receipt, SourceName};
use writer::Writer;

pub use writer::Disk;

/// Batches that may wait for the writer before `commit` itself waits.
const BATCHES_WAITING_MAX: usize = 64;

/// The store on one SQLite file. Cheap to clone.
#[derive(Clone)]
pub struct SqlStore(Arc<Inner>);

struct Inner {
    writer: Writer,
    reader: Arc<Mutex<Connection>>,
    /// What people ask may take long: it keeps nobody from deciding and performing.
    people: Arc<Mutex<Connection>>,
    /// Set for a store in memory: how long a read takes.
    pause: Option<fn() -> Duration>,
    /// The file; none for a store in memory.
    path: Option<PathBuf>,
    keys: StoreKeys,
    /// Held as long as the store: two hosts on one file would each decide every event.
    _lock: Option<File>,
}

impl SqlStore {
    /// Opens or makes `store.sqlite` in this directory, not encrypted.
    ///
    /// # Errors
    /// As [`SqlStore::open_with`].
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        Self::open_with(dir, &StoreKeys::default())
    }

    /// Opens or makes `store.sqlite` in this directory, encrypted with these keys.
    ///
    /// # Errors
    /// When another host has it open, a key is missing that it is encrypted with, it was written by a newer Tidegate, or the
    /// disk refuses.
    pub fn open_with(dir: &Path, keys: &StoreKeys) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("make the directory {}", dir.display()))?;
        let lock = File::create(dir.join("store.lock")).context("make the store's lock file")?;
        if lock.try_lock().is_err() {
            anyhow::bail!(
                "another tidegate has {} open: stop it, or name another directory with --data",
                dir.display()
            );
        }
        let path = dir.join("store.sqlite");
        let mut connection = schema::connect(&path, keys)?;
        schema::migrate(&mut connection).with_context(|| format!("open {}", path.display()))?;
        keys.check(&connection).with_context(|| format!("open {}", path.display()))?;
        Ok(Self(Arc::new(Inner {
            writer: Writer::start(connection, keys.clone(), BATCHES_WAITING_MAX)?,
            reader: Arc::new(Mutex::new(schema::connect(&path, keys)?)),
            people: Arc::new(Mutex::new(schema::connect(&path, keys)?)),
            pause: None,
            path: Some(path),
            keys: keys.clone(),
            _lock: Some(lock),
        })))
    }

    /// A store in memory that starts no thread, for simulated runs: the same tables and the same statements, written when
    /// [`Disk`] says so and read on the thread that asks. Stores of the same name in this process share what is written, for
    /// as long as there is one. `pause` is asked how long each read takes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn in_memory(name: &str, pause: fn() -> Duration) -> anyhow::Result<(Self, Disk)> {
        let uri = format!("file:/{name}?vfs=memdb");
        let keys = StoreKeys::default();
        let mut connection = schema::connect(Path::new(&uri), &keys)?;
        schema::migrate(&mut connection)?;
        let reader = schema::connect(Path::new(&uri), &keys)?;
        let (writer, disk) = Writer::in_steps(connection, BATCHES_WAITING_MAX);
        let reader = Arc::new(Mutex::new(reader));
        let people = Arc::clone(&reader);
        let store = Inner { writer, reader, people, pause: Some(pause), path: None, keys, _lock: None };
        Ok((Self(Arc::new(store)), disk))
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        on(&self.0.reader, self.0.pause, query).await
    }

    /// As [`Self::read`], for what people ask.
    async fn show<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        on(&self.0.people, self.0.pause, query).await
    }
}

async fn on<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    pause: Option<fn() -> Duration>,
    query: impl FnOnce(&Connection) -> anyhow::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let connection = Arc::clone(connection);
    let query = move || query(&connection.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(pause) = pause {
        tokio::time::sleep(pause()).await;
        return Ok(query()?);
    }
    Ok(tokio::task::spawn_blocking(query).await.context("read the store")??)
}

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
        self.read(move |db| keys.iter().map(|key| subjects::read(db, key)).collect()).await
    }

    async fn known(&self, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, StoreError> {
        self.read(move |db| subjects::known(db, &receipts)).await
    }

    async fn upcoming_due(&self, now_ms: u64, rows_max: usize) -> Result<Vec<DueUpcoming>, StoreError> {
        self.read(move |db| queries::upcoming_due(db, now_ms, rows_max)).await
    }

    async fn next_upcoming_at_ms(&self, now_ms: u64) -> Result<Option<u64>, StoreError> {
        self.read(move |db| queries::next_upcoming_at_ms(db, now_ms)).await
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

    async fn asks_due(&self, now_ms: u64, rows_max: usize) -> Result<Vec<DueAsk>, StoreError> {
        self.read(move |db| queries::asks_due(db, now_ms, rows_max)).await
    }

    async fn next_ask_at_ms(&self, now_ms: u64) -> Result<Option<u64>, StoreError> {
        self.read(move |db| queries::next_ask_at_ms(db, now_ms)).await
    }

    async fn recent(&self, events_max: usize) -> Result<Vec<(SourceName, Digest, Receipt)>, StoreError> {
        self.read(move |db| queries::recent(db, events_max)).await
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
        self.show(move |db| parked::detail(db, id)).await
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
        let Some(path) = self.0.path.clone() else { return Ok(Vec::new()) };
        let keys = self.0.keys.clone();
        let task = tokio::task::spawn_blocking(move || look::look(&path, &keys, &look, anew));
        Ok(task.await.context("look through the store")??)
    }

    async fn pages(&self) -> Result<Pages, StoreError> {
        self.show(remove::pages).await
    }
}
