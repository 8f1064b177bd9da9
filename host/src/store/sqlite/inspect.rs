//! Looks at a store's file without changing it, beside a host that works on it or without one; and copies it. Knows nothing of
//! what is in the tables.

use super::schema;
use crate::store::seal::StoreKeys;
use anyhow::{Context as _, bail};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The schema that this version writes.
pub const SCHEMA: u32 = schema::VERSION;
/// What the first damage found is cut to.
const DAMAGE_CHARS_MAX: usize = 200;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// There is no file.
    Nothing,
    /// A newer Tidegate wrote it.
    Newer {
        /// Its schema.
        schema: u32,
    },
    /// A key that it needs was not given.
    Locked {
        /// Which.
        why: String,
    },
    /// It is damaged.
    Broken {
        /// Where.
        what: String,
    },
    /// There was not the time to read all of it.
    Unfinished {
        /// Its schema.
        schema: u32,
        /// Its bytes.
        bytes: u64,
    },
    /// All is as it should be.
    Well {
        /// Its schema.
        schema: u32,
        /// Its bytes.
        bytes: u64,
        /// Its events.
        events: u64,
    },
}

/// Looks at the store in this directory, for so long at most. Blocks.
///
/// # Errors
/// When it cannot be opened.
pub fn look(dir: &Path, keys: &StoreKeys, time_max: Duration) -> anyhow::Result<Looked> {
    let path = dir.join("store.sqlite");
    if !path.exists() {
        return Ok(Looked::Nothing);
    }
    let db = open(&path)?;
    let schema: u32 = match db.query_row("PRAGMA user_version", [], |row| row.get(0)) {
        Err(error) if is_damage(&error) => return Ok(Looked::Broken { what: error.to_string() }),
        schema => schema.with_context(|| format!("read {}", path.display()))?,
    };
    if schema > SCHEMA {
        return Ok(Looked::Newer { schema });
    }
    if schema == SCHEMA
        && let Err(error) = schema::fits(&db, keys)
    {
        return Ok(Looked::Locked { why: format!("{error:#}") });
    }
    let bytes = std::fs::metadata(&path).with_context(|| format!("find {}", path.display()))?.len();
    match check(&db, time_max) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(Looked::Unfinished { schema, bytes })
        }
        Err(error) if is_damage(&error) => Ok(Looked::Broken { what: error.to_string() }),
        Err(error) => Err(error).with_context(|| format!("check {}", path.display())),
        Ok(Some(what)) => Ok(Looked::Broken { what }),
        Ok(None) => {
            let events: i64 = db.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
            Ok(Looked::Well { schema, bytes, events: events.cast_unsigned() })
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).with_context(|| format!("open {}", path.display()))?;
    db.busy_timeout(Duration::from_secs(10))?;
    Ok(db)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The first damage, if there is any.
fn check(db: &Connection, time_max: Duration) -> rusqlite::Result<Option<String>> {
    let (done, is_done) = std::sync::mpsc::sync_channel::<()>(1);
    let handle = db.get_interrupt_handle();
    let clock = std::thread::spawn(move || {
        // Told or dropped: either way the check is over.
        if is_done.recv_timeout(time_max) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            handle.interrupt();
        }
    });
    let found = db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    drop(done);
    let _ = clock.join();
    Ok(Some(found?).filter(|found| found != "ok").map(|found| found.chars().take(DAMAGE_CHARS_MAX).collect()))
}

/// What a copied file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its schema.
    pub schema: u32,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
}

/// Writes all that is in one SQLite file at this moment into another, which must not be there. Whoever writes to the first
/// goes on meanwhile, and nothing it holds is opened: what is encrypted stays so. Blocks.
///
/// # Errors
/// When one cannot be read or the other not be written.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let db = open(from)?;
    let to = to.to_str().context("a path is not UTF-8")?;
    db.execute("VACUUM INTO ?1", params![to]).with_context(|| format!("copy {}", from.display()))?;
    Ok(())
}

/// Reads all of a file that nobody writes to: whether it is undamaged, and what it holds. Blocks.
///
/// # Errors
/// When it is damaged: says where.
pub fn verify(path: &Path) -> anyhow::Result<Copied> {
    let db = open(path)?;
    let found: String = db
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .with_context(|| format!("check {}", path.display()))?;
    if found != "ok" {
        bail!("{} is damaged: {}", path.display(), found.chars().take(DAMAGE_CHARS_MAX).collect::<String>());
    }
    let schema = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut statement = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut rows = BTreeMap::new();
    for name in names {
        let quoted = name.replace('"', "\"\"");
        let count: i64 = db.query_row(&format!("SELECT count(*) FROM \"{quoted}\""), [], |row| row.get(0))?;
        rows.insert(name, count.cast_unsigned());
    }
    Ok(Copied { schema, rows })
}
