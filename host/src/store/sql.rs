//! The store on a database that speaks SQL: SQLite's, in a file, or PostgreSQL. One thread owns the connection that writes
//! and makes one transaction of all that waits; reads go past it on connections of their own. Knows nothing of plugins or
//! queues.

mod access;
mod cell;
pub mod copy;
pub(super) mod database;
mod erase;
mod flow;
mod gathered;
mod intervene;
mod lane;
mod listing;
mod outbox;
mod parked;
mod past;
mod payload;
mod queries;
mod remove;
mod rows;
mod state;
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
use super::seal::StoreKeys;
use super::stats::Stats;
use super::versions::{DriftRow, KeptVersion, VersionQuery};
use super::watched::{AlertRow, DueAlert, LastVigil};
use super::{
    Batch, DueAsk, DueEffect, DueUpcoming, EffectSeq, EventRow, EventSeq, Store, StoreError, Submitted,
    postgres, sqlite,
};
use crate::access::KeptToken;
use crate::alert::Gap;
use crate::deployment::Deployment;
use crate::plugin::{PluginName, Version};
use crate::subject::{SubjectKey, SubjectState};
use crate::target::{Pause, Target};
use anyhow::Context as _;
use database::{Connection, Database};
use std::any::Any;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidegate_envelope::{Digest, Receipt, SourceName};
use writer::Writer;

pub use writer::Disk;

/// Batches that may wait for the writer before `commit` itself waits.
const BATCHES_WAITING_MAX: usize = 64;

/// The store on a database. Cheap to clone.
#[derive(Clone)]
pub struct SqlStore(Arc<Inner>);

struct Inner {
    writer: Writer,
    reader: Reader,
    /// What people ask may take long: it keeps nobody from deciding and performing.
    people: Reader,
    /// Set for a store in memory: how long a read takes.
    pause: Option<fn() -> Duration>,
    look: Arc<LookThrough>,
    _lock: Option<Box<dyn Any + Send + Sync>>,
}

type Reader = Arc<Mutex<Box<dyn Connection>>>;

/// Looks through all that is kept, as [`Keeping::look`] does. Blocks.
type LookThrough = dyn Fn(&Look, bool) -> anyhow::Result<Vec<Looked>> + Send + Sync;

/// What a host does that finds another at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// It says so.
    Refuse,
    /// It waits until the other is gone, and takes over.
    Await,
}

/// What an adapter opens.
pub(super) struct Opened {
    /// The connections that write, that read for the host, and for people.
    pub(super) connections: [Box<dyn Connection>; 3],
    /// Looks through all that is kept.
    pub(super) look: Arc<LookThrough>,
    /// Held as long as the store: two hosts on one store would each decide every event.
    pub(super) lock: Option<Box<dyn Any + Send + Sync>>,
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
        Self::start(sqlite::open(dir, keys)?)
    }

    /// Opens or makes the tables in this PostgreSQL database, `postgres://USER@HOST:PORT/DATABASE`, with this password; one that
    /// another host works on as `others` says. Blocks.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, another host works on the database, a key is missing that it is
    /// encrypted with, or it was written by a newer Tidegate.
    pub fn connect(
        url: &str,
        password: Option<&str>,
        keys: &StoreKeys,
        others: Others,
    ) -> anyhow::Result<Self> {
        let store = Self::start(postgres::open(url, password, keys, others)?)?;
        let held = Arc::downgrade(&store.0);
        let beating = std::thread::Builder::new().name("store-heart".into());
        let beat = move || {
            std::thread::park_timeout(postgres::HEARTBEAT);
            held.upgrade().is_some_and(|inner| inner.writer.touch())
        };
        beating.spawn(move || while beat() {}).context("start what tells the database of this host")?;
        Ok(store)
    }

    /// Resolves when this store writes nothing any more: another host has taken the database over. Cancel-safe.
    pub async fn ended(&self) {
        self.0.writer.ended().await;
    }

    fn start(opened: Opened) -> anyhow::Result<Self> {
        let [writer, reader, people] = opened.connections;
        Ok(Self(Arc::new(Inner {
            writer: Writer::start(writer, BATCHES_WAITING_MAX)?,
            reader: Arc::new(Mutex::new(reader)),
            people: Arc::new(Mutex::new(people)),
            pause: None,
            look: opened.look,
            _lock: opened.lock,
        })))
    }

    /// A store in memory that starts no thread, for simulated runs: the tables and statements of SQLite, written when
    /// [`Disk`] says so and read on the thread that asks. Stores of the same name in this process share what is written, for
    /// as long as there is one. `pause` is asked how long each read takes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn in_memory(name: &str, pause: fn() -> Duration) -> anyhow::Result<(Self, Disk)> {
        let (writes, reads) = sqlite::in_memory(name)?;
        let (writer, disk) = Writer::in_steps(writes, BATCHES_WAITING_MAX);
        let reader = Arc::new(Mutex::new(reads));
        let people = Arc::clone(&reader);
        let look: Arc<LookThrough> = Arc::new(|_, _| Ok(Vec::new()));
        Ok((Self(Arc::new(Inner { writer, reader, people, pause: Some(pause), look, _lock: None })), disk))
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnMut(&dyn Database) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        on(&self.0.reader, self.0.pause, query).await
    }

    /// As [`Self::read`], for what people ask.
    async fn show<T: Send + 'static>(
        &self,
        query: impl FnMut(&dyn Database) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        on(&self.0.people, self.0.pause, query).await
    }
}

async fn on<T: Send + 'static>(
    reader: &Reader,
    pause: Option<fn() -> Duration>,
    mut query: impl FnMut(&dyn Database) -> anyhow::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let reader = Arc::clone(reader);
    let mut query = move || {
        let mut found = None;
        let mut connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
        connection.read(&mut |db| {
            found = Some(query(db)?);
            Ok(())
        })?;
        found.context("read nothing")
    };
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
        self.read(move |db| subjects::read(db, &keys)).await
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
