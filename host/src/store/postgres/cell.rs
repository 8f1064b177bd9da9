//! Values on their way to PostgreSQL and back.

use crate::store::sql::database::Cell;
use anyhow::Context as _;
use bytes::BytesMut;
use postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};
use std::borrow::Cow;
use std::error::Error;

type Failed = Box<dyn Error + Sync + Send>;

impl ToSql for Cell<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        match self {
            Cell::Null => Ok(IsNull::Yes),
            Cell::Int(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
            Cell::Int(number) if *ty == Type::INT8 => number.to_sql(ty, out),
            // What may be sealed stands in a column of bytes, sealed or not.
            Cell::Text(text) if *ty == Type::BYTEA => text.as_bytes().to_sql(ty, out),
            Cell::Text(text) if *ty == Type::TEXT => without_nul(text).as_ref().to_sql(ty, out),
            Cell::Bytes(bytes) if *ty == Type::BYTEA => bytes.as_ref().to_sql(ty, out),
            Cell::Id(bytes) if *ty == Type::BYTEA => bytes.as_slice().to_sql(ty, out),
            Cell::List(cells) if matches!(ty.kind(), Kind::Array(_)) => cells.to_sql(ty, out),
            other => Err(format!("{other:?} does not go into a column of {ty}").into()),
        }
    }

    /// Which value goes where, the server says: it is seen when it goes.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Cell<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        Ok(match *ty {
            Type::INT4 => Cell::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Cell::Int(i64::from_sql(ty, raw)?),
            Type::BYTEA => Cell::Bytes(Cow::Borrowed(raw)),
            Type::TEXT | Type::UNKNOWN => Cell::Text(with_nul(std::str::from_utf8(raw)?)),
            Type::RECORD => Cell::List(fields(raw)?),
            _ => return Err(format!("a column of {ty} is none of the store's").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failed> {
        Ok(Cell::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The fields of a row within a row: how many, then type, length (-1 for none) and bytes of each.
fn fields(mut raw: &[u8]) -> anyhow::Result<Vec<Cell<'_>>> {
    let number = |raw: &mut &[u8]| {
        let (bytes, rest) = raw.split_first_chunk::<4>().context("a row within a row is cut off")?;
        *raw = rest;
        anyhow::Ok(i32::from_be_bytes(*bytes))
    };
    let count = number(&mut raw)?;
    let mut fields = Vec::with_capacity(usize::try_from(count)?);
    for _ in 0..count {
        let ty =
            Type::from_oid(number(&mut raw)?.cast_unsigned()).context("a type is none of PostgreSQL's")?;
        let Ok(length) = usize::try_from(number(&mut raw)?) else {
            fields.push(Cell::Null);
            continue;
        };
        let (bytes, rest) = raw.split_at_checked(length).context("a row within a row is cut off")?;
        raw = rest;
        fields.push(Cell::from_sql(&ty, bytes).map_err(|error| anyhow::anyhow!(error))?);
    }
    Ok(fields)
}

/// Text in PostgreSQL has no U+0000, and JSON has: it is written as these two characters, as U+0001 is, so that no two texts
/// become one.
const ESCAPES: [(char, &str); 2] = [('\u{1}', "\u{1}1"), ('\0', "\u{1}0")];

fn without_nul(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', '\u{1}']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = text.to_owned();
    for (char, escape) in ESCAPES {
        escaped = escaped.replace(char, escape);
    }
    Cow::Owned(escaped)
}

fn with_nul(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1}') {
        return Cow::Borrowed(text);
    }
    let mut plain = text.to_owned();
    for (char, escape) in ESCAPES.into_iter().rev() {
        plain = plain.replace(escape, char.encode_utf8(&mut [0; 4]));
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_no_two_become_one() {
        let texts =
            ["", "a", "\0", "\u{1}", "\u{1}0", "\u{1}1", "\0\u{1}", "\u{1}\0", "\u{1}\u{1}0", "a\0b\u{1}1c"];
        let mut seen = std::collections::HashSet::new();
        for text in texts {
            let escaped = without_nul(text);
            assert!(!escaped.contains('\0'), "{text:?}");
            assert_eq!(with_nul(&escaped), text);
            assert!(seen.insert(escaped.into_owned()), "{text:?}");
        }
    }
}
