//! Programs that are not ours, asked what they think of what is. Knows nothing of what they are asked about.

use anyhow::{Context as _, ensure};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tidegate_toolchain::tool;

/// All that a program says when it is given this.
///
/// # Errors
/// When it does not start, or ends with another code than 0: the error holds what it said.
pub fn said(mut command: Command, input: &str) -> anyhow::Result<String> {
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.with_context(|| format!("start {command:?}"))?;
    child.stdin.take().context("it is piped")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {errors}{}", String::from_utf8_lossy(&output.stdout));
    Ok(format!("{}{errors}", String::from_utf8(output.stdout)?))
}

/// What Prometheus' own tool says in this directory.
///
/// # Errors
/// As [`said`], and when it is not on this machine.
pub fn promtool(dir: &Path, args: &[&str], input: &str) -> anyhow::Result<String> {
    let mut command = Command::new(tool::find("promtool")?);
    command.args(args).current_dir(dir);
    said(command, input)
}

/// Python with the packages of a pinned tool.
///
/// # Errors
/// When the tool is not on this machine.
pub fn python(tool: &str) -> anyhow::Result<Command> {
    let file = tool::find(tool)?;
    // Each tool's file is in a folder of its packages: a program in `bin`, or a module in its own.
    let packages = file.ancestors().nth(2).context("the file is in a folder")?;
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages);
    Ok(command)
}
