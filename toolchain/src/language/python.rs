//! Python, with CPython in the component: PyPI's componentize-py.

use super::{Job, WORLD, copy};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::process::Command;

/// The module that has the class which the generated bindings look for.
const ENTRY: &str = "tidegate_entry";

/// Makes the component of a module, which may not be called like the world.
pub(super) fn make(job: &Job<'_>) -> Result<()> {
    let tool = job.tools.ensure("componentize-py")?;
    let packages = tool.parent().and_then(|bin| bin.parent()).context("componentize-py is in a `bin`")?;
    // Folders of their own, as the tool's Python keeps compiled code beside what it reads.
    let (sources, sdk) = (job.place.work.join("sources"), job.place.work.join("sdk"));
    copy(&job.place.dir, &sources, &["py"])?;
    copy(&job.place.sdk, &sdk, &["py"])?;
    let module = job.source.file_stem().unwrap_or_default().to_string_lossy();
    let entry =
        format!("import {module}\nfrom tidegate_bridge import handler\n\nHandler = handler({module})\n");
    fs::write(sdk.join(ENTRY).with_extension("py"), entry).with_context(|| format!("write {ENTRY}.py"))?;
    let draft = job.place.work.join("draft.wasm");
    let mut command = Command::new("python3");
    command.arg(&tool).arg("--wit-path").arg(&job.place.contract).args(["--world", WORLD, "componentize"]);
    if !job.wasi {
        command.arg("--stub-wasi");
    }
    command.arg("--python-path").arg(&sources).arg("--python-path").arg(&sdk).arg(ENTRY);
    command.arg("--output").arg(&draft);
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    shell::run_quietly(&mut command, "make a component")?;
    job.take(&draft)
}
