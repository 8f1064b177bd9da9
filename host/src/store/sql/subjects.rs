//! What is known of assets, as the tables have it.

use super::database::{Cell, Database, Row};
use crate::arrival::{Mark, Place};
use crate::plugin::PluginName;
use crate::scan;
use crate::subject::{Memory, SubjectKey, SubjectState};
use anyhow::Context as _;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tidegate_envelope::{Receipt, SourceName};

/// In the order of these keys; of one that nothing is known of, nothing.
pub(super) fn read(db: &dyn Database, keys: &[SubjectKey]) -> anyhow::Result<Vec<SubjectState>> {
    let mut asked: BTreeMap<&SourceName, Vec<Cell<'_>>> = BTreeMap::new();
    for key in keys {
        asked.entry(&key.source).or_default().push((&*key.subject).into());
    }
    let mut known = BTreeMap::new();
    for (source, subjects) in asked {
        known.insert(source, of_source(db, source, Cell::List(subjects))?);
    }
    let state = |key: &SubjectKey| known[&key.source].get(&*key.subject).cloned().unwrap_or_default();
    Ok(keys.iter().map(state).collect())
}

fn of_source(
    db: &dyn Database,
    source: &SourceName,
    subjects: Cell<'_>,
) -> anyhow::Result<HashMap<String, SubjectState>> {
    let of = &[source.into(), subjects];
    let marked = db.rows(
        "SELECT s.receipt, s.kind, s.mark_us, s.sha256, s.deleted,
                unseal(s.expected, 'subjects.expected', s.source, s.subject), unseal(e.body, 'events.body', e.receipt),
                s.subject
         FROM subjects s LEFT JOIN events e ON e.receipt = s.receipt WHERE s.source = ?1 AND s.subject IN rarray(?2)",
        of,
        |row| Ok((row.get(7)?, marked(row)?)),
    )?;
    let mut known: HashMap<String, SubjectState> = marked.into_iter().collect();
    let memories = db.rows(
        "SELECT subject, plugin, place, unseal(body, 'memories.body', source, subject, plugin) FROM memories
         WHERE source = ?1 AND subject IN rarray(?2)",
        of,
        |row| {
            let body: Option<Vec<u8>> = row.get(3)?;
            let memory = Memory { place: Place::from_bytes(row.get(2)?), body: body.map(Arc::from) };
            Ok((row.get::<String>(0)?, row.get::<PluginName>(1)?, memory))
        },
    )?;
    for (subject, plugin, memory) in memories {
        known.entry(subject).or_default().memories.insert(plugin, memory);
    }
    let lanes = db.rows(
        "SELECT subject, plugin, count(*) FROM lanes WHERE source = ?1 AND subject IN rarray(?2) GROUP BY subject, plugin",
        of,
        |row| Ok((row.get::<String>(0)?, row.get::<PluginName>(1)?, row.get(2)?)),
    )?;
    for (subject, plugin, count) in lanes {
        known.entry(subject).or_default().lanes.insert(plugin, count);
    }
    Ok(known)
}

fn marked(row: &Row<'_>) -> anyhow::Result<SubjectState> {
    let mark = Mark {
        receipt: row.get(0)?,
        kind: row.get(1)?,
        occurred_at_us: row.get(2)?,
        sha256: row.get(3)?,
        is_deleted: row.get(4)?,
    };
    let body = row.bytes(6)?;
    Ok(SubjectState {
        mark: Some(mark),
        json: body.as_deref().and_then(scan::json_of).as_deref().map(Arc::from),
        expected: row.json(5).context("read what is expected of a subject")?.unwrap_or_default(),
        ..SubjectState::default()
    })
}

/// Those of these receipts that are there.
pub(super) fn known(db: &dyn Database, receipts: &[Receipt]) -> anyhow::Result<Vec<Receipt>> {
    let of: Cell<'_> = receipts.iter().map(|receipt| Cell::from(*receipt)).collect();
    let sql = "SELECT receipt FROM events WHERE receipt IN rarray(?1)";
    let known: HashSet<Receipt> = db.rows(sql, &[of], |row| row.get(0))?.into_iter().collect();
    Ok(receipts.iter().copied().filter(|receipt| known.contains(receipt)).collect())
}
