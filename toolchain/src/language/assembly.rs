//! AssemblyScript, through npm's assemblyscript. No generator of bindings knows it: its SDK speaks the canonical ABI.

use super::{Job, Types, copy};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::process::Command;
use wit_component::StringEncoding;

/// Makes the component of a `.ts` file. The program is the SDK's; the compiler finds the SDK as the package `tidegate`
/// and the plugin's files in the folder `source`.
pub(super) fn make(job: &Job<'_>) -> Result<()> {
    let program = job.place.work.join("program");
    copy(&job.place.sdk, &program.join("packages/tidegate"), &["ts"])?;
    copy(&job.place.dir, &program.join("source"), &["ts"])?;
    for name in ["program.ts", "exports.mjs"] {
        let path = job.place.sdk.join(name);
        fs::copy(&path, program.join(name)).with_context(|| format!("copy {}", path.display()))?;
    }
    let plugin = job.source.file_stem().context("a source file has a name")?.to_string_lossy();
    let text = format!("export {{ handle }} from './source/{plugin}';\n");
    fs::write(program.join("plugin.ts"), text).context("write plugin.ts")?;

    let module = job.place.work.join("module.wasm");
    let mut command = Command::new(job.tools.ensure("node")?);
    command.arg(job.tools.ensure("assemblyscript")?).args(["program.ts", "--outFile", "../module.wasm"]);
    command.args(["--baseDir", ".", "--path", "packages", "--transform", "./exports.mjs"]);
    // Each call has an instance of its own, so nothing needs to be freed; and nothing is imported to abort with.
    // The names of its functions stay, for a fault to show.
    command.args(["-O3", "--debug", "--runtime", "stub", "--use", "abort="]);
    shell::run_quietly(command.current_dir(&program), "compile")?;
    job.write_component(&module, Types::Missing(StringEncoding::UTF16))
}
