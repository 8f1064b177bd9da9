//! Looks through what is in the tables, row by row. What PostgreSQL itself keeps of rows that are gone - dead ones until a
//! vacuum, its log, its backups - cannot be seen from here.

use crate::store::keeping::{Look, Looked};
use crate::store::look::look_through;
use anyhow::Context as _;
use postgres::Client;

/// Looks through every table, after a vacuum where it is asked for.
pub(super) fn look(client: &mut Client, look: &Look, anew: bool) -> anyhow::Result<Vec<Looked>> {
    let sql = "SELECT quote_ident(tablename), tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename";
    let mut looked = Vec::new();
    for row in client.query(sql, &[])? {
        let (quoted, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if anew {
            client.batch_execute(&format!("VACUUM {quoted}")).with_context(|| format!("vacuum {name}"))?;
        }
        // Bytes and text stand in this format as they are.
        let rows = client.copy_out(&format!("COPY {quoted} TO STDOUT (FORMAT binary)"))?;
        looked.push(look_through(rows, name, look)?);
    }
    Ok(looked)
}
