//! `tidegate compile`: the compiler in a process of its own. The host starts it; no person types it.

use std::process::ExitCode;
use tidegate::sandbox::compiler::{self, ChildArgs};

pub(crate) fn run(args: &ChildArgs) -> anyhow::Result<ExitCode> {
    compiler::run_child(args).map(ExitCode::from)
}
