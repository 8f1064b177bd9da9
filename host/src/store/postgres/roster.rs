//! Which hosts share the database, by what they said of themselves and by the locks of their sessions.

use super::tenure::{HOST, PARTITION};
use crate::partition::Partitions;
use crate::store::group::{Host, KnownHost, Member};
use crate::store::sql::database::{Cell, Database, Row};
use postgres::Client;

/// For how long a host that is gone is remembered.
const REMEMBERED: &str = "interval '1 day'";

/// The locks of this database of which the second number says whose they are.
fn locks() -> String {
    format!(
        "SELECT pid, classid, objid::int8 FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid IN ({HOST}, {PARTITION})
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
}

/// The hosts that share the database and whose session stands.
pub(super) fn members(db: &dyn Database) -> anyhow::Result<Vec<Member>> {
    let sql = format!(
        "WITH locks(pid, class, number) AS ({})
         SELECT id, name, queues, deployment FROM hosts WHERE id IN (SELECT number FROM locks WHERE class = {HOST})",
        locks()
    );
    db.rows(&sql, &[], member)
}

/// Those, and those that said something of themselves since this time. A session that was lost and the one in its place may
/// both be seen for a moment.
pub(super) fn hosts(db: &dyn Database, since_ms: u64) -> anyhow::Result<Vec<KnownHost>> {
    let sql = format!(
        "WITH locks(pid, class, number) AS MATERIALIZED ({}), known AS (
           SELECT hosts.*, (SELECT count(*) FROM locks WHERE class = {HOST} AND number = id) AS sessions FROM hosts
         )
         SELECT id, name, queues, deployment, release, joined_at_ms, seen_at_ms, left_at_ms, sessions, doing,
           (SELECT json_agg(DISTINCT held.number)::text FROM locks held JOIN locks host USING (pid)
            WHERE held.class = {PARTITION} AND host.class = {HOST} AND host.number = id)
         FROM known WHERE queues > 0 AND (sessions > 0 OR seen_at_ms >= ?1) ORDER BY id",
        locks()
    );
    db.rows(&sql, &[Cell::from(since_ms)], |row| {
        Ok(KnownHost {
            member: member(row)?,
            release: row.get(4)?,
            joined_at_ms: row.get(5)?,
            seen_at_ms: row.get(6)?,
            left_at_ms: row.get(7)?,
            is_there: row.get(8)?,
            doing: row.json(9)?,
            holds: row.json::<Vec<i64>>(10)?.into_iter().flatten().collect::<Partitions>(),
        })
    })
}

fn member(row: &Row<'_>) -> anyhow::Result<Member> {
    let host = Host { name: row.get(1)?, queues: usize::try_from(row.get::<i64>(2)?)? };
    Ok(Member { id: row.get(0)?, host, deployment: row.get(3)? })
}

/// Forgets the hosts that have been gone for long.
pub(super) fn forget(client: &mut Client) -> anyhow::Result<()> {
    let sql = format!(
        "DELETE FROM hosts WHERE seen_at_ms < (extract(epoch FROM clock_timestamp() - {REMEMBERED}) * 1000)::int8
           AND id NOT IN (SELECT number FROM ({}) AS locks(pid, class, number) WHERE class = {HOST})",
        locks()
    );
    Ok(client.batch_execute(&sql)?)
}
