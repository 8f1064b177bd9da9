//! `tidegate plugin test`: a plugin's events against what is expected of them, once or on each change.

use super::watch::{self, Files};
use super::{generate, show};
use crate::command::{on_a_terminal, print, print_json, stopped};
use serde::Serialize;
use similar::TextDiff;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tidegate::log::Log;
use tidegate::workbench::case::{self, Case, EVENTS, EXPECTED, Outcome, Tried, Update};
use tidegate::workbench::package::Package;
use tidegate::workbench::said::{FaultSaid, SHAPE_VERSION};
use tidegate::workbench::{Bounds, Workbench};

/// Lines around a difference that are shown.
const CONTEXT_LINES: usize = 3;

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin test
         tidegate plugin test --update     # what it decides now is what is expected from now on
         tidegate plugin test --watch      # again whenever plugin.wasm or a file changes; Ctrl-C ends it
         tidegate plugin test --generate 500 --seed 7     # events that nobody wrote

events/NAME.json is the body of a request, as the sender sends it; expected/NAME.json is the `answer` that `tidegate plugin
run --json` prints for it. Each event is asked about twice, in fresh instances: two answers fail the test as impure. A
fault always fails. Exit code: 0 all as expected, 1 not.")]
pub(crate) struct Args {
    /// A plugin's directory, with plugin.toml, events/ and expected/.
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// Write what the plugin decides into expected/.
    #[arg(long, conflicts_with = "watch")]
    update: bool,
    /// Run again whenever the component, plugin.toml, an event or an expectation changes.
    #[arg(long)]
    watch: bool,
    /// Ask about so many generated events instead: the sender's life cycles with everything odd it does, and bodies that
    /// were damaged on the way. None may end in a fault or get two answers.
    #[arg(long, value_name = "EVENTS", conflicts_with_all = ["update", "watch"])]
    generate: Option<u64>,
    /// Which events are generated: the same seed makes the same ones.
    #[arg(long, default_value_t = 1, requires = "generate")]
    seed: u64,
    /// Sets one of the plugin's settings over its manifest, as NAME=VALUE. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Print one JSON object per run: v, plugin, version, failed, cases (name, outcome, took_us, memory_bytes, diff, fault, log).
    /// Outcomes: same, written, missing, differs, impure, fault. With --generate: v, plugin, version, seed, asked, unwanted,
    /// decided, nothing, refused, failed, slowest_us, memory_bytes, failures (number, outcome, fault, event).
    #[arg(long)]
    json: bool,
}

/// What `--json` prints, version 1.
#[derive(Serialize)]
struct Report {
    v: u32,
    plugin: String,
    version: String,
    failed: usize,
    cases: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    outcome: &'static str,
    took_us: u64,
    memory_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<FaultSaid>,
    #[serde(skip_serializing_if = "Log::is_empty")]
    log: Log,
}

pub(super) async fn run(args: Args, bounds: &Bounds) -> anyhow::Result<ExitCode> {
    if args.watch {
        return keep_testing(&args, bounds).await;
    }
    if let Some(events) = args.generate {
        let bench = super::open(&args.plugin, &args.settings, bounds)?;
        return generate::run(
            &bench,
            &generate::Options { dir: args.plugin, events, seed: args.seed, json: args.json },
        );
    }
    let report = attempt(&args, bounds)?;
    show_report(&args, &report)?;
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs, then waits for a change, until it is stopped. What is wrong is said, not fatal: a build may be under way.
async fn keep_testing(args: &Args, bounds: &Bounds) -> anyhow::Result<ExitCode> {
    let stopped = stopped()?;
    tokio::pin!(stopped);
    loop {
        let seen = files(&args.plugin);
        match attempt(args, bounds) {
            Ok(report) => show_report(args, &report)?,
            Err(error) => eprintln!("error: {error:#}"),
        }
        eprintln!("watching {}; Ctrl-C ends it", args.plugin.display());
        tokio::select! {
            () = &mut stopped => return Ok(ExitCode::SUCCESS),
            () = watch::changed(|| files(&args.plugin), seen) => {}
        }
    }
}

fn files(plugin: &Path) -> Files {
    let component = Package::find(plugin).map(|package| package.component);
    let listed = [EVENTS, EXPECTED].map(|dir| fs::read_dir(plugin.join(dir)));
    let listed = listed.into_iter().flatten().flatten().flatten().map(|entry| entry.path());
    watch::look(component.into_iter().chain([plugin.join("plugin.toml")]).chain(listed).collect())
}

fn attempt(args: &Args, bounds: &Bounds) -> anyhow::Result<Report> {
    anyhow::ensure!(args.plugin.is_dir(), "{} is not a plugin's directory", args.plugin.display());
    let cases = case::find(&args.plugin)?;
    let bench = super::open(&args.plugin, &args.settings, bounds)?;
    let update = if args.update { Update::Write } else { Update::Compare };
    let rows = cases.iter().map(|case| row(case, &bench, update)).collect::<anyhow::Result<Vec<_>>>()?;
    let active = bench.plugin();
    Ok(Report {
        v: SHAPE_VERSION,
        plugin: active.manifest.name.to_string(),
        version: active.version.as_str().to_owned(),
        failed: rows.iter().filter(|(_, is_good)| !is_good).count(),
        cases: rows.into_iter().map(|(row, _)| row).collect(),
    })
}

/// A case's row, and whether it is good.
fn row(case: &Case, bench: &Workbench, update: Update) -> anyhow::Result<(Row, bool)> {
    let Tried { outcome, took, memory_bytes, log } = case.attempt(bench, update)?;
    let expected = format!("{EXPECTED}/{}.json", case.name);
    let diff = match &outcome {
        Outcome::Missing { said } => Some(diff(["nothing is expected yet", "decided"], "", said)),
        Outcome::Differs { expected: wanted, said } => Some(diff([&expected, "decided"], wanted, said)),
        Outcome::Impure { first, second } => Some(diff(["asked at first", "asked again"], first, second)),
        Outcome::Same | Outcome::Written | Outcome::Fault(_) => None,
    };
    let (name, is_good) = (outcome.name(), outcome.is_good());
    let fault = match outcome {
        Outcome::Fault(fault) => Some(fault),
        _ => None,
    };
    let row = Row {
        name: case.name.clone(),
        outcome: name,
        took_us: show::us(took),
        memory_bytes,
        diff,
        fault,
        log,
    };
    Ok((row, is_good))
}

fn diff([old_name, new_name]: [&str; 2], old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(CONTEXT_LINES).header(old_name, new_name).to_string()
}

fn show_report(args: &Args, report: &Report) -> anyhow::Result<()> {
    if args.json {
        return print_json([report]);
    }
    let width = report.cases.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &report.cases {
        let took = show::took(Duration::from_micros(row.took_us));
        text.push_str(&format!("{:<8} {:<width$}  {took}\n", row.outcome, row.name));
        text.push_str(&row.fault.as_ref().map_or_else(String::new, |fault| indented(&show::fault(fault))));
        text.push_str(&row.diff.as_ref().map_or_else(String::new, |diff| indented(&coloured(diff))));
        // Of a case that passes, nobody needs to read what was written.
        if !["same", "written"].contains(&row.outcome) {
            text.extend(row.log.shown().map(|line| format!("    log: {line}\n")));
        }
        if row.outcome == "impure" {
            text.push_str("    what it means: tidegate plugin explain impure\n");
        }
    }
    let (all, failed) = (report.cases.len(), report.failed);
    let are_new = report.cases.iter().any(|row| ["missing", "differs"].contains(&row.outcome));
    text.push_str(&match failed {
        0 => format!("{}: all {all} as expected\n", report.plugin),
        _ => format!("{}: {failed} of {all} not as expected\n", report.plugin),
    });
    if are_new {
        let dir = args.plugin.display();
        text.push_str(&format!("when it is right, type: tidegate plugin test {dir} --update\n"));
    }
    print(&text)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// The diff with what is expected in red and what was said in green, on a terminal.
fn coloured(diff: &str) -> String {
    if !on_a_terminal() {
        return diff.to_owned();
    }
    let line = |line: &str| match line.as_bytes().first() {
        Some(b'-') => format!("\x1b[31m{line}\x1b[0m\n"),
        Some(b'+') => format!("\x1b[32m{line}\x1b[0m\n"),
        _ => format!("{line}\n"),
    };
    diff.lines().map(line).collect()
}
