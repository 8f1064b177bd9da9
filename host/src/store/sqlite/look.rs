//! Looks through the bytes of the store's files, the free places in them included. Knows nothing of what is looked for.

use super::schema;
use crate::store::keeping::{Look, Looked};
use crate::store::look::look_through;
use crate::store::seal::StoreKeys;
use anyhow::Context as _;
use rusqlite::Connection;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long what is in the log is tried to be brought into the file.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// Brings all that was written into the one file, writes that anew when it is asked for, and looks through what there is.
pub(super) fn look(path: &Path, keys: &StoreKeys, look: &Look, anew: bool) -> anyhow::Result<Vec<Looked>> {
    let db = schema::connect(path, keys)?;
    if anew {
        // The copy that is made on the way may be too large for the memory; it has only what is in a row.
        db.execute_batch("PRAGMA temp_store = FILE; VACUUM").context("write the store anew")?;
    }
    empty_log(&db).context("bring the store's log into its file")?;
    drop(db);
    let mut looked = Vec::new();
    for suffix in ["", "-wal"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        looked.extend(look_through_file(Path::new(&file), look)?);
    }
    Ok(looked)
}

/// Brings what is in the log into the file. The writer goes on meanwhile: what it writes after this is new. What cannot be brought
/// over, because somebody reads it or is copying it, is left where it is after a while, and is looked through there.
fn empty_log(db: &Connection) -> rusqlite::Result<()> {
    let begun_at = Instant::now();
    loop {
        let is_busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if !is_busy || begun_at.elapsed() > BUSY_MAX {
            return Ok(());
        }
        // Nothing tells when it is free; this thread does nothing else.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn look_through_file(path: &Path, look: &Look) -> anyhow::Result<Option<Looked>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.with_context(|| format!("open {}", path.display()))?,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    look_through(file, name, look).map(Some)
}
