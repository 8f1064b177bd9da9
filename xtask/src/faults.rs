//! Runs the fault run: builds what it needs, and leaves the verdict to it.

use crate::{edge, plugin, shell};
use std::path::Path;
use std::process::{Command, ExitCode};
use tidegate_toolchain::tools::Tools;

/// What to run; what is not said, the run itself chooses.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long the queue is put through its troubles.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Events per second meanwhile.
    #[arg(long, value_name = "N", default_value_t = 500)]
    rate: u32,
    /// Sends the events of an earlier run again: the seed that it printed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only this trouble of the queue: down, slow, hangs, refuses or killed.
    #[arg(long, value_name = "TROUBLE")]
    only: Option<String>,
    /// A run short and gentle enough for every change: what `cargo xtask test` ends with.
    #[arg(long, conflicts_with_all = ["seconds", "rate"])]
    short: bool,
}

impl Options {
    /// The short run.
    pub(crate) const SHORT: Self = Self { seconds: 0, rate: 0, seed: None, only: None, short: true };

    fn arguments(&self) -> Vec<String> {
        let mut arguments = if self.short {
            vec!["--short".to_owned()]
        } else {
            vec![format!("--seconds={}", self.seconds), format!("--rate={}", self.rate)]
        };
        arguments.extend(self.seed.map(|seed| format!("--seed={seed}")));
        arguments.extend(self.only.as_ref().map(|only| format!("--only={only}")));
        arguments
    }
}

/// Builds the system and runs it. The run's own last line is the verdict; the exit code says the same.
pub(crate) fn run(root: &Path, tools: &Tools, options: &Options) -> anyhow::Result<ExitCode> {
    tools.ensure("workerd")?;
    shell::build_host(root)?;
    edge::build(root)?;
    plugin::build_plugins(root, tools, &["rust"])?;
    let faults = shell::build_command(root, "faults")?;
    shell::verdict(Command::new(faults).args(options.arguments()))
}
