//! `tidegate plugin bench`: time and memory per event, against the plugin's limits. Judges nothing.

use super::show::{self, percent, size, took};
use crate::command::{print, print_json, table};
use anyhow::bail;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tidegate::event::Event;
use tidegate::limits::Limits;
use tidegate::workbench::said::{FaultSaid, SHAPE_VERSION};
use tidegate::workbench::told::{Request, told};
use tidegate::workbench::{AT_ONCE, Bounds, Workbench, case};

/// Asked when the plugin has no events of its own: the sender's sample.
const SAMPLE: &[u8] = include_bytes!("../../../../tests/samples/asset-update.json");
/// Calls per event before anything is measured.
const WARM_UP: usize = 3;
/// The most events: their times are kept.
const EVENTS_MAX: usize = 10_000_000;

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin bench plugins/rust --events 10000

Each event is decided in a fresh instance, as a host does, one after the other on one thread; nothing is performed. Time is
that of the whole call: start, event in, decisions out, end. Exit code: 0 measured, 1 a fault or a plugin that cannot be run.")]
pub(crate) struct Args {
    /// A plugin's directory (with plugin.toml); its events/ are asked about in turn, or the sender's sample if it has none.
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// How many events, in all.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    events: usize,
    /// Sets one of the plugin's settings over its manifest, as NAME=VALUE. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Print one JSON object: v, plugin, version, limits, at_rest_bytes, at_once (how many), at_once_bytes, events, and rows (name, events, p50_us, p99_us,
    /// max_us, memory_bytes, memory_growths, fuel, decisions, out_of_time); the first row, `all`, is of all events.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints, version 1.
#[derive(Serialize)]
struct Report {
    v: u32,
    plugin: String,
    version: String,
    limits: Limits,
    at_rest_bytes: Option<usize>,
    at_once: u32,
    /// What so many instances hold of this machine's memory; `null` where it does not say.
    at_once_bytes: Option<usize>,
    events: usize,
    rows: Vec<Row>,
}

/// One event's figures, or those of all.
#[derive(Serialize)]
struct Row {
    name: String,
    events: usize,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
    memory_bytes: usize,
    memory_growths: usize,
    /// The most that one call used; `null` when there is no limit of it, and so nobody counts.
    fuel: Option<u64>,
    decisions: usize,
    /// Calls that ran out of time; they are in the other figures, too.
    out_of_time: usize,
}

/// What was measured of one event.
struct Course {
    name: String,
    event: Event,
    took: Vec<Duration>,
    memory_bytes: usize,
    memory_growths: usize,
    fuel: Option<u64>,
    decisions: usize,
    out_of_time: usize,
}

pub(super) fn run(args: &Args, bounds: &Bounds) -> anyhow::Result<ExitCode> {
    if args.events == 0 || args.events > EVENTS_MAX {
        bail!("--events {}: 1 to {EVENTS_MAX}", args.events);
    }
    let bench = super::open(&args.plugin, &args.settings, bounds)?;
    let mut courses = courses(args)?;
    for course in &mut courses {
        for _ in 0..WARM_UP {
            ask(&bench, course)?;
        }
        (course.took, course.out_of_time) = (Vec::new(), 0);
    }
    for course in (0..courses.len()).cycle().take(args.events) {
        ask(&bench, &mut courses[course])?;
    }
    let report = report(&bench, &courses);
    if args.json {
        print_json([&report])?;
    } else {
        print(&pretty(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn courses(args: &Args) -> anyhow::Result<Vec<Course>> {
    let course = |name: &str, event| Course {
        name: name.to_owned(),
        event,
        took: Vec::new(),
        memory_bytes: 0,
        memory_growths: 0,
        fuel: None,
        decisions: 0,
        out_of_time: 0,
    };
    if !args.plugin.join(case::EVENTS).is_dir() {
        return Ok(vec![course("the sender's sample", told(SAMPLE.to_vec(), &Request::default()))]);
    }
    let cases = case::find(&args.plugin)?;
    cases.iter().map(|case| Ok(course(&case.name, case.event()?))).collect()
}

fn ask(bench: &Workbench, course: &mut Course) -> anyhow::Result<()> {
    let measured = bench.ask(&course.event);
    match measured.answer {
        // On a busy machine a call may run out of time that has done nothing wrong.
        Err(fault) if fault.is_passing() => course.out_of_time += 1,
        Err(fault) => bail!("{}: {}", course.name, show::fault(&FaultSaid::from(&fault)).trim_end()),
        Ok(said) => course.decisions = said.map_or(0, |decisions| decisions.len()),
    }
    course.took.push(measured.took);
    course.memory_bytes = course.memory_bytes.max(measured.usage.memory_bytes);
    course.memory_growths = course.memory_growths.max(measured.usage.memory_growths);
    course.fuel = course.fuel.max(measured.usage.fuel);
    Ok(())
}

fn report(bench: &Workbench, courses: &[Course]) -> Report {
    let active = bench.plugin();
    let whole = courses.iter().flat_map(|course| course.took.iter().copied()).collect::<Vec<_>>();
    let all = Row {
        memory_bytes: courses.iter().map(|course| course.memory_bytes).max().unwrap_or(0),
        memory_growths: courses.iter().map(|course| course.memory_growths).max().unwrap_or(0),
        fuel: courses.iter().map(|course| course.fuel).max().flatten(),
        decisions: courses.iter().map(|course| course.decisions).max().unwrap_or(0),
        out_of_time: courses.iter().map(|course| course.out_of_time).sum(),
        ..times("all", whole)
    };
    let rows = courses.iter().filter(|course| !course.took.is_empty()).map(|course| Row {
        memory_bytes: course.memory_bytes,
        memory_growths: course.memory_growths,
        fuel: course.fuel,
        decisions: course.decisions,
        out_of_time: course.out_of_time,
        ..times(&course.name, course.took.clone())
    });
    Report {
        v: SHAPE_VERSION,
        plugin: active.manifest.name.to_string(),
        version: active.version.as_str().to_owned(),
        limits: active.limits,
        at_rest_bytes: bench.at_rest().ok().map(|usage| usage.memory_bytes),
        at_once: AT_ONCE,
        at_once_bytes: courses.first().and_then(|course| bench.at_once(&course.event).ok()),
        events: all.events,
        rows: std::iter::once(all).chain(rows).collect(),
    }
}

fn times(name: &str, mut took: Vec<Duration>) -> Row {
    took.sort_unstable();
    Row {
        name: name.to_owned(),
        events: took.len(),
        p50_us: at(&took, 50),
        p99_us: at(&took, 99),
        max_us: at(&took, 100),
        memory_bytes: 0,
        memory_growths: 0,
        fuel: None,
        decisions: 0,
        out_of_time: 0,
    }
}

/// The time that so many of a hundred calls stay under, in microseconds.
fn at(sorted: &[Duration], percent: usize) -> u64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().map_or(0, show::us)
}

fn pretty(report: &Report) -> String {
    let time = |us| took(Duration::from_micros(us));
    let cells = report.rows.iter().map(|row| {
        vec![
            row.name.clone(),
            row.events.to_string(),
            time(row.p50_us),
            time(row.p99_us),
            time(row.max_us),
            size(row.memory_bytes),
            row.memory_growths.to_string(),
            row.fuel.map_or_else(|| "-".to_owned(), |fuel| fuel.to_string()),
            row.decisions.to_string(),
        ]
    });
    let headings = ["event", "asked", "p50", "p99", "max", "memory", "growths", "fuel", "decisions"];
    let mut text = table::render(&headings, &cells.collect::<Vec<_>>());
    let Some(all) = report.rows.first() else { return text };
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let Limits { wall_time_ms, memory_bytes, decisions, .. } = report.limits;
    text.push_str(&format!(
        "\nof its limits: p99 {} % of {wall_time_ms} ms, slowest {} %; memory {} % of {}; decisions {} % of {decisions}\n",
        percent(all.p99_us, wall_time_ms.saturating_mul(1_000)),
        percent(all.max_us, wall_time_ms.saturating_mul(1_000)),
        percent(wide(all.memory_bytes), wide(memory_bytes)),
        size(memory_bytes),
        percent(wide(all.decisions), wide(decisions)),
    ));
    if let Some(fuel) = all.fuel {
        let limit = report.limits.fuel;
        text.push_str(&format!("fuel {} % of {limit}, the same each time\n", percent(fuel, limit)));
    }
    if all.out_of_time > 0 {
        text.push_str(&format!(
            "{} calls ran out of time: tidegate plugin explain wall_time_ms\n",
            all.out_of_time
        ));
    }
    if let Some(bytes) = report.at_rest_bytes {
        text.push_str(&format!("at rest, an instance has {} of memory\n", size(bytes)));
    }
    if let Some(bytes) = report.at_once_bytes {
        text.push_str(&format!(
            "{AT_ONCE} instances at once hold {} of this machine's memory\n",
            size(bytes)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!([50, 99, 100].map(|percent| at(&sorted, percent)), [100, 198, 200]);
        assert_eq!([50, 99, 100].map(|percent| at(&sorted[..1], percent)), [1; 3]);
        assert_eq!(at(&[], 50), 0);
    }
}
