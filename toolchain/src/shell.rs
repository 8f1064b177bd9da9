//! Running other programs without a word, unless they fail.

use anyhow::{Context as _, ensure};
use std::process::Command;

/// A command as one would type it.
#[must_use]
pub fn line(command: &Command) -> String {
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    parts.map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs a program to its end without a word, unless it fails; `what` says what for.
///
/// # Errors
/// When it cannot be started, or fails; the error is its command line and what it printed.
pub(crate) fn run_quietly(command: &mut Command, what: &str) -> anyhow::Result<()> {
    let output = command.output();
    let output = output.with_context(|| format!("{what}: start {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{what}: `{}` failed ({})\n{}{}",
        line(command),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
