//! Rust, through cargo and the crate wit-bindgen, whose macro leaves the types in the module.

use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use wit_component::ComponentEncoder;

/// The target whose programs import nothing.
const TARGET: &str = "wasm32-unknown-unknown";

/// The target whose standard library asks WASI 0.2, and whose linker makes components.
const TARGET_WITH_WASI: &str = "wasm32-wasip2";

/// Builds the crate in `dir` and writes its component to `out`. Cargo decides what has changed; `out` is
/// written only when its bytes would differ. Each guest has a target directory of its own under `root/target`: two
/// crates of one name would overwrite each other's module in a shared one.
pub(crate) fn make(root: &Path, dir: &Path, out: &Path) -> Result<()> {
    let module = compile(root, dir, TARGET)?;
    let component = ComponentEncoder::default().validate(true).module(&module)?.encode();
    write_if_changed(out, &component.with_context(|| format!("make a component of {}", dir.display()))?)
}

/// As [`make`], of a crate that uses what the standard library asks of WASI.
pub(crate) fn make_with_wasi(root: &Path, dir: &Path, out: &Path) -> Result<()> {
    write_if_changed(out, &compile(root, dir, TARGET_WITH_WASI)?)
}

/// What the compiler makes of the crate in `dir` for this target.
fn compile(root: &Path, dir: &Path, target: &str) -> Result<Vec<u8>> {
    crate::tools::ensure_target(target)?;
    let target_dir =
        root.join("target/guests").join(dir.file_name().context("a guest's directory has a name")?);
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--target", target])
        .arg("--manifest-path")
        .arg(dir.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target_dir)
        // Flags meant for this machine's own programs do not fit a guest.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .context("start cargo")?;
    ensure!(status.success(), "cargo could not build the guest in {}", dir.display());
    let name = crate_name(dir)?.replace('-', "_");
    super::read(&target_dir.join(target).join("release").join(format!("{name}.wasm")))
}

fn crate_name(dir: &Path) -> Result<String> {
    let manifest = dir.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("read {}", manifest.display()))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("parse {}", manifest.display()))?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    Ok(name.with_context(|| format!("find the package's name in {}", dir.display()))?.to_owned())
}

fn write_if_changed(out: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(out).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(out, bytes).with_context(|| format!("write {}", out.display()))
}
