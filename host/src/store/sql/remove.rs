//! Removes what is old: events with all that hangs on them, and what tells of none. Whatever is still needed stays, however
//! old it is, and what goes stays counted.

use super::database::{Cell, Database, cells};
use crate::retention::Sized;
use crate::store::EventSeq;
use crate::store::keeping::{Cutoffs, Removal, Stored};
use anyhow::Context as _;

/// Of these events, those that nothing needs: nothing waits, is held, parked, to be performed or to come of it; it is not its
/// subject's snapshot, and nobody will be asked with it as the snapshot before. The newest event stays: its number is not
/// given again.
const REMOVABLE: &str = "SELECT e.seq FROM events e WHERE e.seq IN rarray(?1) AND e.state NOT IN (1, 2)
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

pub(super) fn write(db: &dyn Database, removal: &Removal) -> anyhow::Result<()> {
    if !removal.events.is_empty() {
        events(db, &removal.events).context("remove events")?;
    }
    if let Some(cutoffs) = &removal.others {
        others(db, cutoffs).context("remove strays, alerts and gaps")?;
    }
    if removal.pages_max > 0 {
        db.give_back(removal.pages_max).context("give free pages back")?;
    }
    Ok(())
}

fn events(db: &dyn Database, seqs: &[EventSeq]) -> anyhow::Result<()> {
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
            db.execute(sql, cells![seq])?;
        }
    }
    Ok(())
}

fn others(db: &dyn Database, cutoffs: &Cutoffs) -> anyhow::Result<()> {
    if let Some(before_ms) = cutoffs.usual {
        let strays = "DELETE FROM strays
             WHERE seq IN (SELECT seq FROM strays WHERE pulled_at_ms < ?1 AND state <> 2 ORDER BY seq LIMIT ?2)";
        db.execute(strays, cells![before_ms, OTHERS_MAX])?;
        for sql in [
            "DELETE FROM alerts WHERE seq IN (SELECT seq FROM alerts WHERE raised_at_ms < ?1 AND state NOT IN (1, 2)
                 AND (source IS NULL OR NOT (source IN rarray(?2))) ORDER BY seq LIMIT ?3)",
            "DELETE FROM gaps WHERE id IN (SELECT id FROM gaps WHERE to_ms < ?1
                 AND NOT (source IN rarray(?2)) ORDER BY id LIMIT ?3)",
        ] {
            let named = cutoffs.sources.keys().map(Cell::from).collect();
            db.execute(sql, &[before_ms.into(), named, OTHERS_MAX.into()])?;
        }
    }
    for (source, before_ms) in &cutoffs.sources {
        let Some(before_ms) = *before_ms else { continue };
        for sql in [
            "DELETE FROM alerts WHERE seq IN (SELECT seq FROM alerts WHERE raised_at_ms < ?1 AND state NOT IN (1, 2)
                 AND source = ?2 ORDER BY seq LIMIT ?3)",
            "DELETE FROM gaps WHERE id IN (SELECT id FROM gaps WHERE to_ms < ?1 AND source = ?2 ORDER BY id LIMIT ?3)",
        ] {
            db.execute(sql, cells![before_ms, source, OTHERS_MAX])?;
        }
    }
    Ok(())
}

/// Events after this place, in order of arrival.
pub(super) fn sizes(
    db: &dyn Database,
    after: Option<EventSeq>,
    rows_max: usize,
) -> anyhow::Result<Vec<Stored>> {
    let sql = "SELECT seq, source, pulled_at_ms,
                 length(body) + coalesce((SELECT CAST(sum(length(record)) AS BIGINT) FROM effects WHERE event_seq = e.seq), 0)
               FROM events e WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    db.rows(sql, cells![after.map_or(0, |seq| seq.0), rows_max], |row| {
        let size = Sized { source: row.get(1)?, pulled_at_ms: row.get(2)?, bytes: row.get(3)? };
        Ok(Stored { seq: EventSeq(row.get(0)?), size })
    })
}

/// Those of these events that nothing needs.
pub(super) fn removable(db: &dyn Database, seqs: &[EventSeq]) -> anyhow::Result<Vec<EventSeq>> {
    let of: Cell<'_> = seqs.iter().map(|seq| Cell::Int(seq.0)).collect();
    db.rows(REMOVABLE, &[of], |row| Ok(EventSeq(row.get(0)?)))
}
