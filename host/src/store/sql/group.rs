//! What hosts that share the store say to each other, as the tables have it.

use super::database::{Cell, Database, Rows, cells};
use super::queries::list;
use super::tally::Tally;
use crate::account::AccountRow;
use crate::partition::{PARTITIONS, Partitions};
use crate::store::Batch;
use crate::store::group::{Behind, Errand, ErrandSeq, Follows, Member, Members, News, Said};

/// Who is there; `own` is the one that asks.
pub(super) fn members(db: &dyn Database, own: Option<i64>) -> anyhow::Result<Members> {
    let mut all: Vec<Member> = db.members()?;
    all.sort_by_key(|member| member.id);
    let own = all.iter().position(|member| Some(member.id) == own);
    Ok(Members { all, own })
}

/// Errands in these partitions, in their order.
pub(super) fn errands(
    db: &dyn Database,
    within: Partitions,
    deliveries: bool,
    rows_max: usize,
) -> anyhow::Result<Vec<(ErrandSeq, Errand)>> {
    let sql = "SELECT seq, unseal(record, 'errands.record', part) FROM errands
               WHERE part IN rarray(?1) AND is_delivery = ?2 ORDER BY seq LIMIT ?3";
    let of = [list(within), i64::from(deliveries).into(), rows_max.into()];
    db.rows(sql, &of, |row| Ok((ErrandSeq(row.get(0)?), serde_json::from_str(&row.text(1)?)?)))
}

/// What waits in each partition where something does. Of each the first is looked up, however much waits.
pub(super) fn behind(db: &dyn Database) -> anyhow::Result<Vec<Behind>> {
    let sql = "WITH RECURSIVE numbers(part) AS (SELECT 0 UNION ALL SELECT part + 1 FROM numbers WHERE part + 1 < ?1)
               SELECT CAST(part AS BIGINT),
                 (SELECT received_at_ms FROM events
                  WHERE seq = (SELECT min(event_seq) FROM plans WHERE state = 1 AND plans.part = numbers.part)),
                 (SELECT count(*) FROM errands WHERE is_delivery IN (0, 1) AND errands.part = numbers.part)
               FROM numbers";
    let rows = db.rows(sql, cells![i64::from(PARTITIONS)], |row| {
        let partition = [row.get::<i64>(0)?].into_iter().collect::<Partitions>().iter().next();
        let (oldest_ms, errands) = (row.get(1)?, row.get(2)?);
        Ok(partition.map(|partition| Behind { partition, oldest_ms, errands }))
    })?;
    Ok(rows.into_iter().flatten().filter(|row| row.oldest_ms.is_some() || row.errands > 0).collect())
}

/// How the sources are, as the host says that watches over them: it holds the first partition. While that has said nothing yet,
/// the one that said so last.
pub(super) fn sources(db: &dyn Database) -> anyhow::Result<Option<String>> {
    let sql = "SELECT sources FROM hosts WHERE sources IS NOT NULL
               ORDER BY CASE WHEN id = (SELECT host FROM partitions WHERE part = 0) THEN 0 ELSE 1 END, seen_at_ms DESC LIMIT 1";
    db.value(sql, &[])
}

/// What each version cost on the hosts other than this one. One of another release may say it in words that are not known here:
/// it is as if that had said nothing.
pub(super) fn accounts(db: &dyn Database, own: i64) -> anyhow::Result<Vec<Vec<AccountRow>>> {
    let sql = "SELECT record FROM accounts WHERE host <> ?1 ORDER BY host";
    db.rows(sql, cells![own], |row| Ok(serde_json::from_str(&row.text(0)?).unwrap_or_default()))
}

/// Writes what a host says of itself.
fn say(db: &dyn Database, said: &Said) -> anyhow::Result<()> {
    let sql = "UPDATE hosts SET seen_at_ms = ?2, left_at_ms = ?3, doing = ?4, sources = ?5 WHERE id = ?1";
    let (doing, left_at_ms) = (serde_json::to_string(&said.doing)?, said.leaves.then_some(said.at_ms));
    db.execute(sql, cells![said.host, said.at_ms, left_at_ms, doing, said.sources.as_ref()])?;
    let sql = "INSERT INTO accounts (host, record) VALUES (?1, ?2)
               ON CONFLICT (host) DO UPDATE SET record = excluded.record";
    db.execute(sql, cells![said.host, serde_json::to_string(&said.accounts)?])?;
    Ok(())
}

/// Writes what a host decides by, what a batch gives others to do, and takes out what was done.
pub(super) fn write(db: &dyn Database, batch: &Batch) -> anyhow::Result<()> {
    if let Some(Follows { host, deployment }) = batch.follows {
        db.execute("UPDATE hosts SET deployment = ?2 WHERE id = ?1", cells![host, deployment])?;
    }
    if !batch.errands_done.is_empty() {
        let done: Cell<'_> = batch.errands_done.iter().map(|seq| Cell::Int(seq.0)).collect();
        db.execute("DELETE FROM errands WHERE seq IN rarray(?1)", &[done])?;
    }
    if let Some(said) = &batch.said {
        say(db, said)?;
    }
    if batch.errands.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(3, 0);
    for new in &batch.errands {
        let partition = i64::from(new.partition.number());
        let record = serde_json::to_string(&new.errand)?;
        let record = db.seal("errands.record", cells![partition], record)?;
        rows.push([partition.into(), i64::from(new.errand.is_delivery()).into(), record]);
    }
    db.execute_many("INSERT INTO errands (part, is_delivery, record) VALUES (?1, ?2, ?3)", &rows)
}

/// Tells the others what there is for them in these batches.
pub(super) fn tell(db: &dyn Database, tally: &Tally, batches: &[&Batch]) -> anyhow::Result<()> {
    if batches.iter().any(|batch| !batch.deployments.is_empty() || !batch.tokens.is_empty()) {
        db.tell_others(News::Change)?;
    }
    if tally.has_more_to_do() || batches.iter().any(|batch| !batch.errands.is_empty()) {
        db.tell_others(News::Work)?;
    }
    Ok(())
}
