//! Looks through bytes, a part at a time. Knows nothing of what is looked for.

use super::keeping::{Look, Looked};
use anyhow::Context as _;
use std::io::Read;

/// Bytes looked through at a time, and those read beyond them: what begins in the first may end in the others.
const PART_BYTES: usize = 4 << 20;
const BEYOND_BYTES: usize = 4 << 10;

/// Looks through all of it.
pub(super) fn look_through(mut file: impl Read, name: String, look: &Look) -> anyhow::Result<Looked> {
    let mut looked = Looked { file: name, bytes: 0, found: 0 };
    let mut bytes = Vec::with_capacity(PART_BYTES + BEYOND_BYTES);
    loop {
        let room = u64::try_from(PART_BYTES + BEYOND_BYTES - bytes.len()).context("count bytes")?;
        let read = file.by_ref().take(room).read_to_end(&mut bytes);
        let read = read.with_context(|| format!("read {}", looked.file))?;
        looked.bytes += u64::try_from(read).context("count bytes")?;
        let is_last = bytes.len() < PART_BYTES + BEYOND_BYTES;
        let end = if is_last { bytes.len() } else { PART_BYTES };
        let found = look(&bytes).into_iter().filter(|at| *at < end).count();
        looked.found += u64::try_from(found).context("count places")?;
        if is_last {
            return Ok(looked);
        }
        bytes.drain(..end);
    }
}
