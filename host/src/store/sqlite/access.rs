//! Tokens, and what was done with them and with all else that the API changes.

use super::queries::limit;
use crate::access::{KeptToken, Role};
use crate::store::access::{AuditQuery, AuditRow, TokenChange};
use anyhow::Context as _;
use rusqlite::{Connection, Row, Transaction, params};
use tidegate_envelope::Digest;

pub(super) fn write(db: &Transaction<'_>, changes: &[TokenChange]) -> anyhow::Result<()> {
    for change in changes {
        match change {
            TokenChange::Put(token) => put(db, token)?,
            TokenChange::Remove(name) => {
                db.execute("DELETE FROM tokens WHERE name = ?1", [name])?;
            }
        }
    }
    Ok(())
}

fn put(db: &Transaction<'_>, token: &KeptToken) -> anyhow::Result<()> {
    let before = token.before.as_ref();
    db.execute(
        "INSERT OR REPLACE INTO tokens (name, role, sha256, before, before_until_ms, made_at_ms, until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            token.name,
            token.role.word(),
            token.sha256.as_bytes(),
            before.map(|(sha256, _)| sha256.as_bytes()),
            before.map(|(_, until_ms)| until_ms.cast_signed()),
            token.made_at_ms.cast_signed(),
            token.until_ms.map(u64::cast_signed),
        ],
    )?;
    Ok(())
}

pub(super) fn tokens(db: &Connection) -> anyhow::Result<Vec<KeptToken>> {
    let mut statement = db.prepare(
        "SELECT name, role, sha256, before, before_until_ms, made_at_ms, until_ms FROM tokens ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        tokens.push(token(row).context("read a token")?);
    }
    Ok(tokens)
}

fn token(row: &Row<'_>) -> anyhow::Result<KeptToken> {
    let role = Role::named(row.get_ref(1)?.as_str()?).context("no such role is known")?;
    let (before, until_ms): (Option<[u8; 32]>, Option<i64>) = (row.get(3)?, row.get(4)?);
    let before = before.map(Digest::from_bytes).zip(until_ms.map(i64::cast_unsigned));
    Ok(KeptToken {
        name: row.get(0)?,
        role,
        sha256: Digest::from_bytes(row.get(2)?),
        before,
        made_at_ms: row.get::<_, i64>(5)?.cast_unsigned(),
        until_ms: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
    })
}

pub(super) fn audit(db: &Connection, query: &AuditQuery) -> anyhow::Result<Vec<AuditRow>> {
    let before = query.before.filter(|before| *before > 0).unwrap_or(i64::MAX);
    let mut statement =
        db.prepare_cached("SELECT seq, at_ms, record FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2")?;
    let mut rows = statement.query(params![before, limit(query.rows())])?;
    let mut audit = Vec::new();
    while let Some(row) = rows.next()? {
        audit.push(AuditRow {
            cursor: row.get(0)?,
            at_ms: row.get::<_, i64>(1)?.cast_unsigned(),
            record: serde_json::from_str(row.get_ref(2)?.as_str()?).context("read the audit")?,
        });
    }
    Ok(audit)
}
