//! Ending leases: acknowledgements, retries, and burying what had all its deliveries. Knows
//! nothing of how a lease looks to outsiders.

use super::Txn;
use crate::behavior::{DeadLetterIdentity, LateAck};
use crate::catalog::Entry;
use crate::fault::QueueError;
use crate::id::QueueId;
use crate::lease::Lease;
use crate::limit;
use crate::message::{AckReport, LeaseWarning, Retry};
use rusqlite::{Connection, OptionalExtension};

/// Leases of one pull whose messages stand side by side: they end with a few statements, however many they are.
#[derive(Clone, Copy)]
struct Run {
    until_ms: i64,
    delivery: u32,
    first: i64,
    last: i64,
}

impl Run {
    fn of(lease: &Lease) -> Self {
        Self { until_ms: lease.until_ms, delivery: lease.delivery, first: lease.key, last: lease.key }
    }

    fn is_continued_by(&self, lease: &Lease) -> bool {
        self.until_ms == lease.until_ms && self.delivery == lease.delivery && self.last + 1 == lease.key
    }

    fn len(&self) -> i64 {
        self.last - self.first + 1
    }
}

impl Txn<'_> {
    /// Acknowledges and retries; a lease that no longer holds only makes a warning.
    pub(crate) fn settle(
        &mut self,
        id: QueueId,
        mut acks: Vec<Lease>,
        retries: &[Retry],
    ) -> Result<AckReport, QueueError> {
        if let Some(delay_s) = retries.iter().filter_map(|r| r.delay_s).find(|s| *s > limit::DELAY_S_MAX) {
            return Err(QueueError::DelayTooLong(delay_s));
        }
        self.catalog.get(id)?;
        let mut report = AckReport::default();
        acks.sort_unstable();
        let mut at = 0;
        while let Some(lease) = acks.get(at) {
            let mut run = Run::of(lease);
            at += 1;
            while let Some(next) = acks.get(at).filter(|next| run.is_continued_by(next)) {
                run.last = next.key;
                at += 1;
            }
            self.ack_run(id, run, &mut report)?;
        }
        for retry in retries {
            self.retry(id, retry, &mut report)?;
        }
        Ok(report)
    }

    fn ack_run(&mut self, id: QueueId, run: Run, report: &mut AckReport) -> Result<(), QueueError> {
        let (db, entry) = (self.db, self.catalog.get_mut(id)?);
        let (Some(first), Some(last)) = (entry.seq(run.first), entry.seq(run.last)) else {
            return self.ack_singly(id, run, report);
        };
        let is_late = run.until_ms <= self.now_ms;
        if is_late && self.behavior.late_ack == LateAck::Refused {
            return self.ack_singly(id, run, report);
        }
        let range = (entry.number, run.until_ms, first, last, run.delivery);
        let held: i64 = db
            .prepare_cached(
                "SELECT count(*) FROM schedule
                 WHERE queue = ?1 AND visible_ms = ?2 AND seq BETWEEN ?3 AND ?4 AND deliveries = ?5",
            )?
            .query_row(range, |row| row.get(0))?;
        if held != run.len() {
            return self.ack_singly(id, run, report);
        }
        db.prepare_cached(
            "DELETE FROM schedule
             WHERE queue = ?1 AND visible_ms = ?2 AND seq BETWEEN ?3 AND ?4 AND deliveries = ?5",
        )?
        .execute(range)?;
        remove_messages(db, entry, run.first, run.last)?;
        report.acks += usize::try_from(held).unwrap_or(0);
        self.touch(id)
    }

    /// The run does not hold as one: each of its leases for itself, or the last word on a single one.
    fn ack_singly(&mut self, id: QueueId, run: Run, report: &mut AckReport) -> Result<(), QueueError> {
        if run.len() > 1 {
            for key in run.first..=run.last {
                let single = Run { first: key, last: key, ..run };
                self.ack_run(id, single, report)?;
            }
            return Ok(());
        }
        let lease = Lease { until_ms: run.until_ms, delivery: run.delivery, key: run.first };
        report.warnings.push((lease, self.warning(&lease)));
        if self.behavior.late_ack == LateAck::Accepted {
            let (db, entry) = (self.db, self.catalog.get_mut(id)?);
            if entry.seq(lease.key).is_some() {
                remove_messages(db, entry, lease.key, lease.key)?;
                report.acks += 1;
                self.touch(id)?;
            }
        }
        Ok(())
    }

    fn warning(&self, lease: &Lease) -> LeaseWarning {
        if lease.until_ms <= self.now_ms { LeaseWarning::Expired } else { LeaseWarning::NotHeld }
    }

    fn retry(&mut self, id: QueueId, retry: &Retry, report: &mut AckReport) -> Result<(), QueueError> {
        let db = self.db;
        let lease = &retry.lease;
        let entry = self.catalog.get(id)?;
        let is_refused = lease.until_ms <= self.now_ms && self.behavior.late_ack == LateAck::Refused;
        let seq = entry.seq(lease.key).filter(|_| !is_refused);
        let held = db
            .prepare_cached(
                "DELETE FROM schedule WHERE queue = ?1 AND visible_ms = ?2 AND seq = ?3 AND deliveries = ?4",
            )?
            .execute((entry.number, lease.until_ms, seq, lease.delivery))?;
        if held == 0 {
            report.warnings.push((*lease, self.warning(lease)));
            if self.behavior.late_ack == LateAck::Accepted {
                report.retries += 1;
            }
            return Ok(());
        }
        let settings = entry.record.consumer.as_ref().map(|c| c.spec.settings).unwrap_or_default();
        let retries_max = settings.max_retries.unwrap_or(limit::RETRIES_DEFAULT);
        if lease.delivery >= self.behavior.deliveries_max(retries_max) {
            self.bury(id, &[lease.key])?;
        } else {
            let delay_s = retry.delay_s.or(settings.retry_delay).unwrap_or(0);
            let visible_ms = self.now_ms + i64::from(delay_s) * 1_000;
            db.prepare_cached("INSERT INTO schedule VALUES (?1, ?2, ?3, ?4)")?.execute((
                entry.number,
                visible_ms,
                seq,
                lease.delivery,
            ))?;
        }
        report.retries += 1;
        self.touch(id)
    }

    /// Ends every lease and every wait after a retry: what was delivered before may be pulled at once.
    pub(crate) fn release(&mut self, id: QueueId) -> Result<usize, QueueError> {
        let released = self
            .db
            .prepare_cached(
                "UPDATE schedule SET visible_ms = ?2 WHERE queue = ?1 AND visible_ms > ?2 AND deliveries > 0",
            )?
            .execute((self.catalog.get(id)?.number, self.now_ms))?;
        self.touch(id)?;
        Ok(released)
    }

    /// Moves messages that had all their deliveries to the dead letter queue, or drops them if there is none.
    /// Their rows in the schedule are gone already.
    pub(super) fn bury(&mut self, id: QueueId, dead: &[i64]) -> Result<(), QueueError> {
        if dead.is_empty() {
            return Ok(());
        }
        let record = &self.catalog.get(id)?.record;
        let target = record.consumer.as_ref().and_then(|c| c.spec.dead_letter_queue.clone());
        let target = match target {
            Some(name) if name != record.name => Some(self.ensure_queue(&name)?),
            _ => None,
        };
        let db = self.db;
        for key in dead {
            if let Some(target) = target {
                self.copy_dead(target, *key)?;
            }
            remove_messages(db, self.catalog.get_mut(id)?, *key, *key)?;
        }
        let name = &self.catalog.get(id)?.record.name;
        let fate = if target.is_some() { "dead-lettered" } else { "dropped" };
        tracing::warn!(queue = name, "{} messages had all their deliveries and were {fate}", dead.len());
        self.touch(id)
    }

    fn copy_dead(&mut self, target: QueueId, key: i64) -> Result<(), QueueError> {
        let (db, now_ms) = (self.db, self.now_ms);
        let keeps_identity = self.behavior.dead_letter_identity == DeadLetterIdentity::Kept;
        let entry = self.catalog.get_mut(target)?;
        let seq = entry.tally.seq_next;
        let bytes: Option<i64> = db
            .prepare_cached(
                "INSERT INTO message SELECT ?2, ?3, kind, iif(?4, coalesce(origin_key, key), NULL),
                        iif(?4, coalesce(origin_ms, stored_ms), NULL), body
                 FROM message WHERE key = ?1 RETURNING length(body)",
            )?
            .query_row((key, entry.key(seq), now_ms, keeps_identity), |row| row.get(0))
            .optional()?;
        // Without bytes the message was purged while it was under lease.
        let Some(bytes) = bytes else { return Ok(()) };
        db.prepare_cached("INSERT INTO schedule VALUES (?1, ?2, ?3, 0)")?.execute((
            entry.number,
            now_ms,
            seq,
        ))?;
        entry.tally.seq_next += 1;
        entry.added(bytes.cast_unsigned());
        self.touch(target)
    }
}

/// Removes the messages of a range of keys that are still there, and counts them off. The caller sees to the
/// schedule.
pub(super) fn remove_messages(
    db: &Connection,
    entry: &mut Entry,
    first: i64,
    last: i64,
) -> Result<u64, QueueError> {
    let (count, bytes): (i64, i64) = db
        .prepare_cached(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM message WHERE key BETWEEN ?1 AND ?2",
        )?
        .query_row((first, last), |row| Ok((row.get(0)?, row.get(1)?)))?;
    if count > 0 {
        db.prepare_cached("DELETE FROM message WHERE key BETWEEN ?1 AND ?2")?.execute((first, last))?;
        entry.removed(last, count.cast_unsigned(), bytes.cast_unsigned());
    }
    Ok(count.cast_unsigned())
}
