//! Taking messages out under a lease, and clearing away what may no longer be delivered. Knows
//! nothing of how a lease ends.

use super::{Txn, is_expired, message_id, read_kind};
use crate::fault::QueueError;
use crate::id::QueueId;
use crate::lease::Lease;
use crate::limit;
use crate::message::{Message, Pulled};
use crate::record::ConsumerKind;
use bytes::Bytes;
use rusqlite::types::ValueRef;

/// What a pull asks for. What is `None` the consumer says, or the default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PullSpec {
    pub(crate) messages_max: Option<usize>,
    pub(crate) visibility_ms: Option<u64>,
    /// Whether a queue without an `http_pull` consumer refuses.
    pub(crate) needs_consumer: bool,
}

/// What was met at the head of the schedule.
#[derive(Default)]
struct Head {
    /// Messages to be delivered, as their keys and rows.
    ready: Vec<Message>,
    /// Keys of messages that had all their deliveries.
    dead: Vec<i64>,
    /// Keys and bytes of messages past their retention.
    expired: Vec<(i64, u64)>,
    /// Time and counter of the last row met.
    last: Option<(i64, i64)>,
    /// Rows met.
    rows: usize,
}

impl Txn<'_> {
    /// Leases what is ready, oldest due time first.
    pub(crate) fn pull(&mut self, id: QueueId, spec: PullSpec) -> Result<Pulled, QueueError> {
        let record = &self.catalog.get(id)?.record;
        if record.settings.paused {
            return Err(QueueError::Paused);
        }
        let kind = record.consumer.as_ref().map(|c| &c.spec.kind);
        if spec.needs_consumer && kind != Some(&ConsumerKind::HttpPull) {
            return Err(QueueError::NotPullable);
        }
        let settings = record.consumer.as_ref().map(|c| c.spec.settings).unwrap_or_default();
        let batch_size = settings.batch_size.and_then(|n| usize::try_from(n).ok());
        let asked = spec.messages_max.or(batch_size).unwrap_or(limit::PULL_MESSAGES_DEFAULT);
        let messages_max = asked.min(limit::GROUP_MESSAGES_MAX);
        let visibility_ms = spec
            .visibility_ms
            .or(settings.visibility_timeout_ms)
            .unwrap_or(limit::VISIBILITY_MS_DEFAULT)
            .min(limit::VISIBILITY_MS_MAX);
        let retries_max = settings.max_retries.unwrap_or(limit::RETRIES_DEFAULT);
        let deliveries_max = self.behavior.deliveries_max(retries_max);
        let until_ms = self.now_ms + visibility_ms.cast_signed();

        let mut messages = Vec::new();
        while messages.len() < messages_max {
            let wanted = messages_max - messages.len();
            let head = self.read_head(id, wanted, until_ms, deliveries_max)?;
            let is_last = head.rows < wanted;
            let leased = self.clear_head(id, head)?;
            messages.extend(leased);
            if is_last {
                break;
            }
        }
        self.lease(id, &messages)?;
        let metrics = self.metrics(id)?;
        Ok(Pulled { messages, metrics })
    }

    /// Reads the first rows that are due, and sorts them by what is to become of them.
    fn read_head(
        &self,
        id: QueueId,
        rows_max: usize,
        until_ms: i64,
        deliveries_max: u32,
    ) -> Result<Head, QueueError> {
        let entry = self.catalog.get(id)?;
        let mut head = Head::default();
        let mut query = self.db.prepare_cached(
            "SELECT s.visible_ms, s.seq, s.deliveries, m.stored_ms, m.kind, m.origin_key, m.origin_ms, m.body
             FROM schedule s LEFT JOIN message m ON m.key = (?2 | s.seq)
             WHERE s.queue = ?1 AND s.visible_ms <= ?3 ORDER BY s.visible_ms, s.seq LIMIT ?4",
        )?;
        let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let mut rows = query.query((entry.number, entry.keys().0, self.now_ms, rows_max))?;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(1)?;
            let key = entry.key(seq);
            head.rows += 1;
            head.last = Some((row.get(0)?, seq));
            let Some(stored_ms) = row.get::<_, Option<i64>>(3)? else {
                continue;
            };
            let ValueRef::Blob(body) = row.get_ref(7)? else {
                continue;
            };
            let deliveries: u32 = row.get(2)?;
            if is_expired(entry, stored_ms, self.now_ms) {
                head.expired.push((key, u64::try_from(body.len()).unwrap_or(0)));
            } else if deliveries >= deliveries_max {
                head.dead.push(key);
            } else {
                let (content_type, producer) = read_kind(row.get(4)?);
                let origin_key: Option<i64> = row.get(5)?;
                let origin_ms: Option<i64> = row.get(6)?;
                let delivery = deliveries + 1;
                head.ready.push(Message {
                    id: message_id(self.id_prefix, origin_key.unwrap_or(key)),
                    lease: Lease { until_ms, delivery, key },
                    timestamp_ms: origin_ms.unwrap_or(stored_ms).cast_unsigned(),
                    attempts: self.behavior.attempts_shown(delivery),
                    content_type,
                    producer,
                    body: Bytes::copy_from_slice(body),
                });
            }
        }
        Ok(head)
    }

    /// Takes the rows just read out of the schedule, the dead and the expired out of the queue, and gives back
    /// the messages to be leased.
    fn clear_head(&mut self, id: QueueId, head: Head) -> Result<Vec<Message>, QueueError> {
        let Some((visible_ms, seq)) = head.last else {
            return Ok(head.ready);
        };
        let number = self.catalog.get(id)?.number;
        // They are the first rows of the queue, so two ranges hold exactly them.
        self.db
            .prepare_cached("DELETE FROM schedule WHERE queue = ?1 AND visible_ms < ?2")?
            .execute((number, visible_ms))?;
        self.db
            .prepare_cached("DELETE FROM schedule WHERE queue = ?1 AND visible_ms = ?2 AND seq <= ?3")?
            .execute((number, visible_ms, seq))?;
        self.touch(id)?;
        self.drop_expired(id, &head.expired)?;
        self.bury(id, &head.dead)?;
        Ok(head.ready)
    }

    fn lease(&mut self, id: QueueId, messages: &[Message]) -> Result<(), QueueError> {
        let entry = self.catalog.get(id)?;
        let mut insert = self.db.prepare_cached("INSERT INTO schedule VALUES (?1, ?2, ?3, ?4)")?;
        for message in messages {
            let Lease { until_ms, delivery, key } = message.lease;
            insert.execute((entry.number, until_ms, entry.seq(key), delivery))?;
        }
        Ok(())
    }

    fn drop_expired(&mut self, id: QueueId, expired: &[(i64, u64)]) -> Result<(), QueueError> {
        if expired.is_empty() {
            return Ok(());
        }
        let db = self.db;
        let entry = self.catalog.get_mut(id)?;
        let mut delete = db.prepare_cached("DELETE FROM message WHERE key = ?1")?;
        for (key, bytes) in expired {
            delete.execute([key])?;
            entry.removed(*key, 1, *bytes);
        }
        tracing::warn!(queue = entry.record.name, "{} messages passed their retention", expired.len());
        Ok(())
    }

    /// Removes what is past its retention at the head of every queue, so that a queue nobody pulls from does not
    /// keep it.
    pub(crate) fn sweep(&mut self) -> Result<(), QueueError> {
        for id in self.catalog.not_empty() {
            self.sweep_queue(id)?;
        }
        Ok(())
    }

    fn sweep_queue(&mut self, id: QueueId) -> Result<(), QueueError> {
        let entry = self.catalog.get(id)?;
        let mut query = self.db.prepare_cached(
            "SELECT s.visible_ms, s.seq, m.stored_ms, length(m.body)
             FROM schedule s LEFT JOIN message m ON m.key = (?2 | s.seq)
             WHERE s.queue = ?1 AND s.visible_ms <= ?3 ORDER BY s.visible_ms, s.seq LIMIT ?4",
        )?;
        let rows_max = i64::try_from(limit::SWEEP_MESSAGES_MAX).unwrap_or(i64::MAX);
        let mut rows = query.query((entry.number, entry.keys().0, self.now_ms, rows_max))?;
        let mut head = Head::default();
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(1)?;
            match row.get::<_, Option<i64>>(2)? {
                Some(stored_ms) if !is_expired(entry, stored_ms, self.now_ms) => break,
                Some(_) => {
                    let bytes: i64 = row.get(3)?;
                    head.expired.push((entry.key(seq), bytes.cast_unsigned()));
                }
                None => {}
            }
            head.last = Some((row.get(0)?, seq));
        }
        drop(rows);
        self.clear_head(id, head)?;
        Ok(())
    }
}
