//! `tidegate doctor`: looks at everything that a host needs, and says what is wrong and what to type. Changes nothing but a
//! file that it makes in the data directory and takes away again.

mod distant;
mod edge;
mod finding;
mod here;
mod host;
mod queue;

use super::nearby::Place;
use crate::assembly::now_ms;
use anyhow::Context as _;
use finding::{Finding, Level};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tidegate::config::Config;
use tokio::task::JoinSet;

/// How long any one check may take.
const CHECK_MAX: Duration = Duration::from_secs(15);

#[derive(clap::Args)]
#[command(after_help = "\
Run it as the host runs: in its directory, as its user, with its environment. Checks run side by side, each for 15 s at \
most. Exit code: 0 when there is no problem (warnings do not count), 1 when there is one.")]
pub(crate) struct Args {
    /// One JSON object: v, problems, warnings, findings (check, level, what, fix).
    #[arg(long)]
    json: bool,
}

/// What the checks look at.
struct Patient {
    config: Config,
    data: PathBuf,
    /// The edge of the `tidegate dev` on this directory, and its token: it brings its own, and its own queue.
    dev: Option<(String, String)>,
    now_ms: fn() -> u64,
}

impl Patient {
    /// A variable of the environment that is set to something.
    fn secret(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.trim().is_empty())
    }
}

/// `config` is the configuration, or why it cannot be read: then the defaults stand in for it, and nothing far is asked.
pub(crate) async fn run(
    args: Args,
    config: anyhow::Result<Config>,
    host: &Place,
) -> anyhow::Result<ExitCode> {
    let data = host
        .dir()
        .context("doctor looks at the machine it runs on: run it there, without --host")?
        .to_owned();
    let is_read = config.is_ok();
    let mut findings = vec![finding::of_config(&config)];
    let config = config.unwrap_or_default();
    let dev = super::dev::own_edge(&config, &data).unwrap_or_else(|error| {
        findings.push(Finding::problem(
            "data",
            format!("{error:#}"),
            "Delete that file: `tidegate dev` makes it anew",
        ));
        None
    });
    let patient = Arc::new(Patient { config, data, dev, now_ms });
    let mut checks = JoinSet::new();
    checks.spawn(bounded("store", here::store(Arc::clone(&patient))));
    checks.spawn(bounded("data", here::data(Arc::clone(&patient))));
    checks.spawn(bounded("machine", here::machine(Arc::clone(&patient))));
    checks.spawn(bounded("host", host::check(Arc::clone(&patient))));
    if is_read {
        checks.spawn(bounded("queue", queue::check(Arc::clone(&patient))));
        checks.spawn(bounded("edge", edge::check(Arc::clone(&patient))));
        checks.spawn(bounded("alerts", host::alerts(Arc::clone(&patient))));
    }
    while let Some(found) = checks.join_next().await {
        findings.extend(found.expect("a check does not panic"));
    }
    // In the same order whichever was done first.
    let order =
        ["config", "versions", "data", "store", "machine", "host", "queue", "edge", "clock", "alerts"];
    findings.sort_by_key(|finding| order.iter().position(|check| *check == finding.check));
    let print = if args.json { finding::json(&findings)? } else { finding::text(&findings) };
    super::print(&print)?;
    let has_problem = findings.iter().any(|finding| finding.level == Level::Problem);
    Ok(if has_problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a check finds within its time.
async fn bounded(check: &'static str, looking: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    tokio::time::timeout(CHECK_MAX, looking).await.unwrap_or_else(|_| {
        let what = format!("it could not be found out within {} s", CHECK_MAX.as_secs());
        vec![Finding::problem(check, what, "Look whether this machine, or what is asked, is overloaded.")]
    })
}
