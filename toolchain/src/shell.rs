//! Running other programs without a word, unless they fail.

use anyhow::Context as _;
use std::process::{Command, ExitStatus, Output};

/// A command as one would type it.
#[must_use]
pub fn line(command: &Command) -> String {
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    parts.map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A program that failed, and what it printed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}: {program} failed ({status})\n{printed}")]
pub struct Failed {
    /// What it was to do.
    pub what: String,
    /// The program's name, without its folder.
    pub program: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed, on both streams.
    pub printed: String,
    /// The command as one would type it.
    pub line: String,
}

impl Failed {
    /// What is to be said of a program that ended like this.
    pub(crate) fn new(command: &Command, what: &str, output: &Output) -> Self {
        let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Self {
            what: what.to_owned(),
            program: program.to_string_lossy().into_owned(),
            status: output.status,
            printed: format!("{out}{err}").trim().to_owned(),
            line: line(command),
        }
    }
}

/// Runs a program to its end without a word, unless it fails; `what` says what for.
///
/// # Errors
/// When it cannot be started, or fails: then the error is a [`Failed`].
pub(crate) fn run_quietly(command: &mut Command, what: &str) -> anyhow::Result<()> {
    let output = command.output();
    let output = output.with_context(|| format!("{what}: start {}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(Failed::new(command, what, &output).into());
    }
    Ok(())
}
