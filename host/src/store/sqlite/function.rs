//! The functions that statements call, beside SQLite's own.

use super::{cell_of, owned};
use crate::partition::Partition;
use crate::store::seal::StoreKeys;
use crate::store::sql::database::Cell;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::borrow::Cow;
use tidegate_envelope::{Digest, Receipt};

/// Gives a connection the function `unseal`.
pub(super) fn give_unseal(db: &rusqlite::Connection, keys: &StoreKeys) -> anyhow::Result<()> {
    let keys = keys.clone();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let failed = |error: anyhow::Error| rusqlite::Error::UserFunctionError(error.into());
    db.create_scalar_function("unseal", -1, flags, move |context| {
        let ValueRef::Blob(stored) = context.get_raw(0) else { return Ok(ToSqlOutput::Arg(0)) };
        if !StoreKeys::is_sealed(stored) {
            return Ok(ToSqlOutput::Arg(0));
        }
        let column = context.get_raw(1).as_str().map_err(|error| failed(error.into()))?;
        let row = (2..context.len()).map(|index| cell_of(context.get_raw(index)));
        let row = row.collect::<anyhow::Result<Vec<_>>>().map_err(failed)?;
        let opened = keys.unseal(column, &row, Cell::Bytes(Cow::Borrowed(stored))).map_err(failed)?;
        Ok(ToSqlOutput::Owned(owned(&opened)))
    })?;
    Ok(())
}

/// Gives a connection the function `partition_of(subject, cause, sha256)`: [`Partition::of_event`]'s number.
pub(super) fn give_partition_of(db: &rusqlite::Connection) -> anyhow::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("partition_of", 3, flags, |context| {
        let subject: String = context.get(0)?;
        let cause = context.get::<Option<[u8; 16]>>(1)?.map(Receipt::from_bytes);
        let sha256 = context.get::<Option<[u8; 32]>>(2)?.map(Digest::from_bytes);
        let sha256 = sha256.unwrap_or_else(|| Digest::of(&[]));
        Ok(Partition::of_event(&subject, cause, &sha256).number())
    })?;
    Ok(())
}
