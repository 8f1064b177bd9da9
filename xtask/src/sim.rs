//! Plays simulated runs again and prints their stories: the tests' own, of `host/tests/simulation.rs`.

use crate::postgres::{self, Disk, Server};
use crate::{plugin, shell};
use std::path::Path;
use tidegate_toolchain::tools::Tools;

/// Which runs.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The seed of the first.
    #[arg(long, value_name = "N")]
    seed: u64,
    /// How many, each with the next seed.
    #[arg(long, value_name = "M", default_value_t = 1)]
    seeds: u64,
    /// Of several hosts on one store.
    #[arg(long)]
    several: bool,
    /// With the tables in a PostgreSQL database, to which connections are lost.
    #[arg(long, conflicts_with = "several")]
    postgres: bool,
}

/// Runs them.
pub(crate) fn run(root: &Path, tools: &Tools, options: &Options) -> anyhow::Result<()> {
    plugin::build_guest(root, tools, "actor")?;
    let mut test = shell::cargo(root);
    test.env("TIDEGATE_SIM_SEED", options.seed.to_string());
    test.env("TIDEGATE_SIM_SEEDS", options.seeds.to_string());
    if options.several {
        test.env("TIDEGATE_SIM_SEVERAL", "1");
    }
    let server = options.postgres.then(|| Server::start(tools, Disk::Hurries)).transpose()?;
    if server.is_some() {
        test.env("TIDEGATE_SIM_POSTGRES", "1");
    }
    postgres::name_to(&mut test, server.as_ref());
    test.args(["test", "--quiet", "--release", "--workspace", "--test", "simulation", "--"]);
    shell::run(test.args(["--exact", "a_seed_tells_its_story", "--nocapture"]))
}
