//! `tidegate plugin`: write plugins, try them without a host, put versions to work.

mod bench;
mod build;
mod check;
mod deploy;
mod diff;
mod explain;
mod generate;
mod manage;
mod new;
mod origin;
mod push;
pub(crate) mod reload;
mod run;
mod show;
mod test;
mod usage;
mod watch;

use super::table;
use crate::assembly;
use crate::command::nearby::Place;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tidegate::admin::plugins::PluginRow;
use tidegate::config::{Config, given};
use tidegate::sandbox::compiler::Compiler;
use tidegate::workbench::package::Package;
use tidegate::workbench::{Bounds, Workbench};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Start a plugin: a directory with source, plugin.toml, an event and its expected decisions.
    New(new::Args),
    /// Make a plugin's component of its sources; the language's tools are fetched when they are not there.
    Build(build::Args),
    /// Ask a plugin about one event and show what it decides and what a host would do about it.
    Run(run::Args),
    /// Ask a plugin about all of its events/ and compare with its expected/, or about generated events.
    Test(test::Args),
    /// Say what a plugin is, what it asks for, and whether a host would take it.
    Check(check::Args),
    /// Measure a plugin's time and memory per event, against its limits.
    Bench(bench::Args),
    /// What a fault, a refusal or a rejected component means, and what to do about it.
    Explain(explain::Args),
    /// Make a plugin's version the active one: the next event is decided by it.
    ///
    /// The component is checked and compiled before anything changes; when it is refused, the version that was
    /// active still is. Deploying the first version grants what its manifest asks for; a later one that asks for more needs
    /// --approve.
    Deploy(deploy::Args),
    /// What a version would have decided on real events of the past, against what was decided: nothing is performed.
    Diff(diff::Args),
    /// Put a plugin into an OCI registry, from where any host's operator can deploy it.
    Push(push::Args),
    /// Make the canary, or else the shadow, the active version; or raise a canary's share.
    Promote(manage::PromoteArgs),
    /// Bring back what was at work before: in one step, however the version at work behaves.
    Rollback(manage::RollbackArgs),
    /// End a canary or a shadow: the active version decides about all assets.
    End(manage::ChangeArgs),
    /// All about one plugin: what is at work, its versions, what they ask for.
    Show(manage::ShowArgs),
    /// Who put which version to work, when and why: every change there was, the newest first.
    History(manage::ShowArgs),
    /// Take a plugin out of work: it is asked about nothing any more. Its versions stay, and can be deployed again.
    Retire(manage::ChangeArgs),
    /// What each version cost since the host started: calls, faults, time, memory, fuel.
    Usage(usage::Args),
    /// The plugins at work and their versions.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
}

/// `config` reads the configuration: for the limits that an operator sets. All that put versions to work and list them speak to the host that
/// `found` finds; all others need no host and no network.
pub(crate) async fn run(
    command: Command,
    config: impl Fn() -> anyhow::Result<Config>,
    found: impl Fn() -> anyhow::Result<Place>,
) -> anyhow::Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::New(args) => new::run(&args).map(done),
        Command::Build(args) => build::run(args).await,
        Command::Run(args) => run::run(&args, &bounds(&config()?)?),
        Command::Test(args) => test::run(args, &bounds(&config()?)?).await,
        Command::Check(args) => check::run(&args, &bounds(&config()?)?),
        Command::Bench(args) => bench::run(&args, &bounds(&config()?)?),
        Command::Explain(args) => explain::run(&args).map(done),
        Command::Deploy(args) => deploy::run(args, &found()?).await.map(done),
        Command::Diff(args) => diff::run(&args, &found()?).await,
        Command::Push(args) => push::run(&args).await.map(done),
        Command::Promote(args) => manage::promote(&args, &found()?).await.map(done),
        Command::Rollback(args) => manage::rollback(&args, &found()?).await.map(done),
        Command::End(args) => manage::change(&args, "end", &found()?).await.map(done),
        Command::Show(args) => manage::show(&args, &found()?).await.map(done),
        Command::History(args) => manage::history(&args, &found()?).await.map(done),
        Command::Retire(args) => manage::change(&args, "retire", &found()?).await.map(done),
        Command::Usage(args) => usage::run(&args, &found()?).await.map(done),
        Command::List { json } => list(json, &found()?).await.map(done),
    }
}

/// What the operator allows.
fn bounds(config: &Config) -> anyhow::Result<Bounds> {
    Ok(Bounds {
        limits: config.limits,
        rules: assembly::rules(config),
        secrets: given::secrets(config)?.into_iter().map(|given| given.named).collect(),
        cache_dir: cache_dir(),
        compiler: Compiler::this_program().context("find this program, which compiles")?,
        compile_time_ms_max: config.sandbox.compile_time_ms_max,
        compile_memory_bytes_max: config.sandbox.compile_memory_bytes_max,
    })
}

/// A per-user folder of compiled code, beside the tools: an author has no host's state to keep it in.
fn cache_dir() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    base.unwrap_or_else(|| PathBuf::from(".tidegate")).join("tidegate/compiled")
}

/// Puts the plugin at this path on a bench, with these settings over its manifest's.
fn open(path: &Path, settings: &[String], bounds: &Bounds) -> anyhow::Result<Workbench> {
    let mut package = Package::find(path)?;
    warn_of_newer_source(&package);
    package.set(settings)?;
    let component = package.read()?;
    Ok(Workbench::open(package.manifest_or_usual()?, &component, bounds)?)
}

/// Says that a component is not made of the sources beside it.
fn warn_of_newer_source(package: &Package) {
    if let Some(source) = package.newer_source() {
        let (component, source) = (package.component.display(), source.display());
        eprintln!(
            "warning: {component} is older than {source}; to make it anew, type: tidegate plugin build"
        );
    }
}

async fn list(json: bool, host: &Place) -> anyhow::Result<()> {
    let plugins: Vec<PluginRow> = super::client(host)?.get("/api/v1/plugins").await?;
    if json {
        return super::print_json(&plugins);
    }
    if plugins.is_empty() {
        return super::print("no plugin is deployed; type: tidegate plugin deploy DIR\n");
    }
    let row = |row: &PluginRow| {
        vec![
            row.plugin.to_string(),
            manage::at_work(&row.roles),
            super::time(row.deployed_at_ms),
            row.kinds.join(","),
            row.hosts.join(","),
        ]
    };
    let rows: Vec<_> = plugins.iter().map(row).collect();
    super::print(&table::render(&["plugin", "version", "deployed", "kinds", "hosts"], &rows))
}
