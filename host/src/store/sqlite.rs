//! The store on one SQLite file: reads go past the connection that writes (WAL).

mod checkpoint;
mod function;
pub mod inspect;
mod look;
mod schema;
mod shared;

use super::group::{Change, KnownHost, Member, News};
use super::keeping::Pages;
use super::seal::StoreKeys;
use super::sql::Opened;
use super::sql::database::{Cell, Columns, Connection, Database, Read, Row, Rows, Work};
use crate::partition::Partitions;
use anyhow::{Context as _, bail};
use rusqlite::CachedStatement;
use rusqlite::types::{Value, ValueRef};
use rusqlite::vtab::array::Array;
use std::borrow::Cow;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

pub use shared::Server;
pub(super) use shared::open as open_shared;

/// Opens or makes `store.sqlite` in this directory.
pub(super) fn open(dir: &Path, keys: &StoreKeys) -> anyhow::Result<Opened> {
    std::fs::create_dir_all(dir).with_context(|| format!("make the directory {}", dir.display()))?;
    let lock = File::create(dir.join("store.lock")).context("make the store's lock file")?;
    if lock.try_lock().is_err() {
        bail!("another tidegate has {} open: stop it, or name another directory with --data", dir.display());
    }
    let path = dir.join("store.sqlite");
    let connect = || anyhow::Ok(Box::new(Sqlite { db: schema::connect(&path, keys)?, keys: keys.clone() }));
    let mut writer = connect()?;
    schema::migrate(&mut writer.db, keys).with_context(|| format!("open {}", path.display()))?;
    schema::need(&writer.db, keys).with_context(|| format!("open {}", path.display()))?;
    checkpoint::beside(&mut writer.db, &path)?;
    let connections: [Box<dyn Connection>; 3] = [writer, connect()?, connect()?];
    let keys = keys.clone();
    let look = Arc::new(move |look: &_, anew| look::look(&path, &keys, look, anew));
    Ok(Opened { connections, look, lock: Some(Box::new(lock)), own: None, ear: None })
}

/// A database in memory that this process knows by this name: what writes it, and what reads it.
pub(super) fn in_memory(name: &str) -> anyhow::Result<(Box<dyn Connection>, Box<dyn Connection>)> {
    let (uri, keys) = (in_memory_at(name), StoreKeys::default());
    let connect = || anyhow::Ok(Box::new(Sqlite { db: schema::connect(&uri, &keys)?, keys: keys.clone() }));
    let mut writer = connect()?;
    schema::migrate(&mut writer.db, &keys)?;
    Ok((writer, connect()?))
}

/// Where SQLite has a database of this name in memory.
fn in_memory_at(name: &str) -> PathBuf {
    format!("file:/{name}?vfs=memdb").into()
}

struct Sqlite {
    db: rusqlite::Connection,
    keys: StoreKeys,
}

impl Sqlite {
    const fn on(&self) -> On<'_> {
        On { db: &self.db, keys: &self.keys, server: None }
    }

    fn write_with(&mut self, server: Option<&Server>, write: &mut Work<'_>) -> anyhow::Result<()> {
        let transaction = self.db.transaction().context("begin a transaction")?;
        write(&On { db: &transaction, keys: &self.keys, server })?;
        transaction.commit().context("commit")
    }
}

impl Connection for Sqlite {
    fn read(&mut self, read: &mut Work<'_>) -> anyhow::Result<()> {
        read(&self.on())
    }

    fn write(&mut self, write: &mut Work<'_>) -> anyhow::Result<()> {
        self.write_with(None, write)
    }

    /// A file is one host's.
    fn hold(&mut self, change: Change) -> anyhow::Result<Partitions> {
        Ok(match change {
            Change::Claim(wanted) => wanted,
            Change::Release(_) => Partitions::NONE,
        })
    }
}

/// A connection, with a transaction on it or without.
struct On<'c> {
    db: &'c rusqlite::Connection,
    keys: &'c StoreKeys,
    /// Of several hosts on one database.
    server: Option<&'c Server>,
}

impl Database for On<'_> {
    fn execute(&self, sql: &str, of: &[Cell<'_>]) -> anyhow::Result<u64> {
        let mut statement = self.db.prepare_cached(sql)?;
        bind(&mut statement, of)?;
        Ok(u64::try_from(statement.raw_execute()?)?)
    }

    fn each(&self, sql: &str, of: &[Cell<'_>], read: &mut Read<'_>) -> anyhow::Result<()> {
        let mut statement = self.db.prepare_cached(sql)?;
        bind(&mut statement, of)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if read(&Row(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn execute_many(&self, sql: &str, rows: &Rows<'_>) -> anyhow::Result<()> {
        let mut statement = self.db.prepare_cached(sql)?;
        for row in rows.iter() {
            bind(&mut statement, row)?;
            statement.raw_execute()?;
        }
        Ok(())
    }

    fn insert_many(&self, sql: &str, rows: &Rows<'_>) -> anyhow::Result<Vec<Option<i64>>> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut seqs = Vec::with_capacity(rows.iter().len());
        for row in rows.iter() {
            bind(&mut statement, row)?;
            let inserted = statement.raw_execute()?;
            seqs.push((inserted > 0).then(|| self.db.last_insert_rowid()));
        }
        Ok(seqs)
    }

    fn give_back(&self, pages_max: u32) -> anyhow::Result<()> {
        // Moves pages from the end of the file to free ones before them, and cuts the file; each row is one page.
        self.each(&format!("PRAGMA incremental_vacuum({pages_max})"), &[], &mut |_| {
            Ok(ControlFlow::Continue(()))
        })
    }

    fn pages(&self) -> anyhow::Result<Pages> {
        let read = |sql| self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
        Ok(Pages {
            all: read("PRAGMA page_count")?,
            free: read("PRAGMA freelist_count")?,
            bytes: read("PRAGMA page_size")?,
        })
    }

    fn members(&self) -> anyhow::Result<Vec<Member>> {
        self.server.map_or_else(|| Ok(Vec::new()), |server| server.members(self))
    }

    fn hosts(&self, _: u64) -> anyhow::Result<Vec<KnownHost>> {
        Ok(Vec::new())
    }

    fn tell_others(&self, news: News) -> anyhow::Result<()> {
        if let Some(server) = self.server {
            server.note_news(news);
        }
        Ok(())
    }

    fn keys(&self) -> &StoreKeys {
        self.keys
    }
}

impl Columns for rusqlite::Row<'_> {
    fn cell(&self, column: usize) -> anyhow::Result<Cell<'_>> {
        cell_of(self.get_ref(column)?)
    }

    fn count(&self) -> usize {
        self.as_ref().column_count()
    }
}

fn bind(statement: &mut CachedStatement<'_>, of: &[Cell<'_>]) -> anyhow::Result<()> {
    for (index, cell) in (1..).zip(of) {
        match cell {
            Cell::Null => statement.raw_bind_parameter(index, rusqlite::types::Null)?,
            Cell::Int(number) => statement.raw_bind_parameter(index, number)?,
            Cell::Text(text) => statement.raw_bind_parameter(index, text.as_ref())?,
            Cell::Bytes(bytes) => statement.raw_bind_parameter(index, bytes.as_ref())?,
            Cell::Id(bytes) => statement.raw_bind_parameter(index, &bytes[..])?,
            Cell::List(cells) => {
                let values: Array = Rc::new(cells.iter().map(owned).collect());
                statement.raw_bind_parameter(index, values)?;
            }
        }
    }
    Ok(())
}

fn owned(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Null | Cell::List(_) => Value::Null,
        Cell::Int(number) => Value::Integer(*number),
        Cell::Text(text) => Value::Text(text.clone().into_owned()),
        Cell::Bytes(bytes) => Value::Blob(bytes.clone().into_owned()),
        Cell::Id(bytes) => Value::Blob(bytes.to_vec()),
    }
}

fn cell_of(value: ValueRef<'_>) -> anyhow::Result<Cell<'_>> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => Cell::Text(Cow::Borrowed(std::str::from_utf8(text)?)),
        ValueRef::Blob(bytes) => Cell::Bytes(Cow::Borrowed(bytes)),
        ValueRef::Real(number) => bail!("{number} is no whole number"),
    })
}
