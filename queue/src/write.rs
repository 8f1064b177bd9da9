//! One transaction, and what commands do within it. Knows nothing of threads or of who asked.
//!
//! Every method checks first and writes after: an error other than [`QueueError::Storage`] has changed nothing.

mod control;
mod inspect;
mod pull;
mod send;
mod settle;

use crate::behavior::Behavior;
use crate::catalog::{Catalog, Entry, ReadyAt};
use crate::fault::QueueError;
use crate::id::{MessageId, QueueId};
use crate::message::{ContentType, Metrics, Producer};
use rusqlite::Connection;

pub(crate) use pull::PullSpec;

/// A transaction under way.
pub(crate) struct Txn<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) catalog: &'a mut Catalog,
    pub(crate) behavior: &'a Behavior,
    /// First half of every message id.
    pub(crate) id_prefix: u64,
    /// Now, for the whole transaction, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// Queues whose tally or schedule changed.
    pub(crate) touched: Vec<QueueId>,
}

impl Txn<'_> {
    /// How much a queue holds.
    pub(crate) fn metrics(&mut self, id: QueueId) -> Result<Metrics, QueueError> {
        self.catalog.get_mut(id)?.metrics(self.db)
    }

    /// Notes that the queue's tally must be written and its waiters told.
    fn touch(&mut self, id: QueueId) -> Result<(), QueueError> {
        let entry = self.catalog.get_mut(id)?;
        if !entry.touched {
            entry.touched = true;
            self.touched.push(id);
        }
        Ok(())
    }

    /// Writes the tallies of what was touched, once per transaction, and says when each may next be pulled from.
    pub(crate) fn settle_touched(&mut self) -> Result<Vec<(QueueId, ReadyAt)>, QueueError> {
        let mut ready = Vec::with_capacity(self.touched.len());
        let mut update = self.db.prepare_cached(
            "UPDATE tally SET seq_next = ?2, backlog_count = ?3, backlog_bytes = ?4 WHERE queue = ?1",
        )?;
        for id in self.touched.drain(..) {
            // A queue touched and then deleted has no tally.
            let Ok(entry) = self.catalog.get(id) else { continue };
            let tally = entry.tally;
            update.execute((
                entry.number,
                tally.seq_next,
                tally.count.cast_signed(),
                tally.bytes.cast_signed(),
            ))?;
            ready.push((id, entry.ready_at(self.db)?));
        }
        Ok(ready)
    }
}

/// Content type and producer of a message, as one number of its row.
fn kind_of(content_type: ContentType, producer: Producer) -> i64 {
    let content_type = match content_type {
        ContentType::Text => 0,
        ContentType::Json => 1,
        ContentType::Bytes => 2,
        ContentType::V8 => 3,
    };
    let producer = match producer {
        Producer::Worker => 0,
        Producer::Api => 1,
    };
    producer << 4 | content_type
}

fn read_kind(kind: i64) -> (ContentType, Producer) {
    let content_type = match kind & 0xf {
        0 => ContentType::Text,
        1 => ContentType::Json,
        3 => ContentType::V8,
        _ => ContentType::Bytes,
    };
    let producer = if kind >> 4 == 0 { Producer::Worker } else { Producer::Api };
    (content_type, producer)
}

/// A message's id: its database and its first key.
fn message_id(prefix: u64, key: i64) -> MessageId {
    MessageId::from_bits(u128::from(prefix) << 64 | u128::from(key.cast_unsigned()))
}

/// Whether a message stored then is past its queue's retention.
fn is_expired(entry: &Entry, stored_ms: i64, now_ms: i64) -> bool {
    stored_ms.saturating_add(i64::from(entry.record.settings.retention_s) * 1_000) <= now_ms
}
