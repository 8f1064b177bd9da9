//! Putting messages into a queue. Knows nothing of what is in them.

use super::{Txn, kind_of};
use crate::fault::QueueError;
use crate::id::QueueId;
use crate::limit;
use crate::message::{Metrics, NewMessage};

impl Txn<'_> {
    /// Queues messages, in this order: all or none.
    pub(crate) fn send(&mut self, id: QueueId, messages: &[NewMessage]) -> Result<Metrics, QueueError> {
        let (db, now_ms) = (self.db, self.now_ms);
        let entry = self.catalog.get_mut(id)?;
        check(messages, entry.tally.bytes)?;
        let mut insert =
            db.prepare_cached("INSERT INTO message (key, stored_ms, kind, body) VALUES (?1, ?2, ?3, ?4)")?;
        let mut schedule = db.prepare_cached("INSERT INTO schedule VALUES (?1, ?2, ?3, 0)")?;
        for message in messages {
            let seq = entry.tally.seq_next;
            entry.tally.seq_next += 1;
            let kind = kind_of(message.content_type, message.producer);
            insert.execute((entry.key(seq), now_ms, kind, message.body.as_ref()))?;
            let delay_s = message.delay_s.unwrap_or(entry.record.settings.delay_s);
            schedule.execute((entry.number, now_ms + i64::from(delay_s) * 1_000, seq))?;
            entry.added(u64::try_from(message.body.len()).unwrap_or(u64::MAX));
        }
        self.touch(id)?;
        self.metrics(id)
    }
}

fn check(messages: &[NewMessage], backlog_bytes: u64) -> Result<(), QueueError> {
    if messages.is_empty() || messages.len() > limit::GROUP_MESSAGES_MAX {
        return Err(QueueError::GroupSize(messages.len()));
    }
    for message in messages {
        if message.body.len() > limit::BODY_BYTES_MAX {
            return Err(QueueError::MessageTooLarge(message.body.len()));
        }
        if let Some(delay_s) = message.delay_s.filter(|s| *s > limit::DELAY_S_MAX) {
            return Err(QueueError::DelayTooLong(delay_s));
        }
    }
    if backlog_bytes >= limit::BACKLOG_BYTES_MAX {
        return Err(QueueError::StorageLimit);
    }
    Ok(())
}
