//! Looks at a database without changing it, beside a host that works on it or without one.

use super::schema;
use super::server::Server;
use crate::store::seal::StoreKeys;
use anyhow::Context as _;

/// What there is in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The server, as it calls itself.
    pub server: String,
    /// The schema of the tables.
    pub schema: i64,
    /// Bytes of all that the database has.
    pub bytes: i64,
}

/// Looks at a database; nothing where no host was ever at work on it. Blocks.
///
/// # Errors
/// When it cannot be reached, a key is missing that it is encrypted with, or a newer Tidegate wrote it.
pub fn look(url: &str, password: Option<&str>, keys: &StoreKeys) -> anyhow::Result<Option<Found>> {
    let server = Server::new(url, password)?;
    let mut client = server.connect()?;
    let Some(schema) = schema::version(&mut client)? else { return Ok(None) };
    schema::fits(&mut client, keys).with_context(|| format!("look at {}", server.name))?;
    let sql =
        "SELECT 'PostgreSQL ' || current_setting('server_version'), pg_database_size(current_database())";
    let row = client.query_one(sql, &[])?;
    Ok(Some(Found { server: row.try_get(0)?, schema, bytes: row.try_get(1)? }))
}
