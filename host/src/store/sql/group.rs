//! What hosts that share the store say to each other, as the tables have it.

use super::database::{Cell, Database, Rows, cells};
use super::queries::list;
use super::tally::Tally;
use crate::partition::Partitions;
use crate::store::Batch;
use crate::store::group::{Errand, ErrandSeq, Follows, Member, Members, News};

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

/// Writes what a host decides by, what a batch gives others to do, and takes out what was done.
pub(super) fn write(db: &dyn Database, batch: &Batch) -> anyhow::Result<()> {
    if let Some(Follows { host, deployment }) = batch.follows {
        db.execute("UPDATE hosts SET deployment = ?2 WHERE id = ?1", cells![host, deployment])?;
    }
    if !batch.errands_done.is_empty() {
        let done: Cell<'_> = batch.errands_done.iter().map(|seq| Cell::Int(seq.0)).collect();
        db.execute("DELETE FROM errands WHERE seq IN rarray(?1)", &[done])?;
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
