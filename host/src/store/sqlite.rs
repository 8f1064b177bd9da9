//! The store on one SQLite file. One thread owns the connection that writes and makes one transaction of
//! all that waits; reads go past it on a connection of their own (WAL). Knows nothing of plugins or queues.

mod queries;
mod rows;
mod schema;
mod watched;
mod writer;

use super::watched::{AlertRow, DueAlert, LastVigil};
use super::{Batch, Deployment, DueAsk, DueEffect, EventRow, EventSeq, Page, ParkedRow, Store, StoreError};
use crate::alert::Gap;
use anyhow::Context as _;
use rusqlite::Connection;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tidegate_envelope::{Digest, Receipt, SourceName};
use writer::Writer;

/// Batches that may wait for the writer before `commit` itself waits.
const BATCHES_WAITING_MAX: usize = 64;

/// The store on one SQLite file. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    writer: Writer,
    reader: Arc<Mutex<Connection>>,
    /// Held as long as the store: two hosts on one file would each decide every event.
    _lock: File,
}

impl SqliteStore {
    /// Opens or makes `store.sqlite` in this directory.
    ///
    /// # Errors
    /// When another host has it open, it was written by a newer Tidegate, or the disk refuses.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("make the directory {}", dir.display()))?;
        let lock = File::create(dir.join("store.lock")).context("make the store's lock file")?;
        if lock.try_lock().is_err() {
            anyhow::bail!(
                "another tidegate has {} open: stop it, or name another directory with --data",
                dir.display()
            );
        }
        let path = dir.join("store.sqlite");
        let mut connection = schema::connect(&path)?;
        schema::migrate(&mut connection).with_context(|| format!("open {}", path.display()))?;
        Ok(Self(Arc::new(Inner {
            writer: Writer::start(connection, BATCHES_WAITING_MAX)?,
            reader: Arc::new(Mutex::new(schema::connect(&path)?)),
            _lock: lock,
        })))
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reader = Arc::clone(&self.0.reader);
        let task = tokio::task::spawn_blocking(move || {
            query(&reader.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Ok(task.await.context("read the store")??)
    }
}

impl Store for SqliteStore {
    async fn commit(&self, batch: impl Into<Arc<Batch>> + Send) -> Result<(), StoreError> {
        self.0.writer.commit(batch.into()).await
    }

    async fn effects_due(&self, now_ms: u64, rows_max: usize) -> Result<Vec<DueEffect>, StoreError> {
        self.read(move |db| queries::effects_due(db, now_ms, rows_max)).await
    }

    async fn asks_due(&self, now_ms: u64, rows_max: usize) -> Result<Vec<DueAsk>, StoreError> {
        self.read(move |db| queries::asks_due(db, now_ms, rows_max)).await
    }

    async fn next_effect_at_ms(&self, now_ms: u64) -> Result<Option<u64>, StoreError> {
        self.read(move |db| queries::next_effect_at_ms(db, now_ms)).await
    }

    async fn next_ask_at_ms(&self, now_ms: u64) -> Result<Option<u64>, StoreError> {
        self.read(move |db| queries::next_ask_at_ms(db, now_ms)).await
    }

    async fn recent(&self, events_max: usize) -> Result<Vec<(SourceName, Digest, Receipt)>, StoreError> {
        self.read(move |db| queries::recent(db, events_max)).await
    }

    async fn active(&self) -> Result<Vec<Deployment>, StoreError> {
        self.read(queries::active).await
    }

    async fn events(&self, page: Page) -> Result<(Vec<EventRow>, Option<EventSeq>), StoreError> {
        self.read(move |db| rows::events(db, page)).await
    }

    async fn event(&self, receipt: Receipt) -> Result<Option<EventRow>, StoreError> {
        self.read(move |db| rows::event(db, receipt)).await
    }

    async fn parked(&self, rows_max: usize) -> Result<Vec<ParkedRow>, StoreError> {
        self.read(move |db| rows::parked(db, rows_max)).await
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
