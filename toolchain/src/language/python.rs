//! Python, with CPython in the component: PyPI's componentize-py.

use super::{Job, WORLD, copy};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::process::Command;

/// Makes the component of a module, which may not be called like the world.
pub(super) fn make(job: &Job<'_>) -> Result<()> {
    let tool = job.tools.ensure("componentize-py")?;
    let packages = tool.parent().and_then(|bin| bin.parent()).context("componentize-py is in a `bin`")?;
    let sources = job.place.work.join("sources");
    // A folder of their own, as the tool's Python keeps compiled code beside what it reads.
    copy(&job.place.dir, &sources, &["py"])?;
    let draft = job.place.work.join("draft.wasm");
    let mut command = Command::new("python3");
    command.arg(&tool).arg("--wit-path").arg(&job.place.contract).args(["--world", WORLD, "componentize"]);
    if !job.wasi {
        command.arg("--stub-wasi");
    }
    command.arg("--python-path").arg(&sources).arg(job.source.file_stem().unwrap_or_default());
    command.arg("--output").arg(&draft);
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    shell::run_quietly(&mut command, "make a component")?;
    fs::rename(&draft, &job.place.out)
        .with_context(|| format!("move the component to {}", job.place.out.display()))
}
