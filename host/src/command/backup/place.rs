//! The data directory while a backup is put back: nobody else works in it. Knows nothing of what is in a backup.

use super::PARTS;
use anyhow::{Context as _, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A data directory, locked as a host and a queue lock it.
pub(super) struct Place {
    data: PathBuf,
    _locks: Vec<File>,
}

impl Place {
    /// Locks it.
    pub(super) fn lock(data: &Path) -> anyhow::Result<Self> {
        let mut locks = Vec::new();
        for lock in [data.join("store.lock"), data.join("queue").join("queue.lock")] {
            if !lock.parent().is_some_and(Path::is_dir) {
                continue;
            }
            let file = File::options().create(true).truncate(false).write(true).open(&lock);
            let file = file.with_context(|| format!("open {}", lock.display()))?;
            if file.try_lock().is_err() {
                bail!(
                    "a tidegate is at work in {}: stop it first, for example: systemctl stop tidegate",
                    data.display()
                );
            }
            locks.push(file);
        }
        Ok(Self { data: data.to_owned(), _locks: locks })
    }

    /// What is there already, with what SQLite keeps beside it.
    pub(super) fn occupied(&self) -> Vec<PathBuf> {
        let beside = |(name, folder): (&str, &str)| {
            let dir = self.data.join(folder);
            ["", "-wal", "-shm"].map(|ending| dir.join(format!("{name}{ending}")))
        };
        PARTS.into_iter().flat_map(beside).filter(|path| path.exists()).collect()
    }

    /// Moves these away, and says where to.
    pub(super) fn set_aside(&self, paths: &[PathBuf], now_ms: u64) -> anyhow::Result<Option<PathBuf>> {
        if paths.is_empty() {
            return Ok(None);
        }
        let aside = self.data.join(format!("before-restore-{now_ms}"));
        fs::create_dir(&aside).with_context(|| format!("make {}", aside.display()))?;
        for path in paths {
            let name = path.file_name().context("a file has a name")?;
            fs::rename(path, aside.join(name)).with_context(|| format!("move {}", path.display()))?;
        }
        sync(&aside)?;
        Ok(Some(aside))
    }

    /// Puts a part where it belongs.
    pub(super) fn take_in(&self, name: &str, from: &Path) -> anyhow::Result<()> {
        let folder = PARTS.iter().find(|(known, _)| *known == name).map_or("", |(_, folder)| folder);
        let dir = self.data.join(folder);
        fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        fs::rename(from.join(name), dir.join(name)).with_context(|| format!("put {name} in its place"))?;
        sync(&dir)
    }
}

/// Waits until what was renamed in a directory is on the disk.
fn sync(dir: &Path) -> anyhow::Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).with_context(|| format!("write {}", dir.display()))
}
