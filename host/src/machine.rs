//! What this machine has left for the host. Knows nothing of what is enough.

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::Path;

/// The file system that a directory is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Bytes that are written, and those that this user may still write.
    pub all_bytes: u64,
}

impl Disk {
    /// The one that this directory, or file, is on.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let found = rustix::fs::statvfs(path)
            .with_context(|| format!("ask how full the disk of {} is", path.display()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        let used = bytes(found.f_blocks.saturating_sub(found.f_bfree));
        let free_bytes = bytes(found.f_bavail);
        Ok(Self { free_bytes, all_bytes: used.saturating_add(free_bytes) })
    }

    /// How full it is, in hundredths, as `df` has it: rounded up.
    #[must_use]
    pub fn used_percent(&self) -> u64 {
        let used = u128::from(self.all_bytes.saturating_sub(self.free_bytes));
        let percent = (used * 100).div_ceil(u128::from(self.all_bytes.max(1)));
        u64::try_from(percent).unwrap_or(100)
    }
}

/// Files that this process may have open at a time; `None`: any number.
#[must_use]
pub fn open_files_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Bytes of memory that this process may come to have: what is available, and no more than its control group may.
#[must_use]
pub fn memory_bytes() -> Option<u64> {
    let about = fs::read_to_string("/proc/meminfo").ok()?;
    let line = about.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024);
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let allowed = group.and_then(|text| text.trim().parse::<u64>().ok());
    Some(allowed.map_or(available, |allowed| allowed.min(available)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_as_full_as_what_is_left_says() {
        for (free_bytes, all_bytes, percent) in
            [(100, 100, 0), (0, 100, 100), (10, 100, 90), (99, 1_000, 91), (0, 0, 0)]
        {
            assert_eq!(Disk { free_bytes, all_bytes }.used_percent(), percent, "{free_bytes} of {all_bytes}");
        }
    }

    #[test]
    fn this_machine_is_asked() {
        let disk = Disk::of(Path::new("/")).expect("it has a root");
        assert!(disk.all_bytes > disk.free_bytes && disk.used_percent() <= 100, "{disk:?}");
        assert!(Disk::of(Path::new("/no/such/place")).is_err());
        assert!(memory_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
