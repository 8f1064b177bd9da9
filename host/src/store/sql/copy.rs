//! Copies all that is in a store's file into a database, row by row: what is encrypted stays so. What is there from before an
//! interruption stays as it is, and in the end every row is read on both sides and compared.

use super::database::{Cell, Connection, Database, Row, Rows, cells};
use crate::store::seal::StoreKeys;
use crate::store::{postgres, sqlite};
use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use std::ops::ControlFlow;
use std::path::Path;

/// Rows and bytes after which what was read is written, in a transaction of its own.
const ROWS_MAX: usize = 1_000;
const BYTES_MAX: usize = 4 << 20;

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Its name.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}

/// Copies the store in this directory into the database at this URL, which holds nothing but what an earlier copy left.
/// `tell` hears of each table how many rows of it are there so far. Blocks.
///
/// # Errors
/// When a host has one of them open, the database has a store of its own, one of them fails - then the same again goes on -
/// or, in the end, they differ because the file was worked on in between.
pub fn copy(
    data: &Path,
    (url, password): (&str, Option<&str>),
    keys: &StoreKeys,
    tell: &mut dyn FnMut(&str, u64),
) -> anyhow::Result<Vec<Copied>> {
    ensure!(data.join("store.sqlite").exists(), "there is no store.sqlite in {}", data.display());
    let opened = sqlite::open(data, keys)?;
    let [_, mut from, _] = opened.connections;
    let mut to = postgres::open_for_copy(url, password, keys)?;
    let mut copied = Vec::new();
    for table in tables(&mut *from)? {
        copied.push(copy_table(&mut *from, &mut *to, table, tell)?);
    }
    to.write(&mut |db| db.execute("DROP TABLE copying", cells![]).map(drop))?;
    drop(opened.lock);
    Ok(copied)
}

/// A table, as the file has it; the database has the same columns.
struct Table {
    name: String,
    columns: Vec<String>,
    /// Which of them are its key, in the key's order.
    key: Vec<usize>,
}

fn tables(from: &mut dyn Connection) -> anyhow::Result<Vec<Table>> {
    let mut tables = Vec::new();
    from.read(&mut |db| {
        let sql =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let names: Vec<String> = db.rows(sql, cells![], |row| row.get(0))?;
        for name in names {
            let sql = "SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid";
            let columns: Vec<(String, i64)> =
                db.rows(sql, cells![&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut key: Vec<_> = (0..).zip(&columns).filter(|(_, (_, pk))| *pk > 0).collect();
            key.sort_by_key(|(_, (_, pk))| *pk);
            let key = key.into_iter().map(|(at, _)| at).collect();
            tables.push(Table { name, columns: columns.into_iter().map(|(name, _)| name).collect(), key });
        }
        Ok(())
    })?;
    Ok(tables)
}

fn copy_table(
    from: &mut dyn Connection,
    to: &mut dyn Connection,
    table: Table,
    tell: &mut dyn FnMut(&str, u64),
) -> anyhow::Result<Copied> {
    let (mut after, mut rows) = (None, 0);
    loop {
        let page = page(from, &table, after.as_deref())?;
        let Some(last) = page.iter().last() else { break };
        after = Some(table.key.iter().map(|at| last[*at].clone()).collect::<Vec<_>>());
        let written = to.write(&mut |db| db.execute_many(&table.insertion(), &page));
        written.with_context(|| format!("copy {}", table.name))?;
        rows += page.iter().len();
        tell(&table.name, u64::try_from(rows)?);
    }
    let (here, there) = (digest(from, &table)?, digest(to, &table)?);
    ensure!(
        here == there,
        "{} is not the same on both sides ({} rows and {}): a host worked on the file since the copy began; drop the database, \
         make it anew and copy again",
        table.name,
        here.0,
        there.0
    );
    to.write(&mut |db| count_on(db, &table.name))?;
    Ok(Copied { table: table.name, rows: here.0 })
}

impl Table {
    fn insertion(&self) -> String {
        let values: Vec<_> = (1..=self.columns.len()).map(|at| format!("?{at}")).collect();
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({}) ON CONFLICT DO NOTHING",
            self.name,
            self.columns.join(", "),
            values.join(", ")
        )
    }

    /// Rows behind the key that is given, in the key's order.
    fn selection(&self, is_behind: bool) -> String {
        let key: Vec<_> = self.key.iter().map(|at| self.columns[*at].as_str()).collect();
        let values: Vec<_> = (1..=key.len()).map(|at| format!("?{at}")).collect();
        let (columns, key) = (self.columns.join(", "), key.join(", "));
        let behind =
            if is_behind { format!("WHERE ({key}) > ({})", values.join(", ")) } else { String::new() };
        format!("SELECT {columns} FROM {} {behind} ORDER BY {key}", self.name)
    }
}

/// Some rows behind this key, one after the other; none when there are none.
fn page(
    from: &mut dyn Connection,
    table: &Table,
    after: Option<&[Cell<'static>]>,
) -> anyhow::Result<Rows<'static>> {
    let width = table.columns.len();
    let (mut page, mut bytes) = (Rows::new(width, 0), 0);
    from.read(&mut |db| {
        db.each(&table.selection(after.is_some()), after.unwrap_or_default(), &mut |row| {
            let cells = (0..width).map(|column| Ok(row.cell(column)?.into_owned()));
            let cells = cells.collect::<anyhow::Result<Vec<_>>>()?;
            bytes += cells.iter().map(|cell| cell.as_bytes().map_or(8, <[u8]>::len)).sum::<usize>();
            page.push(cells);
            let is_full = page.iter().len() >= ROWS_MAX || bytes >= BYTES_MAX;
            Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    })?;
    Ok(page)
}

/// How many rows there are, and what tells them from others, whatever their order.
fn digest(of: &mut dyn Connection, table: &Table) -> anyhow::Result<(u64, u128)> {
    let (mut rows, mut sum) = (0, 0_u128);
    of.read(&mut |db| {
        (rows, sum) = (0, 0);
        db.each(&table.selection(false), &[], &mut |row| {
            rows += 1;
            sum = sum.wrapping_add(row_digest(row)?);
            Ok(ControlFlow::Continue(()))
        })
    })?;
    Ok((rows, sum))
}

/// Text that may be encrypted is bytes in the database: both are what they consist of.
fn row_digest(row: &Row<'_>) -> anyhow::Result<u128> {
    let mut hash = Sha256::new();
    for column in 0..row.count() {
        let cell = row.cell(column)?;
        match (&cell, cell.as_bytes()) {
            (_, Some(bytes)) => {
                hash.update([1]);
                hash.update(bytes.len().to_be_bytes());
                hash.update(bytes);
            }
            (Cell::Int(number), None) => {
                hash.update([2]);
                hash.update(number.to_be_bytes());
            }
            _ => hash.update([0]),
        }
    }
    let hash: [u8; 32] = hash.finalize().into();
    let (first, _) = hash.split_first_chunk().context("a hash has 32 bytes")?;
    Ok(u128::from_be_bytes(*first))
}

/// The next row that the database makes itself has a number of its own.
fn count_on(db: &dyn Database, table: &str) -> anyhow::Result<()> {
    let sql = "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
               WHERE table_schema = current_schema() AND CAST(table_name AS TEXT) = ?1 AND is_identity = 'YES'";
    if let Some(column) = db.value::<String>(sql, cells![table])? {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 0) + 1, false) FROM {table}"
        );
        db.value::<i64>(&sql, cells![])?;
    }
    Ok(())
}
