//! One value of a row or of a statement, and what it can be made of and read as.

use crate::plugin::{PluginName, Version};
use anyhow::{Context as _, bail};
use std::borrow::Cow;
use tidegate_envelope::{Digest, Receipt, SourceName};

/// One value, on its way into a statement or out of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::store) enum Cell<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// Bytes, too: a receipt, of which each event has some.
    Id([u8; 16]),
    /// What stands in `rarray(?1)`.
    List(Vec<Cell<'a>>),
}

impl Cell<'_> {
    /// The bytes that it consists of, text or not; none of a number, and of nothing.
    pub(in crate::store) fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Cell::Text(text) => Some(text.as_bytes()),
            Cell::Bytes(bytes) => Some(bytes),
            Cell::Id(bytes) => Some(bytes),
            Cell::Null | Cell::Int(_) | Cell::List(_) => None,
        }
    }

    /// The same, whatever becomes of where it stood.
    pub(in crate::store) fn into_owned(self) -> Cell<'static> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Int(number) => Cell::Int(number),
            Cell::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Cell::Bytes(bytes) => Cell::Bytes(Cow::Owned(bytes.into_owned())),
            Cell::Id(bytes) => Cell::Id(bytes),
            Cell::List(cells) => Cell::List(cells.into_iter().map(Cell::into_owned).collect()),
        }
    }
}

/// A statement's values, in their order.
macro_rules! cells {
    ($($value:expr),* $(,)?) => { &[$($crate::store::sql::database::Cell::from($value)),*] };
}
pub(in crate::store) use cells;

/// Text that may be sealed stands in a column of bytes where columns have a type.
pub(super) fn text_of(cell: Cell<'_>) -> anyhow::Result<Cow<'_, str>> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Bytes(Cow::Borrowed(bytes)) => Ok(Cow::Borrowed(std::str::from_utf8(bytes)?)),
        Cell::Bytes(Cow::Owned(bytes)) => Ok(Cow::Owned(String::from_utf8(bytes)?)),
        other => bail!("{other:?} is no text"),
    }
}

/// What a column can be read as.
pub(in crate::store) trait FromCell: Sized {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self>;
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        if cell == Cell::Null { Ok(None) } else { T::from_cell(cell).map(Some) }
    }
}

impl FromCell for i64 {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        let Cell::Int(number) = cell else { bail!("{cell:?} is no number") };
        Ok(number)
    }
}

/// Times and counts use all bits of the column's number.
impl FromCell for u64 {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        i64::from_cell(cell).map(i64::cast_unsigned)
    }
}

impl FromCell for u32 {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        Ok(i64::from_cell(cell)?.try_into()?)
    }
}

impl FromCell for bool {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        i64::from_cell(cell).map(|number| number != 0)
    }
}

impl FromCell for String {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        text_of(cell).map(Cow::into_owned)
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        let Cell::Bytes(bytes) = cell else { bail!("{cell:?} is no bytes") };
        Ok(bytes.into_owned())
    }
}

impl<const N: usize> FromCell for [u8; N] {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        let Cell::Bytes(bytes) = &cell else { bail!("{cell:?} is no bytes") };
        bytes.as_ref().try_into().with_context(|| format!("{} bytes are not {N}", bytes.len()))
    }
}

impl FromCell for Receipt {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        FromCell::from_cell(cell).map(Self::from_bytes)
    }
}

impl FromCell for Digest {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        FromCell::from_cell(cell).map(Self::from_bytes)
    }
}

impl FromCell for SourceName {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        Ok(Self::new(&text_of(cell)?)?)
    }
}

impl FromCell for PluginName {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        Ok(Self::new(&text_of(cell)?)?)
    }
}

impl FromCell for Version {
    fn from_cell(cell: Cell<'_>) -> anyhow::Result<Self> {
        Ok(Self::from_stored(&text_of(cell)?))
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Cell::Int(number)
    }
}

impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        Cell::Int(number.cast_signed())
    }
}

impl From<u32> for Cell<'_> {
    fn from(number: u32) -> Self {
        Cell::Int(number.into())
    }
}

/// How many rows there may be.
impl From<usize> for Cell<'_> {
    fn from(number: usize) -> Self {
        Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Cell<'_> {
    fn from(is: bool) -> Self {
        Cell::Int(is.into())
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Cell::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Cell::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Cell::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a SourceName> for Cell<'a> {
    fn from(name: &'a SourceName) -> Self {
        name.as_str().into()
    }
}

impl<'a> From<&'a PluginName> for Cell<'a> {
    fn from(name: &'a PluginName) -> Self {
        name.as_str().into()
    }
}

impl<'a> From<&'a Version> for Cell<'a> {
    fn from(version: &'a Version) -> Self {
        version.as_str().into()
    }
}

impl<'a> From<&'a [u8]> for Cell<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Cell::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Cell<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Vec<u8>> for Cell<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Cell::Bytes(Cow::Owned(bytes))
    }
}

impl From<Receipt> for Cell<'_> {
    fn from(receipt: Receipt) -> Self {
        Cell::Id(receipt.to_bytes())
    }
}

impl<'a> From<&'a Digest> for Cell<'a> {
    fn from(digest: &'a Digest) -> Self {
        digest.as_bytes().into()
    }
}

impl<'a> FromIterator<Cell<'a>> for Cell<'a> {
    fn from_iter<I: IntoIterator<Item = Cell<'a>>>(cells: I) -> Self {
        Cell::List(cells.into_iter().collect())
    }
}
