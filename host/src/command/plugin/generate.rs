//! `tidegate plugin test --generate`: how a plugin does with events that nobody wrote.

use super::show;
use crate::command::{print, print_json};
use anyhow::Context as _;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tidegate::workbench::Workbench;
use tidegate::workbench::case::Outcome;
use tidegate::workbench::said::{FaultSaid, SHAPE_VERSION};
use tidegate::workbench::trial::{self, Failure, Trial};

/// Where events that a plugin failed at are kept, to be asked about again: a hidden folder of its own.
const FAILED: &str = ".tidegate/failed";

/// What to generate, and how to show it.
pub(super) struct Options {
    pub(super) dir: PathBuf,
    pub(super) events: u64,
    pub(super) seed: u64,
    pub(super) json: bool,
}

/// What `--json` prints, version 1.
#[derive(Serialize)]
struct Report<'a> {
    v: u32,
    plugin: &'a str,
    version: &'a str,
    seed: u64,
    asked: u64,
    unwanted: u64,
    decided: u64,
    nothing: u64,
    refused: u64,
    failed: u64,
    slowest_us: u64,
    memory_bytes: usize,
    failures: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    number: u64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<FaultSaid>,
    /// The file of the event.
    event: PathBuf,
}

pub(super) fn run(bench: &Workbench, options: &Options) -> anyhow::Result<ExitCode> {
    let trial = trial::run(bench, options.seed, options.events);
    let failures = trial.failures.iter().map(|failure| row(failure, options));
    let failures = failures.collect::<anyhow::Result<Vec<_>>>()?;
    let active = bench.plugin();
    let report = Report {
        v: SHAPE_VERSION,
        plugin: active.manifest.name.as_str(),
        version: active.version.as_str(),
        seed: options.seed,
        asked: trial.asked,
        unwanted: trial.unwanted,
        decided: trial.decided,
        nothing: trial.nothing,
        refused: trial.refused,
        failed: trial.failed,
        slowest_us: show::us(trial.slowest),
        memory_bytes: trial.memory_bytes_max,
        failures,
    };
    if options.json {
        print_json([&report])?;
    } else {
        print(&pretty(&report, &trial, options))?;
    }
    Ok(if trial.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Keeps the event of a failure.
fn row(failure: &Failure, options: &Options) -> anyhow::Result<Row> {
    let dir = options.dir.join(FAILED);
    fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    let event = dir.join(format!("seed-{}-event-{}.json", options.seed, failure.number));
    fs::write(&event, &failure.body).with_context(|| format!("write {}", event.display()))?;
    let fault = match &failure.outcome {
        Outcome::Fault(fault) => Some(fault.clone()),
        _ => None,
    };
    Ok(Row { number: failure.number, outcome: failure.outcome.name(), fault, event })
}

fn pretty(report: &Report<'_>, trial: &Trial, options: &Options) -> String {
    let mut text = String::new();
    for row in &report.failures {
        text.push_str(&format!("{:<8} event {} of seed {}\n", row.outcome, row.number, report.seed));
        if let Some(fault) = &row.fault {
            text.extend(show::fault(fault).lines().map(|line| format!("    {line}\n")));
        }
        let (dir, event) = (options.dir.display(), row.event.display());
        text.push_str(&format!("    again: tidegate plugin run {dir} {event}\n"));
    }
    text.push_str(&format!(
        "asked about {} events, each twice ({} more of kinds it does not want)\n\
         decided {}, decided nothing {}, refused {}, failed {}\n\
         slowest {}, at most {} of memory\n",
        trial.asked,
        trial.unwanted,
        trial.decided,
        trial.nothing,
        trial.refused,
        trial.failed,
        show::took(Duration::from_micros(report.slowest_us)),
        show::size(report.memory_bytes)
    ));
    text + &match trial.failed {
        0 => format!("{}: no fault, and the same answer twice, for seed {}\n", report.plugin, report.seed),
        failed => format!("{}: failed at {failed} of {}\n", report.plugin, trial.asked),
    }
}
