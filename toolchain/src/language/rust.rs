//! Rust, through cargo and the crate wit-bindgen, whose macro leaves the types in the module.

use super::Job;
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use wit_component::ComponentEncoder;

/// The target whose programs import nothing.
const TARGET: &str = "wasm32-unknown-unknown";

/// The target whose standard library asks WASI 0.2, and whose linker makes components.
const TARGET_WITH_WASI: &str = "wasm32-wasip2";

/// Builds the crate and writes its component. Cargo decides what has changed; the component is written only when its
/// bytes would differ. Each plugin has a target directory of its own: two crates of one name would overwrite each
/// other's module in a shared one.
pub(super) fn make(job: &Job<'_>) -> Result<()> {
    let target = if job.wasi { TARGET_WITH_WASI } else { TARGET };
    crate::tools::ensure_target(target)?;
    let target_dir = &job.place.work;
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--release", "--target", target, "--manifest-path"]).arg(job.source);
    command.env("CARGO_TARGET_DIR", target_dir);
    // Flags meant for this machine's own programs do not fit a plugin.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = command.status().context("start cargo")?;
    ensure!(status.success(), "cargo could not build {}", job.place.dir.display());
    let name = crate_name(job.source)?.replace('-', "_");
    let made = super::read(&target_dir.join(target).join("release").join(format!("{name}.wasm")))?;
    if job.wasi {
        return write_if_changed(&job.place.out, &made);
    }
    let component = ComponentEncoder::default().validate(true).module(&made)?.encode();
    write_if_changed(&job.place.out, &component.with_context(|| format!("make a component of {name}"))?)
}

fn crate_name(manifest: &Path) -> Result<String> {
    let text = fs::read_to_string(manifest).with_context(|| format!("read {}", manifest.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("parse {}", manifest.display()))?;
    let name = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    Ok(name.with_context(|| format!("find the package's name in {}", manifest.display()))?.to_owned())
}

fn write_if_changed(out: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(out).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(out, bytes).with_context(|| format!("write {}", out.display()))
}
