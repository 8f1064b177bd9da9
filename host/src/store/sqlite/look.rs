//! Looks through the bytes of the store's files, the free places in them included. Knows nothing of what is looked for.

use super::schema;
use super::seal::StoreKeys;
use crate::store::keeping::{Look, Looked};
use anyhow::Context as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes looked through at a time, and those read beyond them: what begins in the first may end in the others.
const PART_BYTES: usize = 4 << 20;
const BEYOND_BYTES: usize = 4 << 10;

/// Brings all that was written into the one file, writes that anew when it is asked for, and looks through what there is.
pub(super) fn look(path: &Path, keys: &StoreKeys, look: &Look, anew: bool) -> anyhow::Result<Vec<Looked>> {
    let db = schema::connect(path, keys)?;
    if anew {
        // The copy that is made on the way may be too large for the memory; it has only what is in a row.
        db.execute_batch("PRAGMA temp_store = FILE; VACUUM").context("write the store anew")?;
    }
    // The writer goes on meanwhile: what it writes after this is new.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        .context("bring the store's log into its file")?;
    drop(db);
    let mut looked = Vec::new();
    for suffix in ["", "-wal"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        looked.extend(look_through(Path::new(&file), look)?);
    }
    Ok(looked)
}

fn look_through(path: &Path, look: &Look) -> anyhow::Result<Option<Looked>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.with_context(|| format!("open {}", path.display()))?,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut looked = Looked { file: name, bytes: 0, found: 0 };
    let mut bytes = Vec::with_capacity(PART_BYTES + BEYOND_BYTES);
    loop {
        let room = u64::try_from(PART_BYTES + BEYOND_BYTES - bytes.len()).context("count bytes")?;
        let read = file.by_ref().take(room).read_to_end(&mut bytes).context("read the store's file")?;
        looked.bytes += u64::try_from(read).context("count bytes")?;
        let is_last = bytes.len() < PART_BYTES + BEYOND_BYTES;
        let end = if is_last { bytes.len() } else { PART_BYTES };
        let found = look(&bytes).into_iter().filter(|at| *at < end).count();
        looked.found += u64::try_from(found).context("count places")?;
        if is_last {
            return Ok(Some(looked));
        }
        bytes.drain(..end);
    }
}
