//! Making, changing and deleting queues and consumers. Knows nothing of single messages.

use super::Txn;
use crate::catalog::{Entry, Tally};
use crate::fault::QueueError;
use crate::id::{ConsumerId, QueueId};
use crate::limit;
use crate::record::{Consumer, ConsumerSpec, QueueRecord, QueueSettings, check_name};

impl Txn<'_> {
    /// Makes a queue.
    pub(crate) fn create_queue(
        &mut self,
        name: &str,
        settings: QueueSettings,
    ) -> Result<QueueId, QueueError> {
        check_name(name)?;
        settings.check()?;
        if self.catalog.id_of(name).is_some() {
            return Err(QueueError::NameTaken(name.to_owned()));
        }
        if self.catalog.len() >= limit::QUEUES_MAX {
            return Err(QueueError::TooManyQueues);
        }
        let bits = self.random_bits()?;
        let record = QueueRecord {
            id: QueueId::from_bits(bits),
            name: name.to_owned(),
            created_ms: self.now_ms.cast_unsigned(),
            modified_ms: self.now_ms.cast_unsigned(),
            settings,
            consumer: None,
            purged_ms: None,
        };
        self.db.execute(
            "INSERT INTO queue (id, name, created_ms, modified_ms, settings) VALUES (?1, ?2, ?3, ?3, ?4)",
            (bits.to_be_bytes(), name, self.now_ms, write_json(&settings)?),
        )?;
        let number = self.db.last_insert_rowid();
        self.db.execute("INSERT INTO tally VALUES (?1, 0, 0, 0)", [number])?;
        let id = record.id;
        self.catalog.insert(Entry::new(number, record, Tally::default()));
        Ok(id)
    }

    /// The queue of this name, made if it is missing.
    pub(crate) fn ensure_queue(&mut self, name: &str) -> Result<QueueId, QueueError> {
        match self.catalog.id_of(name) {
            Some(id) => Ok(id),
            None => self.create_queue(name, QueueSettings::default()),
        }
    }

    /// Changes a queue's name, settings, or both.
    pub(crate) fn update_queue(
        &mut self,
        id: QueueId,
        name: Option<String>,
        settings: QueueSettings,
    ) -> Result<QueueRecord, QueueError> {
        settings.check()?;
        let before = self.catalog.get(id)?.record.name.clone();
        let name = name.unwrap_or(before);
        check_name(&name)?;
        if self.catalog.id_of(&name).is_some_and(|other| other != id) {
            return Err(QueueError::NameTaken(name));
        }
        let Some(mut entry) = self.catalog.remove(id) else {
            return Err(QueueError::NotFound);
        };
        entry.record.name = name;
        entry.record.settings = settings;
        entry.record.modified_ms = self.now_ms.cast_unsigned();
        let (number, record) = (entry.number, entry.record.clone());
        self.catalog.insert(entry);
        self.db.execute(
            "UPDATE queue SET name = ?2, settings = ?3, modified_ms = ?4 WHERE number = ?1",
            (number, &record.name, write_json(&settings)?, self.now_ms),
        )?;
        // A queue no longer paused may be ready.
        self.touch(id)?;
        Ok(record)
    }

    /// Deletes a queue with all its messages.
    pub(crate) fn delete_queue(&mut self, id: QueueId) -> Result<(), QueueError> {
        self.remove_all_messages(id)?;
        let Some(entry) = self.catalog.remove(id) else {
            return Err(QueueError::NotFound);
        };
        self.db.execute("DELETE FROM tally WHERE queue = ?1", [entry.number])?;
        self.db.execute("DELETE FROM queue WHERE number = ?1", [entry.number])?;
        Ok(())
    }

    /// Deletes all messages of a queue, those under lease or delay included.
    pub(crate) fn purge_queue(&mut self, id: QueueId) -> Result<QueueRecord, QueueError> {
        self.remove_all_messages(id)?;
        let now_ms = self.now_ms;
        let entry = self.catalog.get_mut(id)?;
        entry.record.purged_ms = Some(now_ms.cast_unsigned());
        let record = entry.record.clone();
        self.db.execute("UPDATE queue SET purged_ms = ?2 WHERE number = ?1", (entry.number, now_ms))?;
        Ok(record)
    }

    fn remove_all_messages(&mut self, id: QueueId) -> Result<(), QueueError> {
        let db = self.db;
        let entry = self.catalog.get_mut(id)?;
        db.execute("DELETE FROM message WHERE key BETWEEN ?1 AND ?2", entry.keys())?;
        db.execute("DELETE FROM schedule WHERE queue = ?1", [entry.number])?;
        entry.emptied();
        self.touch(id)
    }

    /// Gives a queue its consumer.
    pub(crate) fn create_consumer(
        &mut self,
        id: QueueId,
        spec: ConsumerSpec,
    ) -> Result<Consumer, QueueError> {
        let record = &self.catalog.get(id)?.record;
        if record.consumer.is_some() {
            return Err(QueueError::ConsumerExists);
        }
        check_consumer(record, &spec)?;
        let consumer = Consumer {
            id: ConsumerId::from_bits(self.random_bits()?),
            created_ms: self.now_ms.cast_unsigned(),
            spec,
        };
        self.write_consumer(id, Some(consumer.clone()))?;
        Ok(consumer)
    }

    /// Changes a queue's consumer.
    pub(crate) fn update_consumer(
        &mut self,
        id: QueueId,
        consumer: ConsumerId,
        spec: ConsumerSpec,
    ) -> Result<Consumer, QueueError> {
        let record = &self.catalog.get(id)?.record;
        let Some(old) = record.consumer.as_ref().filter(|old| old.id == consumer) else {
            return Err(QueueError::ConsumerNotFound);
        };
        check_consumer(record, &spec)?;
        let changed = Consumer { spec, ..old.clone() };
        self.write_consumer(id, Some(changed.clone()))?;
        Ok(changed)
    }

    /// Takes a queue's consumer away.
    pub(crate) fn delete_consumer(&mut self, id: QueueId, consumer: ConsumerId) -> Result<(), QueueError> {
        let record = &self.catalog.get(id)?.record;
        if record.consumer.as_ref().is_none_or(|old| old.id != consumer) {
            return Err(QueueError::ConsumerNotFound);
        }
        self.write_consumer(id, None)
    }

    fn write_consumer(&mut self, id: QueueId, consumer: Option<Consumer>) -> Result<(), QueueError> {
        if let Some(name) = consumer.as_ref().and_then(|c| c.spec.dead_letter_queue.as_deref()) {
            self.ensure_queue(name)?;
        }
        let db = self.db;
        let entry = self.catalog.get_mut(id)?;
        let spec = consumer.as_ref().map(|c| write_json(&c.spec)).transpose()?;
        db.execute(
            "UPDATE queue SET consumer_id = ?2, consumer_created_ms = ?3, consumer = ?4 WHERE number = ?1",
            (
                entry.number,
                consumer.as_ref().map(|c| c.id.bits().to_be_bytes()),
                consumer.as_ref().map(|c| c.created_ms.cast_signed()),
                spec,
            ),
        )?;
        entry.record.consumer = consumer;
        Ok(())
    }

    /// Random bits nobody can guess: SQLite's generator is seeded by the operating system.
    fn random_bits(&self) -> Result<u128, QueueError> {
        let bytes: [u8; 16] = self.db.query_row("SELECT randomblob(16)", (), |row| row.get(0))?;
        Ok(u128::from_be_bytes(bytes))
    }
}

fn check_consumer(record: &QueueRecord, spec: &ConsumerSpec) -> Result<(), QueueError> {
    spec.check()?;
    if spec.dead_letter_queue.as_deref() == Some(record.name.as_str()) {
        return Err(QueueError::ConsumerSettings("a queue cannot be its own dead letter queue".to_owned()));
    }
    Ok(())
}

fn write_json(value: &impl serde::Serialize) -> Result<String, QueueError> {
    serde_json::to_string(value).map_err(|error| QueueError::Storage(error.to_string()))
}
