//! What is known of one asset, as the tables have it.

use crate::arrival::{Mark, Place};
use crate::plugin::PluginName;
use crate::scan;
use crate::subject::{Memory, SubjectKey, SubjectState};
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidegate_envelope::{Digest, Receipt};

pub(super) fn read(db: &Connection, key: &SubjectKey) -> anyhow::Result<SubjectState> {
    let row = db
        .prepare_cached(
            "SELECT s.receipt, s.kind, s.mark_us, s.sha256, s.deleted,
                    unseal(s.expected, 'subjects.expected', s.source, s.subject), unseal(e.body, 'events.body', e.receipt)
             FROM subjects s LEFT JOIN events e ON e.receipt = s.receipt WHERE s.source = ?1 AND s.subject = ?2",
        )?
        .query_row(params![key.source.as_str(), &*key.subject], |row| {
            Ok((mark(row)?, row.get::<_, Option<String>>(5)?, row.get::<_, Option<Vec<u8>>>(6)?))
        })
        .optional()?;
    let mut state =
        SubjectState { memories: memories(db, key)?, lanes: lanes(db, key)?, ..SubjectState::default() };
    if let Some((mark, expected, body)) = row {
        state.mark = Some(mark);
        state.json = body.as_deref().and_then(scan::json_of).as_deref().map(Arc::from);
        state.expected = expected
            .map_or(Ok(Vec::new()), |text| serde_json::from_str(&text))
            .context("read what is expected of a subject")?;
    }
    Ok(state)
}

fn mark(row: &Row<'_>) -> rusqlite::Result<Mark> {
    Ok(Mark {
        receipt: Receipt::from_bytes(row.get(0)?),
        kind: row.get(1)?,
        occurred_at_us: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
        sha256: Digest::from_bytes(row.get(3)?),
        is_deleted: row.get(4)?,
    })
}

fn memories(db: &Connection, key: &SubjectKey) -> anyhow::Result<BTreeMap<PluginName, Memory>> {
    let mut statement = db.prepare_cached(
        "SELECT plugin, place, unseal(body, 'memories.body', source, subject, plugin) FROM memories
         WHERE source = ?1 AND subject = ?2",
    )?;
    let mut rows = statement.query(params![key.source.as_str(), &*key.subject])?;
    let mut memories = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let body: Option<Vec<u8>> = row.get(2)?;
        let memory = Memory { place: Place::from_bytes(row.get(1)?), body: body.map(Arc::from) };
        memories.insert(PluginName::new(row.get_ref(0)?.as_str()?)?, memory);
    }
    Ok(memories)
}

fn lanes(db: &Connection, key: &SubjectKey) -> anyhow::Result<BTreeMap<PluginName, u32>> {
    let mut statement = db.prepare_cached(
        "SELECT plugin, count(*) FROM lanes WHERE source = ?1 AND subject = ?2 GROUP BY plugin",
    )?;
    let mut rows = statement.query(params![key.source.as_str(), &*key.subject])?;
    let mut lanes = BTreeMap::new();
    while let Some(row) = rows.next()? {
        lanes.insert(PluginName::new(row.get_ref(0)?.as_str()?)?, row.get(1)?);
    }
    Ok(lanes)
}

/// Those of these receipts that are there.
pub(super) fn known(db: &Connection, receipts: &[Receipt]) -> anyhow::Result<Vec<Receipt>> {
    let mut statement = db.prepare_cached("SELECT 1 FROM events WHERE receipt = ?1")?;
    let mut known = Vec::new();
    for receipt in receipts {
        if statement.exists([receipt.to_bytes()])? {
            known.push(*receipt);
        }
    }
    Ok(known)
}
