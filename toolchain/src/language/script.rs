//! JavaScript and TypeScript, with QuickJS in the component: npm's componentize-qjs, and its typescript before.

use super::{Job, WORLD, copy};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// `log.js` where there is no log.
const NO_LOG: &str = "export function write() {}\n";

/// Makes the component of a `.js` file.
pub(super) fn make_of_javascript(job: &Job<'_>) -> Result<()> {
    make(job, &job.place.dir, &job.place.sdk)
}

/// Makes the component of a `.ts` file: its `tsconfig.json` says how types are checked.
pub(super) fn make_of_typescript(job: &Job<'_>) -> Result<()> {
    let stripped = job.place.work.join("stripped");
    let mut command = Command::new(job.tools.ensure("node")?);
    command.arg(job.tools.ensure("typescript")?);
    command.arg("--project").arg(&job.place.dir).arg("--outDir").arg(&stripped);
    shell::run_quietly(&mut command, "check and strip types")?;
    // The SDK is JavaScript with types beside it.
    make(job, &stripped, &job.place.sdk.with_file_name("javascript"))
}

/// Makes the component of the `.js` files in a folder, the source's among them. They may import one another, and the
/// SDK as `tidegate`.
fn make(job: &Job<'_>, sources: &Path, sdk: &Path) -> Result<()> {
    let modules = job.place.work.join("modules");
    copy(sources, &modules, &["js"])?;
    let tidegate = modules.join("node_modules/tidegate");
    copy(sdk, &tidegate, &["js", "json"])?;
    let stem = job.source.file_stem().unwrap_or_default().to_string_lossy();
    let entry = modules.join("tidegate-entry.js");
    write(
        &entry,
        &format!(
            "import {{ handler as of }} from 'tidegate';\nimport * as plugin from './{stem}.js';\n\
             export const handler = of(plugin, '{stem}.js');\n"
        ),
    )?;
    let contract = job.place.work.join("wit");
    let draft = job.place.work.join("draft.wasm");
    let mut command = Command::new(job.tools.ensure("componentize-qjs")?);
    // No asynchronous calls, which would need more of the host than a pure function does.
    command.args(["--sync", "--world", WORLD]).arg("--module-root").arg(&modules).arg("--js").arg(&entry);
    if job.wasi {
        copy(&job.place.contract, &contract.join("deps/tidegate"), &["wit"])?;
        fs::copy(sdk.join("log.wit"), contract.join("log.wit")).context("copy log.wit")?;
        command.arg("--wit").arg(&contract);
    } else {
        write(&tidegate.join("log.js"), NO_LOG)?;
        command.arg("--wit").arg(&job.place.contract).arg("--stub-wasi");
    }
    command.arg("--output").arg(&draft);
    shell::run_quietly(&mut command, "make a component")?;
    job.take(&draft)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
