//! A database for each directory that a host is started in, where `TIDEGATE_TEST_POSTGRES` names a server. It goes when its
//! directory has gone. Knows nothing of what is kept there.

use anyhow::{Context as _, ensure};
use postgres::error::SqlState;
use postgres::{Client, Config, NoTls};
use std::path::{Path, absolute};
use tidegate_envelope::Digest;

/// The variable that names a server: `postgres://USER@HOST:PORT`.
pub const SERVER: &str = "TIDEGATE_TEST_POSTGRES";

/// Where the host in this directory keeps everything; nothing where that is a file.
///
/// # Errors
/// When the variable names no server.
pub fn url(dir: &Path) -> anyhow::Result<Option<String>> {
    let Some(server) = server()? else { return Ok(None) };
    let (user, port) = (server.get_user(), server.get_ports().first());
    let (user, port) = user.zip(port).with_context(|| format!("{SERVER} has a user and a port"))?;
    Ok(Some(format!("postgres://{user}@127.0.0.1:{port}/{}?sslmode=disable", name(dir)?)))
}

/// Makes this directory's database, unless it is there, and drops those whose directories are gone.
///
/// # Errors
/// When the server does not do that.
pub fn ensure(dir: &Path) -> anyhow::Result<()> {
    let Some(server) = server()? else { return Ok(()) };
    let (name, dir) = (name(dir)?, absolute(dir)?);
    let dir = dir.to_str().context("the directory's path is UTF-8")?;
    on_a_thread(|| {
        let mut client = connect(server, "postgres")?;
        match client.batch_execute(&format!("CREATE DATABASE {name}")) {
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => return Ok(()),
            done => done.context("make a database")?,
        }
        client.batch_execute(&format!("COMMENT ON DATABASE {name} IS '{dir}'")).context("name its folder")?;
        let sql = "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database
                   WHERE datname LIKE 'tidegate_of_%' AND shobj_description(oid, 'pg_database') IS NOT NULL";
        for row in client.query(sql, &[]).context("list the databases")? {
            let (name, dir): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            if !Path::new(&dir).exists() {
                // Another test may be about to drop it, too.
                client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).ok();
            }
        }
        Ok(())
    })
}

/// All that stands in the tables of this directory's database, value by value; nothing where its store is a file.
///
/// # Errors
/// When the server does not give it, or there is no table.
pub fn values(dir: &Path) -> anyhow::Result<Option<Vec<Vec<u8>>>> {
    let Some(server) = server()? else { return Ok(None) };
    let name = name(dir)?;
    on_a_thread(|| {
        let mut client = connect(server, &name)?;
        let sql = "SELECT quote_ident(table_name), quote_ident(column_name),
                          CASE data_type WHEN 'bytea' THEN '' ELSE '::text::bytea' END
                   FROM information_schema.columns WHERE table_schema = 'public'";
        let columns = client.query(sql, &[]).context("list the columns")?;
        ensure!(!columns.is_empty(), "there are tables");
        let mut all = Vec::new();
        for column in columns {
            let (table, column, cast): (String, String, String) =
                (column.try_get(0)?, column.try_get(1)?, column.try_get(2)?);
            let sql = format!("SELECT {column}{cast} FROM {table} WHERE {column} IS NOT NULL");
            for row in client.query(&sql, &[]).with_context(|| format!("read {table}.{column}"))? {
                all.push(row.try_get(0)?);
            }
        }
        Ok(Some(all))
    })
}

fn server() -> anyhow::Result<Option<Config>> {
    let Ok(server) = std::env::var(SERVER) else { return Ok(None) };
    server.parse().map(Some).with_context(|| format!("read {SERVER}"))
}

/// The same for as long as the directory is there.
fn name(dir: &Path) -> anyhow::Result<String> {
    let dir = absolute(dir).context("find a directory")?;
    let digest = Digest::of(dir.as_os_str().as_encoded_bytes()).to_string();
    Ok(format!("tidegate_of_{}", digest.get(..32).context("a digest is longer")?))
}

fn connect(mut server: Config, database: &str) -> anyhow::Result<Client> {
    server.dbname(database).connect(NoTls).with_context(|| format!("connect to {database}"))
}

/// The client blocks, and tests are not to.
fn on_a_thread<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
