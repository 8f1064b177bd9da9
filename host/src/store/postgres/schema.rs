//! The tables, and how those of an older version become those of this.

use crate::store::seal::StoreKeys;
use crate::store::sql::database::pending;
use anyhow::{Context as _, ensure};
use postgres::{Client, GenericClient};
use std::time::Duration;

/// Each entry brings the tables from the version of its index to the next. Never edit one that was released.
const MIGRATIONS: [&str; 2] = [include_str!("v1.sql"), include_str!("v2.sql")];
/// The oldest version whose hosts can work on the newest tables: while a group is upgraded, hosts of two releases do. A
/// migration that only adds what those leave alone does not raise it.
const WORKS_SINCE: i64 = 1;

/// Brings the tables to this version's, one host at a time.
pub(super) fn migrate(client: &mut Client, turn: i64) -> anyhow::Result<()> {
    let mut transaction = client.transaction()?;
    transaction.query_one("SELECT pg_advisory_xact_lock($1)", &[&turn])?;
    transaction.batch_execute(
        "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, works_since BIGINT NOT NULL)",
    )?;
    let now = newest(&mut transaction)?;
    let version = now.map_or(0, |(version, _)| version);
    for (next, sql) in (version + 1..).zip(missing(now)?) {
        transaction.batch_execute(sql).with_context(|| format!("bring it to schema {next}"))?;
        let sql = "INSERT INTO schema_versions (version, works_since) VALUES ($1, $2)";
        transaction.execute(sql, &[&next, &WORKS_SINCE])?;
    }
    transaction.commit().context("bring it to this schema")
}

/// The version of the tables, if there are any.
pub(super) fn version(client: &mut Client) -> anyhow::Result<Option<i64>> {
    let row = client.query_one("SELECT to_regclass('schema_versions') IS NOT NULL", &[])?;
    if !row.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let now = newest(client)?;
    missing(now)?;
    Ok(now.map(|(version, _)| version))
}

/// The version of the tables, and the oldest one whose hosts can work on them.
fn newest(client: &mut impl GenericClient) -> anyhow::Result<Option<(i64, i64)>> {
    let sql = "SELECT version, works_since FROM schema_versions ORDER BY version DESC LIMIT 1";
    let row = client.query_opt(sql, &[])?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// What brings such tables to this version's: nothing where they are newer and this version's hosts can work on them.
fn missing(now: Option<(i64, i64)>) -> anyhow::Result<&'static [&'static str]> {
    let known = i64::try_from(MIGRATIONS.len())?;
    match now {
        Some((version, works_since)) if version > known && works_since <= known => Ok(&[]),
        now => pending(&MIGRATIONS, now.map_or(0, |(version, _)| version)),
    }
}

/// The oldest server that has all that is asked of it, as it numbers itself: 14 ends sessions that are silent.
const SERVER_MIN: i32 = 140_000;

/// Refuses a server that is too old, and a database that text cannot be kept in as it is.
pub(super) fn check(client: &mut Client) -> anyhow::Result<()> {
    let sql = "SELECT current_setting('server_encoding'), current_setting('server_version_num')::int, current_setting('server_version')";
    let row = client.query_one(sql, &[])?;
    let (encoding, number, version): (String, i32, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    ensure!(number >= SERVER_MIN, "the server is PostgreSQL {version}: 14 or newer is needed");
    ensure!(
        encoding == "UTF8",
        "its encoding is {encoding}: make it with `CREATE DATABASE ... ENCODING 'UTF8'`"
    );
    Ok(())
}

/// What holds for the connection that writes: what it commits is on the disk, and it ends when its host is silent, or cannot be
/// heard, for so long; within a transaction, for which others may wait, for a shorter time.
pub(super) fn session(silent_max: Duration, within_max: Duration) -> String {
    let (ms, within_ms) = (silent_max.as_millis(), within_max.as_millis());
    format!(
        "SET synchronous_commit = on; SET idle_session_timeout = {ms}; SET idle_in_transaction_session_timeout = {within_ms};
         SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2"
    )
}

/// Refuses a database that needs a key which is not here.
pub(super) fn fits(client: &mut Client, keys: &StoreKeys) -> anyhow::Result<()> {
    let rows = client.query("SELECT fingerprint FROM store_keys", &[])?;
    let needed = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Vec<u8>>, _>>()?;
    keys.fit(&needed)
}

/// As [`fits`], and notes in the database that it needs the key that is written with.
pub(super) fn need(client: &mut Client, keys: &StoreKeys) -> anyhow::Result<()> {
    fits(client, keys)?;
    if let Some(fingerprint) = keys.written_with() {
        let sql = "INSERT INTO store_keys (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING";
        client.execute(sql, &[&fingerprint])?;
    }
    Ok(())
}

/// Refuses a database that a copy into it was begun and not ended.
pub(super) fn no_copy(client: &mut Client) -> anyhow::Result<()> {
    let is_copy = is_copy(client)?;
    ensure!(!is_copy, "a copy into it was begun and has not ended: `tidegate store copy` goes on with it");
    Ok(())
}

/// Refuses a database that has a store of its own; notes in it that it is a copy from now on, until that has ended.
pub(super) fn begin_copy(client: &mut Client) -> anyhow::Result<()> {
    if is_copy(client)? {
        return Ok(());
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM versions) OR EXISTS (SELECT 1 FROM strays)
                   OR EXISTS (SELECT 1 FROM audit)";
    let is_used: bool = client.query_one(sql, &[])?.try_get(0)?;
    ensure!(!is_used, "it has a store already: copy into a database that is new");
    client.batch_execute("CREATE TABLE copying ()")?;
    Ok(())
}

fn is_copy(client: &mut Client) -> anyhow::Result<bool> {
    Ok(client.query_one("SELECT to_regclass('copying') IS NOT NULL", &[])?.try_get(0)?)
}
