//! Who a host is among those that work on the database, and what it holds there. All of it is locks of the one session that
//! writes: the server takes them from a host that is gone, or silent for too long, and what is written without them is not
//! written. The host that held a partition last stands in a table, so that one whose session was lost and made anew sees
//! whether another had it in between.

use super::{WAIT, roster};
use crate::partition::Partitions;
use crate::store::group::{Host, News};
use crate::store::sql::Others;
use crate::store::sql::database::TakenOver;
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

/// The tenure of the session that writes.
pub(super) struct Tenure {
    others: Others,
    /// Which host it is of all that ever worked on the database; none before it was let in.
    id: Option<i64>,
    held: Partitions,
}

impl Tenure {
    pub(super) const fn new(others: Others) -> Self {
        Self { others, id: None, held: Partitions::NONE }
    }

    pub(super) const fn id(&self) -> Option<i64> {
        self.id
    }

    /// Whether other hosts may be at work, too.
    pub(super) const fn shares(&self) -> bool {
        self.as_shared().is_some()
    }

    const fn as_shared(&self) -> Option<&Host> {
        match &self.others {
            Others::Share(host) => Some(host),
            Others::Refuse | Others::Await => None,
        }
    }

    /// Whether it waits for those that are in its way, for as long as that takes.
    pub(super) const fn is_patient(&self) -> bool {
        !matches!(self.others, Others::Refuse)
    }

    /// What begins a transaction, and signs it; its last row is the transaction's id.
    pub(super) fn begin(&self) -> String {
        let turn =
            if self.shares() { format!("SELECT pg_advisory_xact_lock({TURN});") } else { String::new() };
        let sign = format!("UPDATE hosts SET queues = queues WHERE id = {};", self.id.unwrap_or_default());
        format!("BEGIN; {turn} {sign} SELECT pg_current_xact_id()::text")
    }

    /// Whether this transaction of this host's was committed; waits while that is not decided. A server that crashed may have
    /// given its id to another since, so the id alone proves nothing: each transaction leaves it on its host's own row.
    pub(super) fn was_committed(&self, client: &mut Client, transaction: &str) -> anyhow::Result<bool> {
        let sql = "SELECT xmin::text FROM hosts WHERE id = $1 FOR UPDATE";
        let Some(row) = client.query_opt(sql, &[&self.id])? else { return Ok(false) };
        let last: u64 = row.try_get::<_, String>(0)?.parse().context("read who wrote a row")?;
        let id: u64 = transaction.parse().context("read a transaction's id")?;
        Ok(last == id % (1 << 32))
    }

    /// Fails when another host has held what this one holds.
    pub(super) fn check(&self, client: &mut Client) -> anyhow::Result<()> {
        let Some(id) = self.id else { return Ok(()) };
        let sql = "SELECT count(*) FROM partitions WHERE host = $1 AND part = ANY($2)";
        let own: i64 = client.query_one(sql, &[&id, &numbers(self.held)])?.try_get(0)?;
        if own == i64::from(self.held.len()) { Ok(()) } else { Err(TakenOver.into()) }
    }

    /// Asks once to be let in.
    pub(super) fn try_lock(&self, client: &mut Client) -> Result<bool, postgres::Error> {
        let sql = match self.shares() {
            true => "SELECT pg_try_advisory_lock_shared($1)",
            false => "SELECT pg_try_advisory_lock($1)",
        };
        client.query_one(sql, &[&AT_WORK])?.try_get(0)
    }

    /// Whoever is to be let in says when it is enough.
    pub(super) fn may_wait(&self, since: Instant) -> anyhow::Result<()> {
        let is_early = since.elapsed() < LEFT_OPEN_MAX;
        ensure!(
            is_early || self.is_patient(),
            "another tidegate works on it: stop it, or name another database"
        );
        Ok(())
    }

    /// Has been let in: it takes its id and what it holds, or, on a session made anew, the same as before.
    pub(super) fn enter(&mut self, client: &mut Client) -> anyhow::Result<()> {
        let id = match self.id {
            Some(id) => id,
            None => self.introduce(client)?,
        };
        if self.shares() {
            client.query_one("SELECT pg_advisory_lock_shared($1, $2)", &[&HOST, &i32::try_from(id)?])?;
            self.lock_again(client)?;
            tell(client)?;
        }
        self.id = Some(id);
        Ok(())
    }

    /// The first time: one more host. One that does not share holds everything from now on.
    fn introduce(&mut self, client: &mut Client) -> anyhow::Result<i64> {
        let (name, queues) = self.as_shared().map_or(("", 0), |host| (host.name.as_str(), host.queues));
        roster::forget(client)?;
        let sql = "INSERT INTO hosts (name, queues, release) VALUES ($1, $2, $3) RETURNING id";
        let of: [&(dyn ToSql + Sync); 3] = [&name, &i64::try_from(queues)?, &env!("CARGO_PKG_VERSION")];
        let id = client.query_one(sql, &of)?.try_get(0)?;
        if !self.shares() {
            note(client, id, Partitions::ALL)?;
            self.held = Partitions::ALL;
        }
        Ok(id)
    }

    /// On a session made anew. The server may not have noticed yet that the one before is gone.
    fn lock_again(&self, client: &mut Client) -> anyhow::Result<()> {
        let (since, mut missing) = (Instant::now(), self.held);
        loop {
            missing = missing.without(try_lock(client, missing)?);
            if missing.is_empty() {
                return Ok(());
            }
            if since.elapsed() > LEFT_OPEN_MAX {
                bail!("partitions {missing:?} are locked still: the session before has not ended");
            }
            std::thread::park_timeout(WAIT);
            self.check(client)?;
        }
    }

    /// Takes those of these partitions that nobody holds.
    pub(super) fn claim(&mut self, client: &mut Client, wanted: Partitions) -> anyhow::Result<Partitions> {
        let id = self.id.context("claim partitions: not let in yet")?;
        let got = try_lock(client, wanted.without(self.held))?;
        note(client, id, got)?;
        self.held = self.held.with(got);
        Ok(got)
    }

    /// Gives these away, and tells the others.
    pub(super) fn release(&mut self, client: &mut Client, lost: Partitions) -> anyhow::Result<()> {
        self.held = self.held.without(lost);
        let sql = "SELECT pg_advisory_unlock($1, part::int4) FROM unnest($2::int8[]) part";
        client.query(sql, &[&PARTITION, &numbers(lost)])?;
        tell(client)
    }
}

/// Those of these that nobody holds are locked from now on.
fn try_lock(client: &mut Client, wanted: Partitions) -> anyhow::Result<Partitions> {
    let sql = "SELECT part FROM unnest($2::int8[]) part WHERE pg_try_advisory_lock($1, part::int4)";
    let rows = client.query(sql, &[&PARTITION, &numbers(wanted)])?;
    Ok(rows.iter().map(|row| row.try_get::<_, i64>(0)).collect::<Result<_, _>>()?)
}

/// This host held them last.
fn note(client: &mut Client, id: i64, held: Partitions) -> anyhow::Result<()> {
    let sql = "INSERT INTO partitions (part, host) SELECT part, $1 FROM unnest($2::int8[]) part
               ON CONFLICT (part) DO UPDATE SET host = excluded.host";
    client.execute(sql, &[&id, &numbers(held)])?;
    Ok(())
}

/// The others look who is there.
fn tell(client: &mut Client) -> anyhow::Result<()> {
    Ok(client.batch_execute(notify(News::Change))?)
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
