//! Tokens, and what was done with them and with all else that the API changes.

use super::database::{Database, Row, cells};
use crate::access::{KeptToken, Role};
use crate::store::access::{AuditQuery, AuditRow, TokenChange};
use anyhow::Context as _;

pub(super) fn write(db: &dyn Database, changes: &[TokenChange]) -> anyhow::Result<()> {
    for change in changes {
        match change {
            TokenChange::Put(token) => put(db, token)?,
            TokenChange::Remove(name) => {
                db.execute("DELETE FROM tokens WHERE name = ?1", cells![name])?;
            }
        }
    }
    Ok(())
}

fn put(db: &dyn Database, token: &KeptToken) -> anyhow::Result<()> {
    let before = token.before.as_ref();
    db.execute(
        "INSERT INTO tokens (name, role, sha256, before, before_until_ms, made_at_ms, until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (name) DO UPDATE SET role = ?2, sha256 = ?3, before = ?4, before_until_ms = ?5, made_at_ms = ?6,
            until_ms = ?7",
        cells![
            &token.name,
            token.role.word(),
            &token.sha256,
            before.map(|(sha256, _)| sha256),
            before.map(|(_, until_ms)| *until_ms),
            token.made_at_ms,
            token.until_ms,
        ],
    )?;
    Ok(())
}

pub(super) fn tokens(db: &dyn Database) -> anyhow::Result<Vec<KeptToken>> {
    let sql =
        "SELECT name, role, sha256, before, before_until_ms, made_at_ms, until_ms FROM tokens ORDER BY name";
    db.rows(sql, cells![], |row| token(row).context("read a token"))
}

fn token(row: &Row<'_>) -> anyhow::Result<KeptToken> {
    let role = Role::named(&row.text(1)?).context("no such role is known")?;
    let before = Option::zip(row.get(3)?, row.get(4)?);
    Ok(KeptToken {
        name: row.get(0)?,
        role,
        sha256: row.get(2)?,
        before,
        made_at_ms: row.get(5)?,
        until_ms: row.get(6)?,
    })
}

pub(super) fn audit(db: &dyn Database, query: &AuditQuery) -> anyhow::Result<Vec<AuditRow>> {
    let before = query.before.filter(|before| *before > 0).unwrap_or(i64::MAX);
    let sql = "SELECT seq, at_ms, record FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
    db.rows(sql, cells![before, query.rows()], |row| {
        Ok(AuditRow {
            cursor: row.get(0)?,
            at_ms: row.get(1)?,
            record: serde_json::from_str(&row.text(2)?).context("read the audit")?,
        })
    })
}
