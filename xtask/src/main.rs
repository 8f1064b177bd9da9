//! `cargo xtask`: what a fresh machine needs, and the commands that use it.

mod bench;
mod chaos;
mod demo;
mod edge;
mod faults;
mod fuzz;
mod plugin;
mod postgres;
mod receiver;
mod shell;
mod sim;
mod suite;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tidegate_toolchain::tools::Tools;

/// Builds, shows, tests and measures Tidegate. Each command installs what it lacks, saying so first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show one event's way through the whole system on this machine, then a plugin swapped while it runs.
    Demo {
        /// Stop when it is shown, instead of staying up to play with.
        #[arg(long)]
        once: bool,
    },
    /// Format, lints and all tests, with the real parts.
    Test {
        /// Only tests whose name contains this.
        filter: Option<String>,
    },
    /// Measure, as ratios against a floor or a peer in the same run.
    Bench(bench::Options),
    /// Send events while the queue is down, slow, hanging, refusing and killed, and then while both stores fail:
    /// none may be refused in the first part, and none lost in either.
    Faults(faults::Options),
    /// Send events while the host is killed every few seconds, its target fails a third of the time, its plugin traps a
    /// tenth of the time and its disk is full for a while: nothing may be lost, and nothing done under two keys. With
    /// `--hosts 4` several share a database and two queues, one or another is frozen or cut off, too, and the database is away
    /// for a while; with `--from` they begin as another release.
    Chaos(chaos::Options),
    /// Look for bytes from outside that the code was not written for: every fuzz target, for a while each. What was
    /// found before is in fuzz/corpus, and every run of the tests tries it.
    Fuzz(fuzz::Options),
    /// Play the host's middle against a bad queue, a bad target and death, all drawn from a seed, and print the story. The
    /// tests do this for 2,000 seeds; one that fails prints its seed.
    Sim(sim::Options),
    /// Make the documentation a site in target/book: the pages of docs, and those that the code writes itself.
    Docs,
    /// Start a PostgreSQL server for tests and benches that are run by hand, and say where it is.
    Postgres,
    /// Say what this machine has of what is needed, and what is missing.
    Tools {
        /// Install what is missing.
        #[arg(long)]
        install: bool,
    },
    /// Build the host, the Worker, and the plugins in Rust and JavaScript; `plugins` builds those in every language.
    Build,
    /// Build the Worker into worker/build; wrangler calls this.
    Edge,
    /// Build the plugins, the mirrors of the contract and the guests of the tests, or the first two in some languages.
    Plugins {
        /// Only these: names of folders under plugins and tests/contract.
        languages: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let root = root();
    let tools = Tools::new()?;
    let done = match command {
        Command::Faults(options) => return faults::run(&root, &tools, &options),
        Command::Chaos(options) => return chaos::run(&root, &tools, &options),
        Command::Fuzz(options) => return fuzz::run(&root, &options),
        Command::Sim(options) => sim::run(&root, &tools, &options),
        Command::Demo { once } => demo::run(&root, &tools, once),
        Command::Test { filter } => suite::run(&root, &tools, filter.as_deref()),
        Command::Bench(options) => bench::run(&root, &tools, &options),
        Command::Docs => docs(&root),
        Command::Postgres => postgres::serve(&tools),
        Command::Tools { install: true } => tools.install(),
        Command::Tools { install: false } => tools.print(),
        Command::Build => {
            tools.ensure("workerd")?;
            // Before the host, which brings their folders: a new component in one has it built again.
            plugins(&root, &tools, &plugin::USUAL.map(str::to_owned))?;
            shell::build_host(&root)?;
            edge::build(&root)
        }
        Command::Edge => edge::build(&root),
        Command::Plugins { languages } => plugins(&root, &tools, &languages),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn docs(root: &Path) -> anyhow::Result<()> {
    let (tidegate, book) = (shell::build_host(root)?, shell::build_command(root, "tidegate-book")?);
    let out = shell::target_dir(root).join("book");
    shell::run(std::process::Command::new(book).arg(tidegate).arg(root.join("docs")).arg(out))
}

fn plugins(root: &Path, tools: &Tools, languages: &[String]) -> anyhow::Result<()> {
    let components = if languages.is_empty() {
        plugin::build_all(root, tools)?
    } else {
        let mut components = plugin::build_plugins(root, tools, languages)?;
        components.extend(plugin::build_mirrors(root, tools, languages)?);
        components
    };
    for component in components {
        eprintln!("{}", component.strip_prefix(root).unwrap_or(&component).display());
    }
    Ok(())
}

/// The repository: where this package's directory is.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace").to_owned()
}
