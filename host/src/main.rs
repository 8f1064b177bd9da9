//! The `tidegate` command.

mod assembly;
mod command;

use clap::{CommandFactory as _, Parser, Subcommand};
use command::nearby;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the thread that decides allocates is freed by the one that writes: this one is made for that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// React to asset events with your own code, in any language that compiles to WebAssembly.
///
/// Events arrive at the edge, wait in a durable queue, are decided by your plugins in a sandbox, and the host
/// carries out what they decide. `tidegate dev` runs all of it on this machine.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// The directory that holds all of the host's state; `.tidegate` unless it is named. Commands that ask a host then
    /// also find the `tidegate dev` that was started last, from whatever directory.
    #[arg(long, global = true, env = "TIDEGATE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// The configuration; `tidegate.toml` in the working directory is used when it exists.
    #[arg(long, global = true, env = "TIDEGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    remote: nearby::Remote,

    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 it could not be done, and the last line says why; 2 the command line is \
                          wrong; 3 nothing was meant by it (`parked redrive` and `drop`).\nLog: set RUST_LOG (for example RUST_LOG=tidegate=debug) to see more or less.";

#[derive(Subcommand)]
enum Command {
    /// Pull from a queue (Cloudflare's, or any `tidegate queue serve`) and decide until stopped.
    Run(command::run::Args),
    /// The whole system on this machine: the built Worker under workerd, the queue, the host.
    Dev(command::dev::Args),
    /// Write plugins, try them without a host, put their versions to work, and see which ones are at work.
    #[command(subcommand)]
    Plugin(command::plugin::Command),
    /// See what arrived and what became of it.
    #[command(subcommand)]
    Events(command::events::Command),
    /// See what is out of the way and needs a person; try it again, or drop it.
    #[command(subcommand)]
    Parked(command::parked::Command),
    /// How much came in and what became of it.
    Stats(command::stats::Args),
    /// The hosts that share the work: what each holds, how far it is behind, when it was last seen.
    Hosts(command::hosts::Args),
    /// See how the host is, live in the terminal.
    Top(command::top::Args),
    /// See how the senders are, test one, rotate its token.
    #[command(subcommand)]
    Source(command::source::Command),
    /// See what you were told, and test that telling works.
    #[command(subcommand)]
    Alert(command::alert::Command),
    /// Erase a person from all that was recorded, and prove it.
    Forget(command::forget::Args),
    /// Who may ask a host's admin API for what: make tokens, rotate them, take them away.
    #[command(subcommand)]
    Token(command::token::Command),
    /// What people did through the admin API.
    Audit(command::token::AuditArgs),
    /// Print what is published of the admin API: OpenAPI 3.1, as JSON.
    Openapi,
    /// What so many events a second would need - queues, hosts, databases, money - and what gives out first.
    Capacity(command::capacity::Args),
    /// Look at everything that a host needs, and say what is wrong and what to type.
    Doctor(command::doctor::Args),
    /// Write all of the host's state into one file, while it works or not, and read it back to be sure.
    Backup(command::backup::BackupArgs),
    /// Put what a backup holds in the place of the host's state; what was there is kept aside.
    Restore(command::backup::RestoreArgs),
    /// The host's own file: a key to encrypt it with.
    #[command(subcommand)]
    Store(command::store::Command),
    /// The durable queue by itself, and the conformance suite of its contract.
    #[command(subcommand)]
    Queue(command::queue::Command),
    /// Play the sender of asset events against any URL, by its own hard rules, and say how the receiver did.
    Sender(command::sender::Args),
    /// Print what a shell needs to complete these commands.
    Completions(command::manual::CompletionsArgs),
    /// Write manual pages, one for each command.
    Man(command::manual::ManArgs),
    /// Print every key of tidegate.toml with its default and its meaning.
    Config,
    /// The compiler, in a process of its own: the host starts it, with a component on standard input.
    #[command(hide = true)]
    Compile(tidegate::sandbox::compiler::ChildArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Command::Compile(args) = &cli.command {
        // Before anything is made that it could do without.
        return command::compile::run(args);
    }
    let config = || command::load_config(cli.config.as_deref());
    match &cli.command {
        Command::Dev(_) | Command::Run(_) | Command::Queue(_) => {
            command::log::of_service(config()?.log.format)
        }
        _ => command::log::of_command(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let named = cli.data.as_deref();
    let here = named.unwrap_or(Path::new(nearby::USUAL));
    let found = || nearby::find(&cli.remote, named);
    let code = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => command::run::run(args, config, here).await.map(|()| ExitCode::SUCCESS),
            Command::Dev(args) => command::dev::run(args, config()?, here).await.map(|()| ExitCode::SUCCESS),
            Command::Plugin(command) => command::plugin::run(command, config, found).await,
            Command::Events(command) => {
                command::events::run(command, &found()?).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Parked(command) => command::parked::run(command, &found()?).await,
            Command::Stats(args) => command::stats::run(args, &found()?).await.map(|()| ExitCode::SUCCESS),
            Command::Hosts(args) => command::hosts::run(args, &found()?).await.map(|()| ExitCode::SUCCESS),
            Command::Top(args) => command::top::run(args, &found()?).await.map(|()| ExitCode::SUCCESS),
            Command::Source(command) => {
                command::source::run(command, &config()?, &found()?).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Alert(command) => {
                command::alert::run(command, &config()?, &found()?).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Forget(args) => command::forget::run(args, &found()?).await,
            Command::Token(command) => {
                command::token::run(command, &found()?).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Audit(args) => command::token::audit(&args, &found()?).await.map(|()| ExitCode::SUCCESS),
            Command::Openapi => command::token::openapi().map(|()| ExitCode::SUCCESS),
            Command::Capacity(args) => command::capacity::run(&args).map(|()| ExitCode::SUCCESS),
            Command::Doctor(args) => command::doctor::run(args, config(), &found()?).await,
            Command::Backup(args) => {
                command::backup::backup(args, &config()?, &found()?).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Restore(args) => {
                command::backup::restore(args, &config()?, here).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Store(command) => {
                command::store::run(command, config, here).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Queue(command) => command::queue::run(command, here).await,
            Command::Sender(args) => command::sender::run(args).await,
            Command::Compile(args) => command::compile::run(&args),
            Command::Completions(args) => {
                command::manual::completions(&args, Cli::command()).map(|()| ExitCode::SUCCESS)
            }
            Command::Man(args) => command::manual::man(&args, Cli::command()).map(|()| ExitCode::SUCCESS),
            Command::Config => {
                print!("{}", tidegate::config::DEFAULT_TOML);
                Ok(ExitCode::SUCCESS)
            }
        }
    });
    // What runs on blocking threads is bounded by the limits of a call; do not wait for more than one of them.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate::alert::Alert;
    use tidegate::condition::missing::HostNews;
    use tidegate::condition::{Condition, News, Turn};

    #[test]
    fn every_command_that_an_alert_names_is_one() {
        let mut commands = 0;
        let of_host = |condition| {
            Alert::Host(News { condition, turn: Turn::Begins, value: 2, bound: 1, since_ms: 0, at_ms: 0 })
        };
        let missing = HostNews { id: 1, name: "a".into(), turn: Turn::Begins, since_ms: 0, at_ms: 0 };
        for alert in Condition::ALL.map(of_host).into_iter().chain([Alert::Member(missing)]) {
            for step in alert.steps() {
                let Some((_, line)) = step.split_once(": tidegate ") else { continue };
                let words = std::iter::once("tidegate").chain(line.split(' '));
                let parsed = Cli::try_parse_from(words);
                assert!(
                    parsed.is_ok(),
                    "{line}: {}",
                    parsed.err().map(|error| error.to_string()).unwrap_or_default()
                );
                commands += 1;
            }
        }
        assert!(commands > Condition::ALL.len(), "most say what to type");
    }
}
