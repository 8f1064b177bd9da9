//! The queues of one database, held in memory by the writer. Knows nothing of messages but their number.

use crate::fault::QueueError;
use crate::id::{ConsumerId, QueueId};
use crate::message::Metrics;
use crate::record::{Consumer, ConsumerSpec, QueueRecord};
use crate::schema::SEQ_BITS;
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::{BTreeMap, HashMap};
use tokio::sync::watch;

/// When the next message of a queue may be pulled, in milliseconds since 1970; `None` when none will be.
pub(crate) type ReadyAt = Option<i64>;

/// One queue.
pub(crate) struct Entry {
    pub(crate) number: i64,
    pub(crate) record: QueueRecord,
    pub(crate) tally: Tally,
    /// Key and time of the oldest message, while known.
    oldest: Option<(i64, i64)>,
    pub(crate) ready: watch::Sender<ReadyAt>,
    /// Whether this transaction changed it.
    pub(crate) touched: bool,
}

/// What is counted as messages come and go, so that nobody counts rows.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) seq_next: i64,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl Entry {
    pub(crate) fn new(number: i64, record: QueueRecord, tally: Tally) -> Self {
        Self { number, record, tally, oldest: None, ready: watch::Sender::new(None), touched: false }
    }

    /// Keys of this queue's messages: the first possible and the last.
    pub(crate) fn keys(&self) -> (i64, i64) {
        (self.number << SEQ_BITS, (self.number << SEQ_BITS) | ((1 << SEQ_BITS) - 1))
    }

    pub(crate) fn key(&self, seq: i64) -> i64 {
        (self.number << SEQ_BITS) | seq
    }

    /// The counter part of a key, if the key is of this queue.
    pub(crate) fn seq(&self, key: i64) -> Option<i64> {
        (key >> SEQ_BITS == self.number).then_some(key & ((1 << SEQ_BITS) - 1))
    }

    pub(crate) fn added(&mut self, bytes: u64) {
        self.tally.count += 1;
        self.tally.bytes += bytes;
    }

    /// Messages up to the key `last` are gone: so many, with so many bytes.
    pub(crate) fn removed(&mut self, last: i64, count: u64, bytes: u64) {
        self.tally.count = self.tally.count.saturating_sub(count);
        self.tally.bytes = self.tally.bytes.saturating_sub(bytes);
        self.oldest = self.oldest.filter(|(key, _)| *key > last);
    }

    pub(crate) fn emptied(&mut self) {
        self.tally.count = 0;
        self.tally.bytes = 0;
        self.oldest = None;
    }

    pub(crate) fn metrics(&mut self, db: &Connection) -> Result<Metrics, QueueError> {
        if self.tally.count == 0 {
            return Ok(Metrics::default());
        }
        if self.oldest.is_none() {
            self.oldest = db
                .prepare_cached(
                    "SELECT key, coalesce(origin_ms, stored_ms) FROM message
                     WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 1",
                )?
                .query_row(self.keys(), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
        }
        Ok(Metrics {
            backlog_count: self.tally.count,
            backlog_bytes: self.tally.bytes,
            oldest_message_timestamp_ms: self.oldest.map_or(0, |(_, at)| at.cast_unsigned()),
        })
    }
}

impl Entry {
    /// Finds out when the next message may be pulled.
    pub(crate) fn ready_at(&self, db: &Connection) -> Result<ReadyAt, QueueError> {
        if self.record.settings.paused {
            return Ok(None);
        }
        let at = db
            .prepare_cached(
                "SELECT visible_ms FROM schedule WHERE queue = ?1 ORDER BY visible_ms, seq LIMIT 1",
            )?
            .query_row([self.number], |row| row.get(0))
            .optional()?;
        Ok(at)
    }

    /// Tells whoever waits.
    pub(crate) fn publish(&self, at: ReadyAt) {
        self.ready.send_if_modified(|old| {
            let changed = *old != at;
            *old = at;
            changed
        });
    }
}

/// All queues.
#[derive(Default)]
pub(crate) struct Catalog {
    entries: HashMap<QueueId, Entry>,
    names: BTreeMap<String, QueueId>,
}

impl Catalog {
    /// Reads all queues.
    pub(crate) fn load(db: &Connection) -> Result<Self, QueueError> {
        let mut catalog = Self::default();
        let mut query = db.prepare(
            "SELECT q.number, q.id, q.name, q.created_ms, q.modified_ms, q.settings, q.consumer_id,
                    q.consumer_created_ms, q.consumer, q.purged_ms, t.seq_next, t.backlog_count, t.backlog_bytes
             FROM queue q JOIN tally t ON t.queue = q.number",
        )?;
        let mut rows = query.query(())?;
        while let Some(row) = rows.next()? {
            catalog.insert(read_entry(row)?);
        }
        Ok(catalog)
    }

    /// Whoever waited on a queue of `before` goes on waiting on it here.
    pub(crate) fn adopt_waiters(&mut self, before: Self) {
        for (id, old) in before.entries {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.ready = old.ready;
            }
        }
    }

    pub(crate) fn get(&self, id: QueueId) -> Result<&Entry, QueueError> {
        self.entries.get(&id).ok_or(QueueError::NotFound)
    }

    pub(crate) fn get_mut(&mut self, id: QueueId) -> Result<&mut Entry, QueueError> {
        self.entries.get_mut(&id).ok_or(QueueError::NotFound)
    }

    pub(crate) fn id_of(&self, name: &str) -> Option<QueueId> {
        self.names.get(name).copied()
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        self.names.insert(entry.record.name.clone(), entry.record.id);
        self.entries.insert(entry.record.id, entry);
    }

    pub(crate) fn remove(&mut self, id: QueueId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.names.remove(&entry.record.name);
        Some(entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Queues that hold messages, in no order.
    pub(crate) fn not_empty(&self) -> Vec<QueueId> {
        let entries = self.entries.values().filter(|entry| entry.tally.count > 0);
        entries.map(|entry| entry.record.id).collect()
    }

    /// All queues, by name.
    pub(crate) fn records(&self) -> Vec<QueueRecord> {
        self.names.values().filter_map(|id| self.entries.get(id)).map(|entry| entry.record.clone()).collect()
    }
}

fn read_entry(row: &Row<'_>) -> Result<Entry, QueueError> {
    let settings: String = row.get(5)?;
    let consumer: Option<String> = row.get(8)?;
    let consumer = match consumer {
        Some(text) => Some(Consumer {
            id: ConsumerId::from_bits(u128::from_be_bytes(row.get(6)?)),
            created_ms: unsigned(row, 7)?,
            spec: read_json::<ConsumerSpec>(&text)?,
        }),
        None => None,
    };
    let record = QueueRecord {
        id: QueueId::from_bits(u128::from_be_bytes(row.get(1)?)),
        name: row.get(2)?,
        created_ms: unsigned(row, 3)?,
        modified_ms: unsigned(row, 4)?,
        settings: read_json(&settings)?,
        consumer,
        purged_ms: row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned),
    };
    let tally = Tally { seq_next: row.get(10)?, count: unsigned(row, 11)?, bytes: unsigned(row, 12)? };
    Ok(Entry::new(row.get(0)?, record, tally))
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, QueueError> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, QueueError> {
    serde_json::from_str(text)
        .map_err(|error| QueueError::Storage(format!("read a queue's settings: {error}")))
}
