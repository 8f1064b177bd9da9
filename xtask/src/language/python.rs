//! Python, with CPython in the component: PyPI's componentize-py.

use super::{Job, WORLD, copy};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::process::Command;

/// Makes the component of a module, which may not be called like the world. Without WASI, so that it imports nothing.
pub(crate) fn make(job: &Job<'_>) -> Result<()> {
    make_so(job, &["--stub-wasi"])
}

/// As [`make`], with all that CPython asks of WASI.
pub(crate) fn make_with_wasi(job: &Job<'_>) -> Result<()> {
    make_so(job, &[])
}

fn make_so(job: &Job<'_>, flags: &[&str]) -> Result<()> {
    let tool = job.tools.ensure("componentize-py")?;
    let packages = tool.parent().and_then(|bin| bin.parent()).context("componentize-py is in a `bin`")?;
    let sources = job.work.join("sources");
    // A folder of their own, as the tool's Python keeps compiled code beside what it reads.
    copy(job.dir, &sources, &["py"])?;
    let draft = job.work.join("draft.wasm");
    let mut command = Command::new("python3");
    command.arg(&tool).arg("--wit-path").arg(job.contract).args(["--world", WORLD, "componentize"]);
    command.args(flags).arg("--python-path").arg(&sources).arg(job.stem).arg("--output").arg(&draft);
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    shell::run_quietly(&mut command, "make a component")?;
    fs::rename(&draft, job.out).with_context(|| format!("move the component to {}", job.out.display()))
}
