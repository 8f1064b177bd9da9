//! Waits until files change. Knows nothing of what is in them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// The pause between two looks at the files.
const LOOK: Duration = Duration::from_millis(200);

/// Each file with its time and size.
pub(super) type Files = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// The files as they are now; what cannot be read is not there.
pub(super) fn look(mut paths: Vec<PathBuf>) -> Files {
    paths.sort();
    let seen = |path: PathBuf| {
        let found = fs::metadata(&path).ok()?;
        Some((path, found.modified().ok(), found.len()))
    };
    paths.into_iter().filter_map(seen).collect()
}

/// Returns once a look sees other files than these, and they have been left alone for a moment. Cancel-safe.
pub(super) async fn changed(look: impl Fn() -> Files, before: Files) {
    let mut last = before.clone();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = look();
        if now != before && now == last {
            return;
        }
        last = now;
    }
}
