//! Looking at messages without a lease, and removing single ones. Changes no attempt and no order.

use super::settle::remove_messages;
use super::{Txn, is_expired, message_id, read_kind};
use crate::fault::QueueError;
use crate::id::QueueId;
use crate::limit;
use crate::message::{Peeked, Reference};
use bytes::Bytes;

impl Txn<'_> {
    /// The messages due next, those under lease or delay last. Changes nothing.
    pub(crate) fn peek(&mut self, id: QueueId, messages_max: usize) -> Result<Vec<Peeked>, QueueError> {
        let entry = self.catalog.get(id)?;
        let mut query = self.db.prepare_cached(
            "SELECT m.key, s.deliveries, m.stored_ms, m.kind, m.origin_key, m.origin_ms, m.body
             FROM schedule s JOIN message m ON m.key = (?2 | s.seq)
             WHERE s.queue = ?1 ORDER BY s.visible_ms, s.seq LIMIT ?3",
        )?;
        let messages_max = i64::try_from(messages_max.min(limit::GROUP_MESSAGES_MAX)).unwrap_or(0);
        let mut rows = query.query((entry.number, entry.keys().0, messages_max))?;
        let mut peeked = Vec::new();
        while let Some(row) = rows.next()? {
            let key: i64 = row.get(0)?;
            let stored_ms: i64 = row.get(2)?;
            if is_expired(entry, stored_ms, self.now_ms) {
                continue;
            }
            let (content_type, producer) = read_kind(row.get(3)?);
            let origin_key: Option<i64> = row.get(4)?;
            let origin_ms: Option<i64> = row.get(5)?;
            let body: Vec<u8> = row.get(6)?;
            peeked.push(Peeked {
                id: message_id(self.id_prefix, origin_key.unwrap_or(key)),
                reference: Reference { key },
                timestamp_ms: origin_ms.unwrap_or(stored_ms).cast_unsigned(),
                attempts: row.get(1)?,
                content_type,
                producer,
                body: Bytes::from(body),
            });
        }
        Ok(peeked)
    }

    /// Removes single messages, whoever holds them. Gives back those that were not in the queue.
    pub(crate) fn purge_messages(
        &mut self,
        id: QueueId,
        references: &[Reference],
    ) -> Result<Vec<Reference>, QueueError> {
        let db = self.db;
        let entry = self.catalog.get_mut(id)?;
        let mut missing = Vec::new();
        for reference in references {
            let is_here = entry.seq(reference.key).is_some();
            if !is_here || remove_messages(db, entry, reference.key, reference.key)? == 0 {
                missing.push(*reference);
            }
        }
        if missing.len() < references.len() {
            self.touch(id)?;
        }
        Ok(missing)
    }
}
