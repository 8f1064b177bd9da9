//! JavaScript and TypeScript, with QuickJS in the component: npm's componentize-qjs, and its typescript before.

use super::{Job, WORLD, types};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Makes the component of a `.js` file.
pub(crate) fn make_of_javascript(job: &Job<'_>) -> Result<()> {
    make(job, &job.source("js"), &["--stub-wasi"])
}

/// As [`make_of_javascript`], with all that QuickJS asks of WASI.
pub(crate) fn make_with_wasi(job: &Job<'_>) -> Result<()> {
    make(job, &job.source("js"), &[])
}

/// Makes the component of a `.ts` file: its `tsconfig.json` says how types are checked.
pub(crate) fn make_of_typescript(job: &Job<'_>) -> Result<()> {
    let (resolve, world) = job.contract()?;
    let declared = job.dir.join("contract.d.ts");
    fs::write(&declared, types::declare(&resolve, world)?).context("write contract.d.ts")?;
    let mut command = Command::new(job.tools.ensure("node")?);
    command.arg(job.tools.ensure("typescript")?);
    command.arg("--project").arg(job.dir).arg("--outDir").arg(job.work);
    shell::run_quietly(&mut command, "check and strip types")?;
    make(job, &job.work.join(job.stem).with_extension("js"), &["--stub-wasi"])
}

fn make(job: &Job<'_>, source: &Path, flags: &[&str]) -> Result<()> {
    let draft = job.work.join("draft.wasm");
    let mut command = Command::new(job.tools.ensure("componentize-qjs")?);
    command.arg("--wit").arg(job.contract).arg("--js").arg(source);
    // No asynchronous calls; and without WASI the component imports nothing.
    command.args(["--world", WORLD, "--sync"]).args(flags).arg("--output").arg(&draft);
    shell::run_quietly(&mut command, "make a component")?;
    fs::rename(&draft, job.out).with_context(|| format!("move the component to {}", job.out.display()))
}
