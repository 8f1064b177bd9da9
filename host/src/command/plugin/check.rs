//! `tidegate plugin check`: what a plugin is and asks for, and whether a host would take it.

use super::show::{percent, size, took, us};
use crate::command::{print, print_json};
use anyhow::Context as _;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tidegate::limits::Limits;
use tidegate::plugin::{Manifest, ManifestError};
use tidegate::sandbox::CONTRACTS;
use tidegate::workbench::anatomy::Anatomy;
use tidegate::workbench::package::Package;
use tidegate::workbench::said::SHAPE_VERSION;
use tidegate::workbench::{Bounds, OpenError, Workbench};

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin check plugins/rust

It is compiled afresh, as a host does at the first deployment. The limits it is held against are those of tidegate.toml, or
the defaults. Exit code: 0 a host would take it, 1 not, with a sentence per problem.")]
pub(crate) struct Args {
    /// A plugin's directory (with plugin.toml), or a component.
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// Print one JSON object: v, component, manifest, limits, contracts, compile_us, at_rest_bytes, problems (name, text).
    #[arg(long)]
    json: bool,
}

/// What `--json` prints, version 1.
#[derive(Serialize)]
struct Report {
    v: u32,
    component: Anatomy,
    /// What plugin.toml says; `null` when there is none.
    manifest: Option<Manifest>,
    /// What one call of it may use.
    limits: Limits,
    /// The contract versions that this host knows.
    contracts: [&'static str; CONTRACTS.len()],
    compile_us: Option<u64>,
    at_rest_bytes: Option<usize>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    /// What `tidegate plugin explain` calls it; `manifest` for what the manifest asks too much of.
    name: &'static str,
    /// One sentence.
    text: String,
}

pub(super) fn run(args: &Args, bounds: &Bounds) -> anyhow::Result<ExitCode> {
    let package = Package::find(&args.plugin)?;
    let component = package.read()?;
    let mut report = Report {
        v: SHAPE_VERSION,
        component: Anatomy::of(&component),
        limits: bounds.limits,
        manifest: package.manifest.clone(),
        contracts: CONTRACTS,
        compile_us: None,
        at_rest_bytes: None,
        problems: Vec::new(),
    };
    let mut manifest = package.manifest_or_usual()?;
    match manifest.limits(&bounds.limits) {
        Ok(limits) => report.limits = limits,
        Err(error) => {
            report.problems.push(of_the_manifest(&error));
            // The component is looked at all the same.
            manifest.limits = tidegate::plugin::LimitsAsked::default();
        }
    }
    try_component(&mut report, manifest, &component, bounds)?;
    let is_good = report.problems.is_empty();
    if args.json {
        print_json([&report])?;
    } else {
        print(&pretty(&report, &package))?;
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Compiles it with nothing in the cache, and starts an instance.
fn try_component(
    report: &mut Report,
    manifest: Manifest,
    component: &[u8],
    bounds: &Bounds,
) -> anyhow::Result<()> {
    let empty = tempfile::tempdir().context("make a temporary folder")?;
    let bounds = Bounds { cache_dir: empty.path().to_owned(), ..bounds.clone() };
    let began = Instant::now();
    match Workbench::open(manifest, component, &bounds) {
        Ok(bench) => {
            report.compile_us = Some(us(began.elapsed()));
            match bench.at_rest() {
                Ok(usage) => report.at_rest_bytes = Some(usage.memory_bytes),
                Err(fault) => report.problems.push(Problem {
                    name: fault.name(),
                    text: format!("an instance cannot start: {}", fault.to_string().trim_end()),
                }),
            }
        }
        Err(OpenError::Component(error)) => {
            report.problems.push(Problem { name: error.trouble().name(), text: error.to_string() });
        }
        Err(OpenError::Manifest(error)) => report.problems.push(of_the_manifest(&error)),
        Err(OpenError::Sandbox(error)) => return Err(error),
    }
    Ok(())
}

fn of_the_manifest(error: &ManifestError) -> Problem {
    Problem { name: "manifest", text: error.to_string() }
}

fn pretty(report: &Report, package: &Package) -> String {
    let Anatomy { bytes, sha256, exports, imports, made_with, functions, functions_named } =
        &report.component;
    let made_with: Vec<_> =
        made_with.iter().map(|(name, version)| format!("{name} {version}").trim_end().to_owned()).collect();
    let mut lines = vec![
        ("component", format!("{}, {}", package.component.display(), size(*bytes))),
        ("sha-256", sha256.clone()),
        ("exports", list(exports)),
        ("imports", list(imports)),
        ("made with", list(&made_with)),
        ("functions", format!("{functions}, {functions_named} of them with a name for backtraces")),
    ];
    if let Some(manifest) = &report.manifest {
        lines.extend(asks(manifest));
    } else {
        lines.push(("plugin.toml", "none: it may reach nothing".to_owned()));
    }
    let memory_bytes = report.limits.memory_bytes;
    lines.push(("limits", limits(&report.limits)));
    if let Some(us) = report.compile_us {
        lines.push(("compiled in", took(Duration::from_micros(us))));
    }
    if let Some(bytes) = report.at_rest_bytes {
        let of = percent(wide(bytes), wide(memory_bytes));
        lines.push(("at rest", format!("{} of memory, {of} % of its limit", size(bytes))));
    }
    let mut text: String = lines.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect();
    for problem in &report.problems {
        text.push_str(&format!("problem      {}: {}\n", problem.name, problem.text));
        if problem.name != "manifest" {
            text.push_str(&format!("             what it means: tidegate plugin explain {}\n", problem.name));
        }
    }
    text + if report.problems.is_empty() { "a host would take it\n" } else { "a host would refuse it\n" }
}

fn limits(limits: &Limits) -> String {
    let Limits { wall_time_ms, memory_growths, table_elements, decisions, .. } = limits;
    let fuel = if limits.fuel == 0 { String::new() } else { format!("{} units of fuel, ", limits.fuel) };
    format!(
        "{wall_time_ms} ms, {fuel}{} of memory in {memory_growths} steps, {table_elements} elements of a table, {} returned, \
         {} per call of the host, {decisions} decisions, {} of log",
        size(limits.memory_bytes),
        size(limits.result_bytes),
        size(limits.hostcall_bytes),
        size(limits.log_bytes),
    )
}

fn asks(manifest: &Manifest) -> [(&'static str, String); 5] {
    let secrets: Vec<_> = manifest.secrets.iter().map(ToString::to_string).collect();
    let settings: Vec<_> = manifest.settings.keys().cloned().collect();
    [
        ("plugin", manifest.name.to_string()),
        ("asked about", list(&manifest.kinds)),
        ("may reach", list(&manifest.hosts)),
        ("secrets", list(&secrets)),
        ("settings", list(&settings)),
    ]
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
