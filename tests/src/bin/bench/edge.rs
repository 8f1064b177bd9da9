//! Our Worker, a `generic` source and all checks on, against a dozen lines of JavaScript: same workerd, same queue,
//! runs interleaved so that what else the machine does falls on both. Prints one JSON line per figure. Takes the
//! number of rounds (5).
//!
//! Requests per second and p99 depend on who else wants the cores; the CPU time that workerd spent per request
//! does not, so it is printed too.

use anyhow::Context as _;
use serde_json::json;
use std::time::Duration;
use tidegate_tests::bench;
use tidegate_tests::edge::{Edge, EdgeOptions, SOURCE, TOKEN, live_path, root};
use tidegate_tests::load::{self, LoadReport};
use tidegate_tests::recorder::{Mood, Recorder};

const CONNECTIONS: usize = 64;
const ROUND: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_secs(2);

pub(crate) async fn run(numbers: &[u64]) -> anyhow::Result<()> {
    let rounds = numbers.first().copied().unwrap_or(5);
    let body = std::fs::read(root().join("tests/samples/asset-update.json")).context("read the event")?;
    let queue = Recorder::start().await?;
    queue.set_mood(Mood::TakesAndForgets);
    let floor_dir = tempfile::tempdir()?;
    std::fs::copy(root().join("tests/bench-edge/floor.js"), floor_dir.path().join("index.js"))?;
    let sources = json!({ SOURCE: { "profile": "generic", "tokens": [TOKEN] } }).to_string();
    let ours = Edge::start_with(EdgeOptions { sources, ..EdgeOptions::usual(queue.addr()) }).await?;
    let floor_build = floor_dir.path().to_owned();
    let floor =
        Edge::start_with(EdgeOptions { build: floor_build, ..EdgeOptions::usual(queue.addr()) }).await?;

    let mut runs = [Vec::new(), Vec::new()];
    for edge in [&ours, &floor] {
        load::run(edge.workerd.addr(), &live_path(), &body, CONNECTIONS, WARM_UP).await?;
    }
    for _ in 0..rounds {
        for (edge, runs) in [&ours, &floor].into_iter().zip(&mut runs) {
            runs.push(measure(edge, &body).await?);
        }
    }
    let [ours, floor] = &runs;
    let figures: [(&str, &str, Figure); 3] = [
        ("edge-requests", "1/s", |run| run.report.requests_per_s),
        ("edge-p99", "ms", |run| Duration::from_micros(run.report.p99_us).as_secs_f64() * 1e3),
        ("edge-cpu", "us", |run| run.cpu_us),
    ];
    for (name, unit, figure) in figures {
        println!("{}", bench::figure_against(name, median(ours, figure), unit, median(floor, figure)));
    }
    Ok(())
}

/// What is taken from a run.
type Figure = fn(&Run) -> f64;

/// One run of one Worker.
struct Run {
    report: LoadReport,
    /// CPU time of workerd per request, in microseconds.
    cpu_us: f64,
}

async fn measure(edge: &Edge, body: &[u8]) -> anyhow::Result<Run> {
    let process = edge.workerd.process_id().context("workerd ended")?;
    let before = cpu_time(process)?;
    let report = load::run(edge.workerd.addr(), &live_path(), body, CONNECTIONS, ROUND).await?;
    anyhow::ensure!(report.non_2xx == 0, "{} answers were not 2xx", report.non_2xx);
    let spent = cpu_time(process)?.saturating_sub(before);
    let cpu_us = spent.as_secs_f64() * 1e6 / f64::from(u32::try_from(report.requests)?);
    Ok(Run { report, cpu_us })
}

/// CPU time of all threads of a process so far; the kernel's documentation of `/proc/<pid>/schedstat`.
pub(crate) fn cpu_time(process: u32) -> anyhow::Result<Duration> {
    let mut total = Duration::ZERO;
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).context("list its threads")? {
        let text =
            std::fs::read_to_string(thread?.path().join("schedstat")).context("read a thread's CPU time")?;
        let nanoseconds = text.split(' ').next().context("a first field")?.parse()?;
        total += Duration::from_nanos(nanoseconds);
    }
    Ok(total)
}

fn median(runs: &[Run], figure: Figure) -> f64 {
    bench::median(&runs.iter().map(figure).collect::<Vec<_>>())
}
