//! What this process has in memory, as the kernel counts it.

use std::fs::read_to_string;

/// Mebibytes of this process that are in memory.
pub(crate) fn resident_mib() -> f64 {
    let status = read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    let kib: u32 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    f64::from(kib) / 1024.0
}
