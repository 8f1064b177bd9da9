//! A tenure as locks and rows of PostgreSQL: what begins a transaction, what becomes of one, who is let in.

use super::{WAIT, roster};
use crate::partition::Partitions;
use crate::store::group::{Host, News};
use crate::store::sql::tenure::{Session, Tenure};
use anyhow::{Context as _, bail, ensure};
use postgres::Client;
use postgres::types::ToSql;
use std::time::{Duration, Instant};

/// How long a host that has died may still have the database open, as the server sees it.
const LEFT_OPEN_MAX: Duration = Duration::from_secs(5);
/// Whoever works on the database holds this lock: alone, or with others that share it. Any number that nobody else takes.
const AT_WORK: i64 = 0x7469_6465_6761_7401;
/// Held for as long as a transaction: hosts that share the database write one after the other, so the places of rows are in
/// the order in which they can be seen.
pub(super) const TURN: i64 = 0x7469_6465_6761_7402;
/// What hosts tell each other is told here.
pub(super) const LISTEN: &str = "LISTEN tidegate";
/// With its id, the lock of a host that shares the database; with its number, that of a partition.
pub(super) const HOST: i32 = 0x7469_6401;
pub(super) const PARTITION: i32 = 0x7469_6402;

/// What begins a transaction, and signs it; its last row is the transaction's id.
pub(super) fn begin(tenure: &Tenure) -> String {
    let turn = if tenure.shares() { format!("SELECT pg_advisory_xact_lock({TURN});") } else { String::new() };
    let sign = format!("UPDATE hosts SET queues = queues WHERE id = {};", tenure.id().unwrap_or_default());
    format!("BEGIN; {turn} {sign} SELECT pg_current_xact_id()::text")
}

/// Whether this transaction of this host's was committed; waits while that is not decided. A server that crashed may have
/// given its id to another since, so the id alone proves nothing: each transaction leaves it on its host's own row.
pub(super) fn was_committed(tenure: &Tenure, client: &mut Client, transaction: &str) -> anyhow::Result<bool> {
    let sql = "SELECT xmin::text FROM hosts WHERE id = $1 FOR UPDATE";
    let Some(row) = client.query_opt(sql, &[&tenure.id()])? else { return Ok(false) };
    let last: u64 = row.try_get::<_, String>(0)?.parse().context("read who wrote a row")?;
    let id: u64 = transaction.parse().context("read a transaction's id")?;
    Ok(last == id % (1 << 32))
}

/// Asks once to be let in.
pub(super) fn try_lock(tenure: &Tenure, client: &mut Client) -> Result<bool, postgres::Error> {
    let sql = match tenure.shares() {
        true => "SELECT pg_try_advisory_lock_shared($1)",
        false => "SELECT pg_try_advisory_lock($1)",
    };
    client.query_one(sql, &[&AT_WORK])?.try_get(0)
}

/// Whoever is to be let in says when it is enough.
pub(super) fn may_wait(tenure: &Tenure, since: Instant) -> anyhow::Result<()> {
    let is_early = since.elapsed() < LEFT_OPEN_MAX;
    ensure!(
        is_early || tenure.is_patient(),
        "another tidegate works on it: stop it, or name another database"
    );
    Ok(())
}

/// A connection as what a tenure is made of.
pub(super) struct Locks<'c> {
    client: &'c mut Client,
    since: Instant,
}

impl<'c> Locks<'c> {
    pub(super) fn new(client: &'c mut Client) -> Self {
        Self { client, since: Instant::now() }
    }
}

impl Session for Locks<'_> {
    fn introduce(&mut self, host: Option<&Host>) -> anyhow::Result<i64> {
        let (name, queues) = host.map_or(("", 0), |host| (host.name.as_str(), host.queues));
        roster::forget(self.client)?;
        let sql = "INSERT INTO hosts (name, queues, release) VALUES ($1, $2, $3) RETURNING id";
        let of: [&(dyn ToSql + Sync); 3] = [&name, &i64::try_from(queues)?, &env!("CARGO_PKG_VERSION")];
        Ok(self.client.query_one(sql, &of)?.try_get(0)?)
    }

    fn appear(&mut self, host: i64) -> anyhow::Result<()> {
        self.client.query_one("SELECT pg_advisory_lock_shared($1, $2)", &[&HOST, &i32::try_from(host)?])?;
        Ok(())
    }

    fn try_lock(&mut self, wanted: Partitions) -> anyhow::Result<Partitions> {
        let sql = "SELECT part FROM unnest($2::int8[]) part WHERE pg_try_advisory_lock($1, part::int4)";
        let rows = self.client.query(sql, &[&PARTITION, &numbers(wanted)])?;
        Ok(rows.iter().map(|row| row.try_get::<_, i64>(0)).collect::<Result<_, _>>()?)
    }

    fn unlock(&mut self, lost: Partitions) -> anyhow::Result<()> {
        let sql = "SELECT pg_advisory_unlock($1, part::int4) FROM unnest($2::int8[]) part";
        self.client.query(sql, &[&PARTITION, &numbers(lost)])?;
        Ok(())
    }

    fn note(&mut self, host: i64, held: Partitions) -> anyhow::Result<()> {
        let sql = "INSERT INTO partitions (part, host) SELECT part, $1 FROM unnest($2::int8[]) part
                   ON CONFLICT (part) DO UPDATE SET host = excluded.host";
        self.client.execute(sql, &[&host, &numbers(held)])?;
        Ok(())
    }

    fn noted(&mut self, host: i64, held: Partitions) -> anyhow::Result<Partitions> {
        let sql = "SELECT part FROM partitions WHERE host = $1 AND part = ANY($2)";
        let rows = self.client.query(sql, &[&host, &numbers(held)])?;
        Ok(rows.iter().map(|row| row.try_get::<_, i64>(0)).collect::<Result<_, _>>()?)
    }

    fn tell(&mut self) -> anyhow::Result<()> {
        Ok(self.client.batch_execute(notify(News::Change))?)
    }

    fn wait(&mut self, missing: Partitions) -> anyhow::Result<()> {
        if self.since.elapsed() > LEFT_OPEN_MAX {
            bail!("partitions {missing:?} are locked still: the session before has not ended");
        }
        std::thread::park_timeout(WAIT);
        Ok(())
    }
}

/// What others hear who [`LISTEN`].
pub(super) const fn notify(news: News) -> &'static str {
    match news {
        News::Work => "NOTIFY tidegate, 'work'",
        News::Change => "NOTIFY tidegate, 'change'",
    }
}

fn numbers(partitions: Partitions) -> Vec<i64> {
    partitions.iter().map(|partition| partition.number().into()).collect()
}
