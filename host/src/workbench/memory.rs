//! What instances hold of this machine's memory, as the kernel counts it. Knows nothing of plugins' own limits.

use crate::limits::Limits;
use crate::sandbox::{Prepared, Question, Sandbox};
use anyhow::Context as _;
use std::fs;

/// Bytes of memory that so many instances of a plugin hold of their own at once, each after it was asked. What they
/// share, compiled code and the first state of their memories, is not counted. Takes so many of the sandbox's places.
///
/// # Errors
/// When an instance breaks a limit, or the machine does not say what memory this process has.
pub fn at_once(
    sandbox: &Sandbox,
    plugin: &Prepared,
    question: &Question<'_>,
    limits: &Limits,
    count: u32,
) -> anyhow::Result<usize> {
    let before = private_bytes()?;
    let mut all = Vec::new();
    for _ in 0..count {
        let mut held = sandbox.hold(plugin, question.event, limits)?;
        drop(held.ask(question).answer?);
        all.push(held);
    }
    Ok(private_bytes()?.saturating_sub(before))
}

/// Bytes of this process that are in memory, were written to, and are shared with nobody: `Private_Dirty`
/// (<https://docs.kernel.org/filesystems/proc.html>).
fn private_bytes() -> anyhow::Result<usize> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").context("read what memory this process has")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("find Private_Dirty")?;
    Ok(kib.trim().parse::<usize>()? << 10)
}
