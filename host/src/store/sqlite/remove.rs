//! Removes what is old: events with all that hangs on them, and what tells of none. Whatever is still needed stays, however
//! old it is, and what goes stays counted.

use super::queries::limit;
use crate::retention::Sized;
use crate::store::EventSeq;
use crate::store::keeping::{Cutoffs, Pages, Removal, Stored};
use anyhow::Context as _;
use rusqlite::{Connection, Transaction, params};
use tidegate_envelope::SourceName;

/// Of these events, those that nothing needs: nothing waits, is held, parked, to be performed or to come of it; it is not its
/// subject's snapshot, and nobody will be asked with it as the snapshot before. The newest event stays: its number is not
/// given again.
const REMOVABLE: &str = "SELECT e.seq FROM events e WHERE e.seq IN (SELECT value FROM json_each(?1)) AND e.state NOT IN (1, 2)
     AND NOT EXISTS (SELECT 1 FROM subjects s WHERE s.source = e.source AND s.subject = e.subject AND s.receipt = e.receipt)
     AND NOT EXISTS (SELECT 1 FROM lanes l WHERE l.source = e.source AND l.subject = e.subject)
     AND NOT EXISTS (SELECT 1 FROM effects f WHERE f.event_seq = e.seq AND f.state IN (1, 2))
     AND NOT EXISTS (SELECT 1 FROM plans p WHERE p.event_seq = e.seq AND p.state IN (1, 2, 4))
     AND NOT EXISTS (SELECT 1 FROM upcoming u WHERE u.cause = e.receipt)
     AND e.receipt NOT IN (SELECT b.previous FROM plans p JOIN events b ON b.seq = p.event_seq
                           WHERE p.state = 2 AND b.previous IS NOT NULL)
     AND e.seq < (SELECT max(seq) FROM events)";
/// Rows that tell of no event, removed in one transaction of each kind and source.
const OTHERS_MAX: usize = 1_000;

pub(super) fn write(db: &Transaction<'_>, removal: &Removal) -> anyhow::Result<()> {
    if !removal.events.is_empty() {
        events(db, &removal.events).context("remove events")?;
    }
    if let Some(cutoffs) = &removal.others {
        others(db, cutoffs).context("remove strays, alerts and gaps")?;
    }
    if removal.pages_max > 0 {
        give_back(db, removal.pages_max).context("give free pages back")?;
    }
    Ok(())
}

fn events(db: &Transaction<'_>, seqs: &[EventSeq]) -> anyhow::Result<()> {
    for EventSeq(seq) in removable(db, seqs)? {
        for sql in [
            "DELETE FROM attempts WHERE effect_seq IN (SELECT seq FROM effects WHERE event_seq = ?1)",
            "DELETE FROM effects WHERE event_seq = ?1",
            "DELETE FROM drifts WHERE event_seq = ?1",
            "DELETE FROM interventions WHERE event_seq = ?1",
            "DELETE FROM plans WHERE event_seq = ?1",
            "DELETE FROM traces WHERE event_seq = ?1",
            "DELETE FROM events WHERE seq = ?1",
        ] {
            db.prepare_cached(sql)?.execute([seq])?;
        }
    }
    Ok(())
}

fn others(db: &Transaction<'_>, cutoffs: &Cutoffs) -> anyhow::Result<()> {
    let named: Vec<_> = cutoffs.sources.keys().map(SourceName::as_str).collect();
    let named = serde_json::to_string(&named)?;
    let max = limit(OTHERS_MAX);
    if let Some(before_ms) = cutoffs.usual.map(u64::cast_signed) {
        db.prepare_cached(
            "DELETE FROM strays WHERE seq IN (SELECT seq FROM strays WHERE pulled_at_ms < ?1 AND state <> 2 ORDER BY seq LIMIT ?2)",
        )?
        .execute(params![before_ms, max])?;
        for sql in [
            "DELETE FROM alerts WHERE seq IN (SELECT seq FROM alerts WHERE raised_at_ms < ?1 AND state NOT IN (1, 2)
                 AND (source IS NULL OR source NOT IN (SELECT value FROM json_each(?2))) ORDER BY seq LIMIT ?3)",
            "DELETE FROM gaps WHERE id IN (SELECT id FROM gaps WHERE to_ms < ?1
                 AND source NOT IN (SELECT value FROM json_each(?2)) ORDER BY id LIMIT ?3)",
        ] {
            db.prepare_cached(sql)?.execute(params![before_ms, named, max])?;
        }
    }
    for (source, before_ms) in &cutoffs.sources {
        let Some(before_ms) = before_ms.map(u64::cast_signed) else { continue };
        for sql in [
            "DELETE FROM alerts WHERE seq IN (SELECT seq FROM alerts WHERE raised_at_ms < ?1 AND state NOT IN (1, 2)
                 AND source = ?2 ORDER BY seq LIMIT ?3)",
            "DELETE FROM gaps WHERE id IN (SELECT id FROM gaps WHERE to_ms < ?1 AND source = ?2 ORDER BY id LIMIT ?3)",
        ] {
            db.prepare_cached(sql)?.execute(params![before_ms, source.as_str(), max])?;
        }
    }
    Ok(())
}

/// Moves pages from the end of the file to free ones before them, and cuts the file.
fn give_back(db: &Transaction<'_>, pages_max: u32) -> anyhow::Result<()> {
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({pages_max})"))?;
    let mut rows = statement.query([])?;
    // Each step moves one page.
    while rows.next()?.is_some() {}
    Ok(())
}

/// Events after this place, in order of arrival.
pub(super) fn sizes(
    db: &Connection,
    after: Option<EventSeq>,
    rows_max: usize,
) -> anyhow::Result<Vec<Stored>> {
    let mut statement = db.prepare_cached(
        "SELECT seq, source, pulled_at_ms,
                length(body) + coalesce((SELECT sum(length(record)) FROM effects WHERE event_seq = e.seq), 0)
         FROM events e WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after.map_or(0, |seq| seq.0), limit(rows_max)])?;
    let mut stored = Vec::new();
    while let Some(row) = rows.next()? {
        let size = Sized {
            source: SourceName::new(row.get_ref(1)?.as_str()?)?,
            pulled_at_ms: row.get::<_, i64>(2)?.cast_unsigned(),
            bytes: row.get::<_, i64>(3)?.cast_unsigned(),
        };
        stored.push(Stored { seq: EventSeq(row.get(0)?), size });
    }
    Ok(stored)
}

/// Those of these events that nothing needs.
pub(super) fn removable(db: &Connection, seqs: &[EventSeq]) -> anyhow::Result<Vec<EventSeq>> {
    let list = serde_json::to_string(&seqs.iter().map(|seq| seq.0).collect::<Vec<_>>())?;
    let mut statement = db.prepare_cached(REMOVABLE)?;
    let found = statement.query_map([list], |row| Ok(EventSeq(row.get(0)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn pages(db: &Connection) -> anyhow::Result<Pages> {
    let read = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    Ok(Pages {
        all: read("PRAGMA page_count")?,
        free: read("PRAGMA freelist_count")?,
        bytes: read("PRAGMA page_size")?,
    })
}
