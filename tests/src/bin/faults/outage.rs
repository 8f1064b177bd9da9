//! The second part of the fault run: both stores fail. The edge says so at once, which leaves the sender's retries
//! time, and counts it; nothing acknowledged is lost when the stores return.

use crate::course::Seen;
use crate::judge;
use crate::stage::Stage;
use anyhow::{Context as _, ensure};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate_sender::life::{Life, LifeOptions, Oddities};
use tidegate_sender::player::Told;
use tidegate_sender::policy::Answer;
use tidegate_sender::verdict::Latencies;
use tidegate_source::status::Status;
use tidegate_tests::fault::Fault;
use tidegate_tests::play::play;
use tidegate_tests::system::until;
use tokio::time::{Instant, sleep_until};

/// Events a second, and for how long.
const RATE: u32 = 50;
const RUN: Duration = Duration::from_secs(10);
/// When both stores fail and when they are back. The first event then fails at 2, 3, 5 and 9 seconds: its last retry
/// finds the stores back.
const FAIL_AT: Duration = Duration::from_secs(2);
const BACK_AT: Duration = Duration::from_secs(7);
/// The longest that a refusal may take.
const REFUSAL_MAX: Duration = Duration::from_millis(1_200);
/// Assets that live at the same time. No seed makes the events of the first part again.
const ASSETS: usize = 100;

/// Runs it, and adds what fell short.
pub(crate) async fn run(stage: &Stage, seed: u64, shortfalls: &mut Vec<String>) -> anyhow::Result<()> {
    println!("\n== {RATE} events a second, while both stores fail from {FAIL_AT:?} to {BACK_AT:?}");
    let before = failures(&stage.status().await?);
    let told = stage.alerts()?;
    if !told.is_empty() {
        shortfalls.push(format!("the operator was told of {told:?} while no answer was other than 2xx"));
    }
    let known = stage.cli.events().await?.len();
    let life = Life::new(LifeOptions { seed: seed ^ u64::MAX, assets: ASSETS, oddities: Oddities::NONE });
    let events = life.take(usize::try_from(u64::from(RATE) * RUN.as_secs())?);
    let (mut seen, mut none) = (Seen::default(), Vec::new());
    let url = stage.edge.live_url();
    let began = Instant::now();
    let failing = fail(stage, began);
    let playing = play(&url, RATE.into(), events, |told| {
        if let Told::Attempt(attempt) = told {
            seen.note(attempt, &mut none);
        }
    });
    let (during, verdict) = tokio::join!(failing, playing);
    let (during, verdict) = (during?, verdict?);
    println!("{verdict}");

    shortfalls.extend(refusal_shortfalls(&seen, &during, before));
    if !verdict.is_clean() || !verdict.cut_offs.is_empty() {
        shortfalls.push(format!("both stores down: {}", verdict.sentence()));
    }
    let events = stage.drained().await?;
    let (_, faults) = judge::judge(&seen, events.get(known..).context("events stay recorded")?);
    shortfalls.extend(faults.into_iter().map(|fault| format!("both stores down: {fault}")));
    shortfalls.extend(alert_shortfalls(stage).await?);
    let after = stage.status().await?;
    if after.sources.iter().any(|source| source.tally.failures_in_row > 0) {
        shortfalls.push(format!("GET /status still counts failures in a row: {:?}", after.sources));
    }
    Ok(())
}

/// Makes both stores fail and lets them return, each at its time. Gives what the edge says in between.
async fn fail(stage: &Stage, began: Instant) -> anyhow::Result<Status> {
    sleep_until(began + FAIL_AT).await;
    stage.proxy.set(Fault::Down).await?;
    let vaults = Locked::databases_under(stage.edge.dir())?;
    sleep_until(began + BACK_AT).await;
    let status = stage.status().await;
    drop(vaults);
    stage.proxy.set(Fault::None).await?;
    status
}

/// Refusals are 503, quick, and counted by the edge.
fn refusal_shortfalls(seen: &Seen, status: &Status, failures_before: u64) -> Vec<String> {
    let mut refusals = Latencies::default();
    seen.refused.iter().for_each(|(_, took)| refusals.add(*took));
    let others =
        seen.refused.iter().filter(|(answer, _)| !matches!(answer, Answer::Status { status: 503, .. }));
    let others: Vec<_> = others.map(|(answer, _)| answer.label()).collect();
    println!("refusals: {} of them, {}", seen.refused.len(), refusals.latency());
    let counted = failures(status).saturating_sub(failures_before);
    let in_a_row = status.sources.iter().map(|source| source.tally.failures_in_row).max().unwrap_or_default();
    let said = status.sources.iter().find_map(|source| source.tally.last_failure.clone());
    println!("GET /status meanwhile: {counted} failures, {in_a_row} in a row, the last: {said:?}");
    let slow = Duration::from_micros(refusals.latency().max_us) >= REFUSAL_MAX;
    [
        (seen.refused.is_empty(), "both stores down, and nothing was refused".to_owned()),
        (!others.is_empty(), format!("refusals that were no 503: {others:?}")),
        (slow, format!("a refusal took {}", refusals.latency())),
        (counted == 0 || in_a_row == 0 || said.is_none(), "GET /status shows no failure".to_owned()),
    ]
    .into_iter()
    .filter_map(|(is_short, what)| is_short.then_some(what))
    .collect()
}

/// The operator is told that the sender gives up, once, and that it is back, once.
async fn alert_shortfalls(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let resumed = |told: &[String]| told.iter().any(|kind| kind == "source.resumed");
    let told = until("the operator is told that events come again", async || {
        Ok(Some(stage.alerts()?).filter(|told| resumed(told)))
    })
    .await?;
    println!("the operator was told: {}", told.join(", "));
    let times = |kind: &str| told.iter().filter(|told| *told == kind).count();
    let mut shortfalls = Vec::new();
    for kind in ["source.cut_off", "source.resumed"] {
        if times(kind) != 1 {
            shortfalls.push(format!("the operator was told {} times of {kind}", times(kind)));
        }
    }
    if let Some(twice) = told.iter().find(|kind| times(kind) > 1) {
        shortfalls.push(format!("the operator was told twice of {twice}"));
    }
    Ok(shortfalls)
}

fn failures(status: &Status) -> u64 {
    status.sources.iter().map(|source| source.tally.failures).sum()
}

/// Databases that nobody else can write to until this is dropped.
struct Locked(#[expect(dead_code, reason = "holding them is what they are for")] Vec<Connection>);

impl Locked {
    fn databases_under(dir: &Path) -> anyhow::Result<Self> {
        let mut paths = Vec::new();
        find(dir, &mut paths)?;
        ensure!(!paths.is_empty(), "the vault has no database under {}", dir.display());
        let lock = |path: PathBuf| {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(Duration::from_secs(2))?;
            connection.execute_batch("BEGIN IMMEDIATE")?;
            Ok(connection)
        };
        let locked: rusqlite::Result<_> = paths.into_iter().map(lock).collect();
        Ok(Self(locked.context("lock the vault's databases")?))
    }
}

fn find(dir: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).context("read the edge's folder")? {
        let path = entry.context("read the edge's folder")?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "sqlite") {
            found.push(path);
        }
    }
    Ok(())
}
