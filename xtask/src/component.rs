//! Makes components of guest sources: Rust through cargo and wit-component, JavaScript through componentize-qjs.
//! Knows nothing of which guests there are.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;
use wit_component::ComponentEncoder;

/// The target of Rust guests: the one whose programs import nothing.
pub(crate) const RUST_TARGET: &str = "wasm32-unknown-unknown";

/// Builds the crate in `dir` and writes its component to `out`. Cargo decides what has changed; `out` is
/// written only when its bytes would differ. Each guest has a target directory of its own under `root/target`: two
/// crates of one name would overwrite each other's module in a shared one.
pub(crate) fn build_rust_component(root: &Path, dir: &Path, out: &Path) -> Result<()> {
    crate::tools::ensure_target(RUST_TARGET)?;
    let target_dir =
        root.join("target/guests").join(dir.file_name().context("a guest's directory has a name")?);
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--target", RUST_TARGET])
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
    let module = target_dir.join(RUST_TARGET).join("release").join(format!("{name}.wasm"));
    let module = fs::read(&module).with_context(|| format!("read {}", module.display()))?;
    write_if_changed(out, &encode(&module).with_context(|| format!("make a component of {name}"))?)
}

/// Makes a component of `dir/plugin.js` for the world `plugin` in `wit`, with `tool`, the command of the npm
/// package componentize-qjs. Nothing is done when `out` is newer than the source, the contract and the tool.
pub(crate) fn build_javascript_component(wit: &Path, dir: &Path, tool: &Path, out: &Path) -> Result<()> {
    let source = dir.join("plugin.js");
    if is_newer(out, &[&source, &wit.join("plugin.wit"), tool])? {
        return Ok(());
    }
    let draft = out.with_extension("wasm.part");
    // `--sync --stub-wasi`: neither asynchronous calls nor WASI, so the component imports nothing.
    let made = Command::new(tool)
        .arg("--wit")
        .arg(wit)
        .arg("--js")
        .arg(&source)
        .args(["--world", "plugin", "--sync", "--stub-wasi", "--output"])
        .arg(&draft)
        .output()
        .context("start componentize-qjs")?;
    ensure!(
        made.status.success(),
        "componentize-qjs could not build {}:\n{}{}",
        source.display(),
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
    fs::rename(&draft, out).with_context(|| format!("move the component to {}", out.display()))
}

/// A component of a core module that carries its WIT in a custom section, as `wit-bindgen` leaves it.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.encode()
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

/// Whether `out` is there and newer than all of `inputs`, each of which must exist.
fn is_newer(out: &Path, inputs: &[&Path]) -> Result<bool> {
    let Ok(made) = modified(out) else {
        return Ok(false);
    };
    for input in inputs {
        if modified(input)? >= made {
            return Ok(false);
        }
    }
    Ok(true)
}

fn modified(path: &Path) -> Result<SystemTime> {
    let metadata = fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
    metadata.modified().with_context(|| format!("read the time of {}", path.display()))
}
