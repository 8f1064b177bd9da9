//! What the benches of whole processes share: the built command, where its data goes, how figures are printed.
//! Knows nothing of what is measured.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The `tidegate` that was built beside the running bench.
///
/// # Errors
/// When it is not there; the error says what to type.
pub fn tidegate() -> anyhow::Result<PathBuf> {
    let path = target()?.join("tidegate");
    ensure!(path.exists(), "{} is missing; type: cargo build --release --package tidegate", path.display());
    Ok(path)
}

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
