//! What events and their plans are in the tables, gathered row by row, so that each table is written once.

use super::database::{Cell, Database, Rows, cells};
use super::lane::{self, About};
use super::{outbox, state};
use crate::fingerprint::Fingerprint;
use crate::plan::{Plan, Verdict};
use crate::plugin::PluginName;
use crate::store::SubjectChange;
use crate::subject::Memory;
use crate::upcoming::Upcoming;

const INSERT_PLAN: &str = "
    INSERT INTO plans (event_seq, plugin, version_id, state, attempt, asked_us, due_at_ms, why, notes, decided_at_ms, log,
                       source, pinned, memory, fingerprint, part)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT (event_seq, plugin) DO UPDATE SET version_id = excluded.version_id, state = excluded.state,
        attempt = excluded.attempt, asked_us = excluded.asked_us, due_at_ms = excluded.due_at_ms, why = excluded.why,
        notes = excluded.notes, decided_at_ms = excluded.decided_at_ms, log = excluded.log, source = excluded.source,
        pinned = excluded.pinned, memory = excluded.memory, fingerprint = excluded.fingerprint, part = excluded.part";

const SET_MARK: &str = "
    INSERT INTO subjects (source, subject, receipt, kind, mark_us, sha256, deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (source, subject) DO UPDATE SET receipt = excluded.receipt, kind = excluded.kind,
        mark_us = excluded.mark_us, sha256 = excluded.sha256, deleted = excluded.deleted";

const SET_EXPECTED: &str = "UPDATE subjects SET expected = ?3 WHERE source = ?1 AND subject = ?2";

const SET_MEMORY: &str = "
    INSERT INTO memories (source, subject, plugin, place, body) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (source, subject, plugin) DO UPDATE SET place = excluded.place, body = excluded.body";

const INSERT_TRACE: &str = "INSERT INTO traces (event_seq, parent) VALUES (?1, ?2)";

/// An event that is to come.
pub(super) const INSERT_UPCOMING: &str =
    "INSERT INTO upcoming (due_at_ms, record, cause, part) VALUES (?1, ?2, ?3, ?4)";

/// Rows by table.
pub(super) struct Gathered<'a> {
    traces: Rows<'a>,
    marks: Rows<'a>,
    expected: Rows<'a>,
    plans: Rows<'a>,
    lanes: Rows<'a>,
    effects: Rows<'a>,
    upcoming: Rows<'a>,
    memories: Rows<'a>,
}

impl<'a> Gathered<'a> {
    /// None yet, with room for what so many events mostly have.
    pub(super) fn of(events: usize) -> Self {
        Self {
            traces: Rows::new(2, 0),
            marks: Rows::new(7, 2).with_room(events),
            expected: Rows::new(3, 2),
            plans: Rows::new(16, 2).with_room(events),
            lanes: Rows::new(4, 0),
            effects: Rows::new(5, 0).with_room(events),
            upcoming: Rows::new(4, 0),
            memories: Rows::new(5, 3),
        }
    }

    /// Where the event's sender has it in a trace of its own.
    pub(super) fn trace(&mut self, event_seq: i64, parent: &[u8]) {
        self.traces.push([event_seq.into(), parent.to_vec().into()]);
    }

    /// What is known of the event's subject from then on.
    pub(super) fn subject(
        &mut self,
        db: &dyn Database,
        about: About<'a>,
        change: &'a SubjectChange,
    ) -> anyhow::Result<()> {
        if let Some(mark) = &change.mark {
            let (source, subject) = (about.source.into(), about.subject.into());
            let (kind, sha256) = (mark.kind.as_str().into(), (&mark.sha256).into());
            let mark_us = mark.occurred_at_us.into();
            self.marks.push([
                source,
                subject,
                mark.receipt.into(),
                kind,
                mark_us,
                sha256,
                mark.is_deleted.into(),
            ]);
        }
        if let Some(expected) = &change.expected {
            let record = json_unless_empty(expected)?;
            let record = db.seal("subjects.expected", cells![about.source, about.subject], record)?;
            self.expected.push([about.source.into(), about.subject.into(), record]);
        }
        Ok(())
    }

    /// The plan stands at its place in its lane.
    pub(super) fn enter(&mut self, about: About<'a>, plugin: &'a PluginName) {
        self.lanes.push([about.source.into(), about.subject.into(), plugin.into(), about.seq.0.into()]);
    }

    /// The plan itself.
    pub(super) fn plan(
        &mut self,
        db: &dyn Database,
        about: About<'a>,
        plan: &'a Plan,
        version: i64,
        decided_at_ms: u64,
    ) -> anyhow::Result<()> {
        let (due_at_ms, why, notes) = match &plan.verdict {
            Verdict::Decided(decided) => (None, None, decided.notes.as_slice()),
            Verdict::Skipped | Verdict::Held => (None, None, &[][..]),
            Verdict::Waiting { due_at_ms, why } => (Some(*due_at_ms), Some(why.as_str()), &[][..]),
            Verdict::Parked { why, .. } => (None, Some(why.as_str()), &[][..]),
        };
        let log = if plan.log.is_empty() { None } else { Some(serde_json::to_string(&plan.log)?) };
        let row = cells![about.seq.0, &plan.plugin];
        let is_waiting = matches!(plan.verdict, Verdict::Waiting { .. });
        // Asked once, it is asked of the same version again.
        let is_pinned = plan.attempt > 0 && is_waiting;
        let is_to_come = is_waiting || matches!(plan.verdict, Verdict::Held);
        self.plans.push([
            about.seq.0.into(),
            (&plan.plugin).into(),
            version.into(),
            state_of(&plan.verdict).into(),
            plan.attempt.into(),
            plan.asked_us.into(),
            due_at_ms.into(),
            db.seal("plans.why", row, why)?,
            db.seal("plans.notes", row, json_unless_empty(notes)?)?,
            decided_at_ms.into(),
            db.seal("plans.log", row, log)?,
            is_to_come.then_some(about.source).into(),
            is_pinned.then_some(version).into(),
            db.seal("plans.memory", row, plan.basis.memory.as_deref())?,
            plan.basis.fingerprint.as_ref().map(Fingerprint::as_bytes).into(),
            is_to_come.then_some(i64::from(about.partition.number())).into(),
        ]);
        Ok(())
    }

    /// An effect that waits for its first attempt.
    pub(super) fn effect(&mut self, row: [Cell<'a>; 5]) {
        self.effects.push(row);
    }

    /// An event that is to come.
    pub(super) fn upcoming(&mut self, db: &dyn Database, upcoming: &Upcoming) -> anyhow::Result<()> {
        self.upcoming.push(upcoming_row(db, upcoming)?);
        Ok(())
    }

    /// What the plugin remembers of the event's subject from then on.
    pub(super) fn memory(
        &mut self,
        db: &dyn Database,
        about: About<'a>,
        plugin: &'a PluginName,
        memory: &'a Memory,
    ) -> anyhow::Result<()> {
        let row = cells![about.source, about.subject, plugin];
        let body = db.seal("memories.body", row, memory.body.as_deref())?;
        let place = memory.place.as_bytes().into();
        self.memories.push([about.source.into(), about.subject.into(), plugin.into(), place, body]);
        Ok(())
    }

    /// Writes it all.
    pub(super) fn write(self, db: &dyn Database) -> anyhow::Result<()> {
        db.execute_many(INSERT_TRACE, &self.traces)?;
        db.execute_many(SET_MARK, &self.marks)?;
        db.execute_many(SET_EXPECTED, &self.expected)?;
        db.execute_many(INSERT_PLAN, &self.plans)?;
        db.execute_many(lane::ENTER, &self.lanes)?;
        db.execute_many(outbox::INSERT_EFFECT, &self.effects)?;
        db.execute_many(INSERT_UPCOMING, &self.upcoming)?;
        db.execute_many(SET_MEMORY, &self.memories)
    }
}

/// The values of [`INSERT_UPCOMING`].
pub(super) fn upcoming_row(db: &dyn Database, upcoming: &Upcoming) -> anyhow::Result<[Cell<'static>; 4]> {
    let cause = upcoming.cause.receipt;
    let record = db.seal("upcoming.record", cells![cause], upcoming.to_record())?;
    Ok([upcoming.due_at_ms.into(), record, cause.into(), i64::from(upcoming.partition().number()).into()])
}

/// The state of a plan that came to this.
pub(super) const fn state_of(verdict: &Verdict) -> i64 {
    match verdict {
        Verdict::Decided(_) => state::DONE,
        Verdict::Skipped => state::SKIPPED,
        Verdict::Waiting { .. } => state::WAITING,
        Verdict::Held => state::HELD,
        Verdict::Parked { .. } => state::PARKED,
    }
}

/// A list as JSON; nothing where it is empty.
pub(super) fn json_unless_empty<T: serde::Serialize>(list: &[T]) -> anyhow::Result<Option<String>> {
    if list.is_empty() { Ok(None) } else { Ok(Some(serde_json::to_string(list)?)) }
}
