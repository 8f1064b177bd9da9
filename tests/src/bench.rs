//! What the benches of whole processes share: where data goes, how figures are printed.
//! Knows nothing of what is measured.

use anyhow::Context as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long the cores are watched.
const WATCH: Duration = Duration::from_millis(300);
/// The share of the cores, of a hundred, that others may take from a figure that is to be trusted.
const TAKEN_MAX: f64 = 10.0;

/// A folder for data. It is beside what was built and not in `/tmp`, which on many machines is memory, where a
/// durable write costs nothing.
///
/// # Errors
/// When it cannot be made.
pub fn data_dir() -> anyhow::Result<TempDir> {
    tempfile::tempdir_in(target()?).context("make a folder for data")
}

fn target() -> anyhow::Result<PathBuf> {
    let bench = std::env::current_exe().context("find the running bench")?;
    bench.parent().map(Path::to_path_buf).context("a bench is in a folder")
}

/// How much of a hundred of the machine's cores is taken right now. Asked while the bench's own processes rest, it
/// is what others take (the first line of `/proc/stat`, as the kernel's documentation of procfs has it).
///
/// # Errors
/// When the kernel does not say.
pub async fn taken_by_others() -> anyhow::Result<f64> {
    let (idle_before, all_before) = core_ticks()?;
    tokio::time::sleep(WATCH).await;
    let (idle, all) = core_ticks()?;
    Ok(100.0 - 100.0 * (idle - idle_before) / (all - all_before).max(1.0))
}

/// Ticks that all cores spent idle since the start, and all their ticks.
fn core_ticks() -> anyhow::Result<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/stat").context("read /proc/stat")?;
    let line = stat.lines().next().context("/proc/stat has a first line")?;
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|text| text.parse().ok()).collect();
    // user, nice, system, idle, waiting for a disk, ...
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    Ok((idle, ticks.iter().sum()))
}

/// Says on standard error what others took between rounds, and whether that is too much.
pub fn tell_taken(taken: &[f64]) {
    eprintln!("between rounds, other programs took {taken:.0?} % of the cores");
    if percentile(taken, 100) > TAKEN_MAX {
        eprintln!("that is too much for figures to be trusted: measure again when they are done");
    }
}

/// The middle one of some figures.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    percentile(figures, 50)
}

/// The figure that so many of a hundred do not exceed.
#[must_use]
pub fn percentile(figures: &[f64], of_hundred: usize) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let rank = (figures.len() * of_hundred).div_ceil(100);
    figures.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// A figure, as `cargo xtask bench` reads it.
#[must_use]
pub fn figure(name: &str, value: f64, unit: &str) -> Value {
    json!({ "name": name, "value": value, "unit": unit })
}

/// A figure beside the one it is measured against.
#[must_use]
pub fn figure_against(name: &str, value: f64, unit: &str, against: f64) -> Value {
    json!({ "name": name, "value": value, "unit": unit, "against": against, "ratio": value / against })
}
