//! The seam between statements and the database that runs them. A statement is written once, in the words that every
//! database knows, and these three that each adapter puts into its own: `?1` for the first value; `x IN rarray(?1)` for one
//! of a list; and, among what is selected, `unseal(value, 'table.column', key...)` for what [`Database::seal`] sealed.

use super::cell::text_of;
use crate::partition::Partitions;
use crate::store::group::{Change, KnownHost, Member, News};
use crate::store::keeping::Pages;
use crate::store::seal::StoreKeys;
use anyhow::Context as _;
use std::borrow::Cow;
use std::ops::ControlFlow;

pub(in crate::store) use super::cell::{Cell, FromCell, cells};

/// What runs statements: a connection, or a transaction on it.
pub(in crate::store) trait Database {
    /// Runs a statement, and says how many rows it changed.
    fn execute(&self, sql: &str, of: &[Cell<'_>]) -> anyhow::Result<u64>;

    /// Hands each row over until there is none, or one is enough. No other statement may be run meanwhile.
    fn each(&self, sql: &str, of: &[Cell<'_>], read: &mut Read<'_>) -> anyhow::Result<()>;

    /// Runs one statement, `INSERT ... VALUES` or `UPDATE ... WHERE`, with the values of each of these rows. Of rows that change
    /// the same one, the last holds.
    fn execute_many(&self, sql: &str, rows: &Rows<'_>) -> anyhow::Result<()>;

    /// As [`Self::execute_many`], for rows told apart by their first value that get a `seq`: what each got, in their order;
    /// nothing for one that was there before.
    fn insert_many(&self, sql: &str, rows: &Rows<'_>) -> anyhow::Result<Vec<Option<i64>>>;

    /// Gives so many free pages back to the file system, where somebody must say so.
    fn give_back(&self, pages_max: u32) -> anyhow::Result<()>;

    /// How large it is.
    fn pages(&self) -> anyhow::Result<Pages>;

    /// The hosts that share the store and are connected to it now, in no order.
    fn members(&self) -> anyhow::Result<Vec<Member>>;

    /// As [`Self::members`], with what is known of each, and those that were and were heard of since this time.
    fn hosts(&self, since_ms: u64) -> anyhow::Result<Vec<KnownHost>>;

    /// Tells the hosts that share the store, once this transaction is committed.
    fn tell_others(&self, news: News) -> anyhow::Result<()>;

    /// What is sealed with.
    fn keys(&self) -> &StoreKeys;
}

/// Rows for one statement, value after value.
#[derive(Debug)]
pub(in crate::store) struct Rows<'a> {
    width: usize,
    key: usize,
    cells: Vec<Cell<'a>>,
}

impl<'a> Rows<'a> {
    /// None yet, of so many values each. The first `key` of them tell which row is changed; 0 where no two change the same.
    pub(in crate::store) const fn new(width: usize, key: usize) -> Self {
        Self { width, key, cells: Vec::new() }
    }

    /// As these, with room for so many more.
    pub(in crate::store) fn with_room(mut self, rows: usize) -> Self {
        self.cells.reserve_exact(rows * self.width);
        self
    }

    /// One more.
    pub(in crate::store) fn push(&mut self, row: impl IntoIterator<Item = Cell<'a>>) {
        self.cells.extend(row);
        debug_assert_eq!(self.cells.len() % self.width, 0, "a row has what its statement takes");
    }

    /// One after the other.
    pub(in crate::store) fn iter(&self) -> std::slice::ChunksExact<'_, Cell<'a>> {
        self.cells.chunks_exact(self.width)
    }

    /// How many values each has, and how many of them tell which row is changed.
    pub(in crate::store) const fn shape(&self) -> (usize, usize) {
        (self.width, self.key)
    }
}

/// What brings tables of this version to the newest: each entry makes the version of its index the next.
pub(in crate::store) fn pending<'m>(
    migrations: &'m [&'m str],
    version: impl Into<i64>,
) -> anyhow::Result<&'m [&'m str]> {
    let (version, known) = (version.into(), migrations.len());
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    migrations.get(done..).with_context(|| {
        format!("it has schema {version}, this Tidegate knows up to {known}: use a newer one")
    })
}

/// A connection, on which one thing is done at a time. Blocks.
pub(in crate::store) trait Connection: Send {
    /// Reads; what is read by one statement and what by the next may be of different instants.
    fn read(&mut self, read: &mut Work<'_>) -> anyhow::Result<()>;

    /// Writes all of it or nothing; durable when this returns, and not written when it fails.
    fn write(&mut self, write: &mut Work<'_>) -> anyhow::Result<()>;

    /// Claims or releases partitions, as [`Group::hold`](crate::store::group::Group::hold) says.
    fn hold(&mut self, change: Change) -> anyhow::Result<Partitions>;
}

/// Another host works on the database: whoever hears this decided on what holds no longer, and must never write again.
#[derive(Debug, thiserror::Error)]
#[error(
    "another tidegate works on the database since this one was cut off from it: this one must start again"
)]
pub(in crate::store) struct TakenOver;

/// What is done on a connection; done again where it was lost while it read.
pub(in crate::store) type Work<'f> = dyn FnMut(&dyn Database) -> anyhow::Result<()> + Send + 'f;

/// What is done with a row.
pub(in crate::store) type Read<'f> = dyn FnMut(&Row<'_>) -> anyhow::Result<ControlFlow<()>> + 'f;

impl dyn Database + '_ {
    /// All rows.
    pub(in crate::store) fn rows<T>(
        &self,
        sql: &str,
        of: &[Cell<'_>],
        mut read: impl FnMut(&Row<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<T>> {
        let mut rows = Vec::new();
        self.each(sql, of, &mut |row| {
            rows.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// The first row, if there is one.
    pub(in crate::store) fn optional<T>(
        &self,
        sql: &str,
        of: &[Cell<'_>],
        read: impl Fn(&Row<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let mut first = None;
        self.each(sql, of, &mut |row| {
            first = Some(read(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// The one value of the first row; nothing where there is no row, or it has none.
    pub(in crate::store) fn value<T: FromCell>(
        &self,
        sql: &str,
        of: &[Cell<'_>],
    ) -> anyhow::Result<Option<T>> {
        Ok(self.optional(sql, of, |row| row.get(0))?.flatten())
    }

    /// Whether there is a row.
    pub(in crate::store) fn exists(&self, sql: &str, of: &[Cell<'_>]) -> anyhow::Result<bool> {
        Ok(self.optional(sql, of, |_| Ok(()))?.is_some())
    }

    /// The value as it is to be stored in this column (`table.column`) of the row with this key.
    pub(in crate::store) fn seal<'v>(
        &self,
        column: &str,
        row: &[Cell<'_>],
        value: impl Into<Cell<'v>>,
    ) -> anyhow::Result<Cell<'v>> {
        self.keys().seal(column, row, value.into())
    }
}

/// The columns of a row, as the database has them.
pub(in crate::store) trait Columns {
    /// The value in this column, opened if it was sealed.
    fn cell(&self, column: usize) -> anyhow::Result<Cell<'_>>;
    /// How many columns there are.
    fn count(&self) -> usize;
}

/// A row.
pub(in crate::store) struct Row<'r>(pub(in crate::store) &'r dyn Columns);

impl Row<'_> {
    /// The value in this column.
    pub(in crate::store) fn get<T: FromCell>(&self, column: usize) -> anyhow::Result<T> {
        let read = self.0.cell(column).and_then(T::from_cell);
        read.with_context(|| format!("read column {column}"))
    }

    /// What is in this column.
    pub(in crate::store) fn cell(&self, column: usize) -> anyhow::Result<Cell<'_>> {
        self.0.cell(column)
    }

    /// The text in this column, where it stands.
    pub(in crate::store) fn text(&self, column: usize) -> anyhow::Result<Cow<'_, str>> {
        text_of(self.0.cell(column)?)
    }

    /// What the JSON in this column says; nothing where there is none.
    pub(in crate::store) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: usize,
    ) -> anyhow::Result<Option<T>> {
        match self.0.cell(column)? {
            Cell::Null => Ok(None),
            cell => Ok(Some(serde_json::from_str(&text_of(cell)?)?)),
        }
    }

    /// The bytes in this column, whether they are text or not; nothing where there is neither.
    pub(in crate::store) fn bytes(&self, column: usize) -> anyhow::Result<Option<Cow<'_, [u8]>>> {
        Ok(match self.0.cell(column)? {
            Cell::Text(Cow::Borrowed(text)) => Some(Cow::Borrowed(text.as_bytes())),
            Cell::Text(Cow::Owned(text)) => Some(Cow::Owned(text.into_bytes())),
            Cell::Bytes(bytes) => Some(bytes),
            Cell::Id(bytes) => Some(Cow::Owned(bytes.to_vec())),
            Cell::Null | Cell::Int(_) | Cell::List(_) => None,
        })
    }

    /// How many columns there are.
    pub(in crate::store) fn count(&self) -> usize {
        self.0.count()
    }
}
