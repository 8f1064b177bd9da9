//! JavaScript and TypeScript, with QuickJS in the component: npm's componentize-qjs, and its typescript before.

use super::{Job, WORLD, types};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Makes the component of a `.js` file.
pub(super) fn make_of_javascript(job: &Job<'_>) -> Result<()> {
    make(job, job.source)
}

/// Makes the component of a `.ts` file: its `tsconfig.json` says how types are checked.
pub(super) fn make_of_typescript(job: &Job<'_>) -> Result<()> {
    let (resolve, world) = job.contract()?;
    let declared = job.place.dir.join("contract.d.ts");
    fs::write(&declared, types::declare(&resolve, world)?).context("write contract.d.ts")?;
    let mut command = Command::new(job.tools.ensure("node")?);
    command.arg(job.tools.ensure("typescript")?);
    command.arg("--project").arg(&job.place.dir).arg("--outDir").arg(&job.place.work);
    shell::run_quietly(&mut command, "check and strip types")?;
    make(job, &job.place.work.join(job.source.file_stem().unwrap_or_default()).with_extension("js"))
}

fn make(job: &Job<'_>, source: &Path) -> Result<()> {
    let draft = job.place.work.join("draft.wasm");
    let mut command = Command::new(job.tools.ensure("componentize-qjs")?);
    command.arg("--wit").arg(&job.place.contract).arg("--js").arg(source);
    // No asynchronous calls; and without WASI the component imports nothing.
    command.args(["--world", WORLD, "--sync"]).args((!job.wasi).then_some("--stub-wasi"));
    command.arg("--output").arg(&draft);
    shell::run_quietly(&mut command, "make a component")?;
    fs::rename(&draft, &job.place.out)
        .with_context(|| format!("move the component to {}", job.place.out.display()))
}
