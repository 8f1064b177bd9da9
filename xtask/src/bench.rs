//! Runs the benches and sets each figure against its target. What is measured, and against what, stands with
//! each bench.

use crate::postgres::{self, Server, Store};
use crate::{edge, plugin, shell};
use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tidegate_toolchain::tools::Tools;

/// One bench. Each prints a JSON object per figure.
struct Bench {
    name: &'static str,
    kind: Kind,
}

enum Kind {
    /// A bench target of the host.
    Target(&'static str),
    /// One that drives other processes, by its name in the tests' command `bench`.
    Command(&'static str),
}

const BENCHES: [Bench; 12] = [
    Bench { name: "sandbox", kind: Kind::Target("sandbox") },
    Bench { name: "languages", kind: Kind::Target("languages") },
    Bench { name: "pipeline", kind: Kind::Target("pipeline") },
    Bench { name: "diff", kind: Kind::Target("diff") },
    Bench { name: "queue", kind: Kind::Command("queue") },
    Bench { name: "edge", kind: Kind::Command("edge") },
    Bench { name: "effects", kind: Kind::Command("effects") },
    Bench { name: "latency", kind: Kind::Command("latency") },
    Bench { name: GROUP, kind: Kind::Command(GROUP) },
    Bench { name: "many", kind: Kind::Target("many") },
    Bench { name: "swap", kind: Kind::Command("swap") },
    Bench { name: "look", kind: Kind::Command("look") },
];

/// The one that is about a server whatever else is.
const GROUP: &str = "group";

/// What a figure must reach.
enum Target {
    /// Its ratio at most this.
    RatioMost(f64),
    /// Its ratio at least this.
    RatioLeast(f64),
    /// Its value at most this, in its own unit.
    Most(f64),
    /// Its value at least this, in its own unit.
    Least(f64),
}

/// The targets, by the figure's name; `*` at its start stands for any language.
const TARGETS: [(&str, Target); 31] = [
    ("sandbox", Target::RatioMost(1.15)),
    ("rust-fresh-p50", Target::RatioMost(1.3)),
    ("c-fresh-p50", Target::RatioMost(1.3)),
    ("zig-fresh-p50", Target::RatioMost(1.3)),
    ("assemblyscript-fresh-p50", Target::RatioMost(1.3)),
    ("*-64-at-once", Target::RatioMost(1.0)),
    ("*-beside-spinning-p99", Target::RatioMost(1.2)),
    ("pipeline", Target::Least(60_000.0)),
    ("pipeline-postgres", Target::Least(6_000.0)),
    ("pipeline-rest", Target::Least(20_000.0)),
    // Some of the rooms that have bounds are not full after 100,000 events.
    ("pipeline-memory", Target::RatioMost(1.15)),
    ("pipeline-grown", Target::RatioMost(1.1)),
    ("diff", Target::Least(5_000.0)),
    ("queue-sends", Target::RatioLeast(1.0)),
    ("edge-requests", Target::RatioLeast(1.0 / 1.2)),
    ("edge-p99", Target::RatioMost(1.2)),
    ("group-4-cpu", Target::RatioMost(1.2)),
    ("latency-p50", Target::Most(5.0)),
    ("latency-p99", Target::Most(30.0)),
    ("many-start", Target::Most(3_000.0)),
    ("many-event", Target::RatioMost(1.1)),
    ("look-overview-p95", Target::Most(100.0)),
    ("look-events-p95", Target::Most(100.0)),
    ("look-subject-p95", Target::Most(100.0)),
    ("look-text-p95", Target::Most(100.0)),
    ("look-parked-p95", Target::Most(100.0)),
    ("swap-p99", Target::RatioMost(1.1)),
    ("swap-promote-to-first", Target::Most(50.0)),
    ("swap-rollback", Target::Most(10.0)),
    ("paced-latency-p50", Target::Most(5.0)),
    ("paced-latency-p99", Target::Most(30.0)),
];

/// A figure as a bench prints it.
#[derive(Deserialize)]
struct Measured {
    name: String,
    value: f64,
    unit: String,
    #[serde(default)]
    against: Option<f64>,
    #[serde(default)]
    ratio: Option<f64>,
}

/// A figure with its target.
#[derive(Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: String,
    against: Option<f64>,
    ratio: Option<f64>,
    target: Option<String>,
    met: Option<bool>,
}

/// What to measure, and how to show it.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this one: sandbox, languages, pipeline, diff, queue, edge, effects, latency, group, many,
    /// swap or look.
    name: Option<String>,
    /// Events of the run that shows whether the pipeline's memory and cost stay the same (1000000); ten million need 12 GB
    /// of disk.
    #[arg(long)]
    events: Option<u64>,
    /// Where the pipeline keeps everything: `sqlite`, its file, or `postgres`, a server on the same cores.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// Print a JSON list of {name, value, unit, against, ratio, target, met}.
    #[arg(long)]
    json: bool,
    /// Write the table of languages into README.md, in place of the one that is there.
    #[arg(long)]
    readme: bool,
}

/// Runs all benches or one, and prints what they reached.
pub(crate) fn run(root: &Path, tools: &Tools, options: &Options) -> anyhow::Result<()> {
    let name = options.name.as_deref();
    let chosen: Vec<_> = BENCHES.iter().filter(|bench| name.is_none_or(|name| name == bench.name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!("there is no bench {}; there are: {}", name.unwrap_or_default(), names.join(", "));
    }
    ensure!(
        options.store == Store::Sqlite || name == Some("pipeline"),
        "`--store postgres` is for one bench: cargo xtask bench pipeline --store postgres"
    );
    tools.ensure("workerd")?;
    let languages =
        if chosen.iter().any(|bench| bench.name == "languages") { &[][..] } else { &plugin::USUAL };
    // Before the host, which brings the plugins' folders: a new component in one has it built again.
    plugin::build_plugins(root, tools, languages)?;
    shell::build_host(root)?;
    edge::build(root)?;
    plugin::build_guest(root, tools, "actor")?;
    let server = options.store.server(tools)?;
    let mut figures = Vec::new();
    for bench in chosen {
        let of_group = if bench.name == GROUP { Store::Postgres.server(tools)? } else { None };
        let output = measure(root, bench, options.events, of_group.as_ref().or(server.as_ref()))?;
        let table: Vec<_> = output.lines().filter(|line| line.starts_with('|')).collect();
        if !options.json {
            table.iter().for_each(|line| println!("{line}"));
        }
        if options.readme && !table.is_empty() {
            write_table(root, &table.join("\n"))?;
        }
        figures.extend(read(&output)?.into_iter().map(judge));
    }
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        figures.iter().for_each(print);
    }
    Ok(())
}

/// Puts the table of languages where README.md has one.
fn write_table(root: &Path, table: &str) -> anyhow::Result<()> {
    let path = root.join("README.md");
    let text = fs::read_to_string(&path).context("read README.md")?;
    let found = text.split_once("<!-- languages -->\n").and_then(|(before, rest)| {
        let (_, after) = rest.split_once("<!-- /languages -->")?;
        Some((before, after))
    });
    let (before, after) = found.context("README.md has no `<!-- languages -->` and `<!-- /languages -->`")?;
    let written = format!("{before}<!-- languages -->\n{table}\n<!-- /languages -->{after}");
    fs::write(&path, written).context("write README.md")
}

/// What a bench prints.
fn measure(
    root: &Path,
    bench: &Bench,
    events: Option<u64>,
    server: Option<&Server>,
) -> anyhow::Result<String> {
    eprintln!("measuring: {}", bench.name);
    let mut command = match bench.kind {
        Kind::Target(name) => {
            let mut command = shell::cargo(root);
            command.args(["bench", "--workspace", "--bench", name]);
            if let Some(events) = events.filter(|_| name == "pipeline") {
                command.args(["--", &events.to_string()]);
            }
            command
        }
        Kind::Command(name) => {
            let mut command = Command::new(shell::build_command(root, "bench")?);
            command.arg(name);
            command
        }
    };
    postgres::name_to(&mut command, server);
    let output = command.stderr(Stdio::inherit()).output().context("run a bench")?;
    ensure!(output.status.success(), "the bench {} failed ({})", bench.name, output.status);
    String::from_utf8(output.stdout).context("read a bench's output")
}

fn read(output: &str) -> anyhow::Result<Vec<Measured>> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).with_context(|| format!("read `{line}`"))).collect()
}

fn judge(measured: Measured) -> Figure {
    let Measured { name, value, unit, against, ratio } = measured;
    let is_of = |of: &str| of.strip_prefix('*').map_or_else(|| name == of, |ending| name.ends_with(ending));
    let target = TARGETS.iter().find(|(of, _)| is_of(of)).map(|(_, target)| target);
    let (target, met) = match target {
        None => (None, None),
        Some(Target::RatioMost(most)) => {
            (Some(format!("ratio <= {most:.2}")), ratio.map(|ratio| ratio <= *most))
        }
        Some(Target::RatioLeast(least)) => {
            (Some(format!("ratio >= {least:.2}")), ratio.map(|ratio| ratio >= *least))
        }
        Some(Target::Most(most)) => (Some(format!("<= {most} {unit}")), Some(value <= *most)),
        Some(Target::Least(least)) => (Some(format!(">= {least} {unit}")), Some(value >= *least)),
    };
    Figure { name, value, unit, against, ratio, target, met }
}

fn print(figure: &Figure) {
    let against = figure.against.map_or_else(String::new, |against| format!("  against {against:.2}"));
    let ratio = figure.ratio.map_or_else(String::new, |ratio| format!("  ratio {ratio:.2}"));
    let target = figure.target.as_ref().map_or_else(String::new, |target| format!("  target {target}"));
    let met = figure.met.map_or("", |met| if met { "  met" } else { "  NOT met" });
    println!("{:<22} {:>12.2} {}{against}{ratio}{target}{met}", figure.name, figure.value, figure.unit);
}
