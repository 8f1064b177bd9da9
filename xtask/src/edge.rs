//! Builds the Worker into `worker/build`: the modules that wrangler deploys and workerd runs.
//! Knows nothing of either.

use anyhow::{Context as _, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tidegate_toolchain::tools;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";

/// Stem of the generated files, and the name `shell.js` imports.
const STEM: &str = "tidegate_worker";

/// Bytes the Worker's wasm may use: 48 MiB. Without it a runaway allocation takes 4 GB of the machine; with it
/// it costs one answer of 503. It does not bound what JavaScript holds.
const WASM_MEMORY_BYTES_MAX: u32 = 48 << 20;

/// Builds the Worker. Everything in `worker/build` is replaced, but only once the new one is complete.
///
/// # Errors
/// When a tool is missing or the crate does not build; the error says which.
pub(crate) fn build(root: &Path) -> anyhow::Result<()> {
    tools::ensure_target(TARGET)?;
    let wasm = compile(root)?;
    let built = root.join("worker/build");
    let fresh = root.join("worker/build.new");
    remove_dir(&fresh)?;
    bind(&wasm, &fresh)?;
    copy_modules(&root.join("worker/src"), &fresh)?;
    remove_dir(&built)?;
    fs::rename(&fresh, &built).context("put worker/build in place")?;
    let wasm = fs::read(built.join(format!("{STEM}_bg.wasm")))?;
    match gzip_bytes(&built) {
        Some(gzip) => {
            eprintln!("worker/build: wasm {} kB, all modules {} kB gzip", wasm.len() / 1000, gzip / 1000)
        }
        None => eprintln!("worker/build: wasm {} kB", wasm.len() / 1000),
    }
    Ok(())
}

/// Compiles the crate and tells where the wasm is.
fn compile(root: &Path) -> anyhow::Result<PathBuf> {
    let messages = output(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(root)
            .args(["build", "--package", "tidegate-worker", "--profile", "edge", "--target", TARGET])
            .arg("--message-format=json-render-diagnostics")
            .env(
                "RUSTFLAGS",
                format!("-C link-arg=--max-memory={WASM_MEMORY_BYTES_MAX} -C target-feature=+simd128"),
            )
            // Set for the xtask itself, and not meant for what it builds.
            .env_remove("CARGO_ENCODED_RUSTFLAGS"),
    )
    .context("compile the Worker")?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| {
            let files = message.get("filenames")?.as_array()?.clone();
            files
                .iter()
                .filter_map(|file| file.as_str())
                .find(|file| file.ends_with("tidegate_worker.wasm"))
                .map(PathBuf::from)
        })
        .next_back()
        .context("cargo named no tidegate_worker.wasm")
}

/// Writes the wasm and its JavaScript bindings.
fn bind(wasm: &Path, to: &Path) -> anyhow::Result<()> {
    Bindgen::new()
        .input_path(wasm)
        .out_name(STEM)
        .module(true)?
        .typescript(false)
        // `shell.js` makes a new instance after a trap with the function this adds.
        .reset_state_function(true)
        .generate(to)
        .context("generate the Worker's bindings")?;
    // Source-phase imports are in neither workerd nor esbuild yet; both give a compiled module for a plain one.
    let bindings = to.join(format!("{STEM}.js"));
    let text = fs::read_to_string(&bindings)?;
    if text.matches("import source ").count() != 1 {
        bail!("the generated bindings no longer import their wasm once: see xtask/src/edge.rs");
    }
    fs::write(&bindings, text.replace("import source ", "import ")).context("write the bindings")
}

/// Copies the JavaScript around the wasm. The shell is the main module.
fn copy_modules(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from).context("read the Worker's sources")? {
        let path = entry.context("read the Worker's sources")?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".js"))
        else {
            continue;
        };
        let name = if name == "shell.js" { "index.js" } else { name };
        fs::copy(&path, to.join(name)).with_context(|| format!("copy {name}"))?;
    }
    Ok(())
}

fn remove_dir(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Bytes of the build as Cloudflare counts them; `None` on a machine without tar and gzip.
fn gzip_bytes(dir: &Path) -> Option<usize> {
    let tar = Command::new("tar").args(["-czf", "-", "."]).current_dir(dir).output().ok()?;
    tar.status.success().then_some(tar.stdout.len())
}

/// Runs a command, its errors shown as they come, and gives what it printed.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.stderr(Stdio::inherit()).output().with_context(|| format!("run {name}"))?;
    ensure!(done.status.success(), "{name} failed ({})", done.status);
    String::from_utf8(done.stdout).with_context(|| format!("read what {name} printed"))
}
