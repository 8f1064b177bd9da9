//! AssemblyScript, through npm's assemblyscript. No generator of bindings knows it: a plugin speaks the canonical ABI.

use super::{Job, Types};
use crate::shell;
use anyhow::Result;
use std::process::Command;
use wit_component::StringEncoding;

/// Makes the component of a `.ts` file, whose exports are renamed by the `exports.mjs` beside it.
pub(super) fn make(job: &Job<'_>) -> Result<()> {
    let module = job.place.work.join("module.wasm");
    let mut command = Command::new(job.tools.ensure("node")?);
    command.arg(job.tools.ensure("assemblyscript")?).arg(job.source).arg("--outFile").arg(&module);
    // Each call has an instance of its own, so nothing needs to be freed; and nothing is imported to abort with.
    command.args([
        "--baseDir",
        ".",
        "-O3",
        "--runtime",
        "stub",
        "--use",
        "abort=",
        "--transform",
        "./exports.mjs",
    ]);
    shell::run_quietly(command.current_dir(&job.place.dir), "compile")?;
    job.write_component(&module, Types::Missing(StringEncoding::UTF16))
}
