//! Runs the chaos run: builds what it needs, and leaves the verdict to it.

use crate::postgres::{self, Store};
use crate::{edge, plugin, shell};
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use tidegate_toolchain::tools::Tools;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long events are sent.
    #[arg(long, value_name = "N", default_value_t = 3)]
    minutes: u32,
    /// Events per second meanwhile.
    #[arg(long, value_name = "N", default_value_t = 200)]
    rate: u32,
    /// Where everything is kept: `sqlite`, a host's own file, or `postgres`, a server of its own; one host has its file unless
    /// told otherwise, several have a server.
    #[arg(long, value_enum)]
    store: Option<Store>,
    /// So many hosts that share one database and two queues. One or another is killed, frozen for longer
    /// than the server bears, or cut off from the database or the queues.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    hosts: u32,
    /// Sends the events of an earlier run again: the seed that it printed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The executable of another release: the hosts begin as that, and one after the other becomes of this one meanwhile.
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
}

impl Options {
    /// As every run of the tests has it: several hosts, each of which may be the next to go.
    pub(crate) const SHORT: Self =
        Self { minutes: 1, rate: 100, store: None, hosts: 4, seed: None, from: None };
}

/// Builds the system and runs it. The run's own last line is the verdict; the exit code says the same.
pub(crate) fn run(root: &Path, tools: &Tools, options: &Options) -> anyhow::Result<ExitCode> {
    let usual = if options.hosts == 1 { Store::Sqlite } else { Store::Postgres };
    let store = options.store.unwrap_or(usual);
    ensure!(
        options.hosts == 1 || store == Store::Postgres,
        "--hosts {}: several hosts share a database, not a file: leave out --store sqlite",
        options.hosts
    );
    tools.ensure("workerd")?;
    shell::build_host(root)?;
    edge::build(root)?;
    plugin::build_guest(root, tools, "actor")?;
    let mut command = Command::new(shell::build_command(root, "chaos")?);
    command.arg(format!("--minutes={}", options.minutes)).arg(format!("--rate={}", options.rate));
    command.arg(format!("--hosts={}", options.hosts));
    let server = store.server(tools)?;
    postgres::name_to(&mut command, server.as_ref());
    command.args(options.seed.map(|seed| format!("--seed={seed}")));
    if let Some(from) = &options.from {
        let from = from.canonicalize().with_context(|| format!("find {}", from.display()))?;
        command.arg(format!("--from={}", from.display()));
    }
    shell::verdict(&mut command)
}
