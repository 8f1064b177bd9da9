//! Running other programs, saying what is run.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Cargo itself, in the repository.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, or fails; the error is its command line.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = tidegate_toolchain::shell::line(command);
    let line = line.rsplit_once("/bin/").map_or(line.clone(), |(_, name)| name.to_owned());
    eprintln!("+ {line}");
    let status = command.status().with_context(|| format!("start {line}"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// Builds one of the workspace's commands and says where it is. The first build takes some minutes: it compiles
/// wasmtime. Always for the whole workspace: with another selection cargo would choose other features, and compile
/// wasmtime once more.
pub(crate) fn build_command(root: &Path, name: &str) -> anyhow::Result<PathBuf> {
    run(cargo(root).args(["build", "--release", "--workspace", "--bin", name]))?;
    Ok(target_dir(root).join("release").join(name))
}

/// Builds the `tidegate` command.
pub(crate) fn build_host(root: &Path) -> anyhow::Result<PathBuf> {
    build_command(root, "tidegate")
}

/// Runs a command of the tests whose own last line is its verdict; the exit code says the same.
pub(crate) fn verdict(command: &mut Command) -> anyhow::Result<ExitCode> {
    let status = command.status().with_context(|| format!("start {}", command.get_program().display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
