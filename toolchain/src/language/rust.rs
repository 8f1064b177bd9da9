//! Rust, through cargo and the crate wit-bindgen, whose macro leaves the types in the module.

use super::Job;
use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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
    if job.wasi {
        // The other one was fetched as one of the language's own.
        crate::tools::ensure_target(target)?;
    }
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--release", "--target", target, "--manifest-path"]).arg(job.source);
    // What it finds is printed as ever; what it made is said in JSON.
    command.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    command.env("CARGO_TARGET_DIR", &job.place.work);
    // Flags meant for this machine's own programs do not fit a plugin.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = command.output().context("start cargo")?;
    ensure!(output.status.success(), "cargo could not build {}", job.place.dir.display());
    let module = module(&output.stdout).with_context(|| format!("build {}", job.source.display()))?;
    let made = super::read(&module)?;
    if job.wasi {
        return write_if_changed(&job.place.out, &made);
    }
    let component = ComponentEncoder::default().validate(true).module(&made)?.encode();
    write_if_changed(&job.place.out, &component.context("make a component")?)
}

/// The module among what cargo says it made: a program's, or a `cdylib`'s. Dependencies make none.
///
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>
fn module(messages: &[u8]) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    let messages = serde_json::Deserializer::from_slice(messages).into_iter::<Message>();
    let mut modules = Vec::new();
    for message in messages {
        modules.extend(message.context("read what cargo says")?.filenames);
    }
    modules.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    match modules.len() {
        0 => bail!("it makes no wasm: it needs a `src/main.rs`, or a library of the type `cdylib`"),
        1 => Ok(modules.remove(0)),
        _ => bail!("it makes more than one wasm"),
    }
}

fn write_if_changed(out: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(out).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(out, bytes).with_context(|| format!("write {}", out.display()))
}
