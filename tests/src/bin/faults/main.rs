//! The fault run: the sender at full rate while the queue is down, slow, hanging, refusing and killed, and then while
//! both stores fail. Says whether every event was acknowledged in time and decided once. Takes `--seconds=N`,
//! `--rate=N`, `--seed=N`, `--only=TROUBLE`, or `--short`.

mod course;
mod judge;
mod outage;
mod stage;

use anyhow::{Context as _, bail, ensure};
use course::{Phase, Seen, Trouble};
use stage::Stage;
use std::process::ExitCode;
use std::time::Duration;
use tidegate_sender::life::{Life, LifeOptions, Oddities};
use tidegate_sender::player::Told;
use tidegate_sender::verdict::Verdict;
use tidegate_tests::fault::Fault;
use tidegate_tests::play::{keep_log, play};
use tidegate_tests::system::until;
use tokio::time::Instant;

/// The longest that an acknowledgement may take.
const ACK_MAX: Duration = Duration::from_millis(1_500);
/// Assets that live at the same time.
const ASSETS: usize = 1_000;

/// The short run: each trouble lasts three seconds.
const SHORT_SECONDS: u32 = 21;
const SHORT_RATE: u32 = 200;

/// What to run.
struct Options {
    seconds: u32,
    rate: u32,
    seed: u64,
    only: Option<Trouble>,
    /// What hangs is let go when the troubles are over, instead of waiting until it has hung its full time.
    is_short: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = options()?;
    println!("seed {}; to repeat it: --seed={}", options.seed, options.seed);
    println!("the Worker's log: {}", keep_log("faults.log")?.display());
    let mut shortfalls = Vec::new();
    if let Err(error) = run(&options, &mut shortfalls).await {
        shortfalls.push(format!("the run did not come to its end: {error:#}"));
    }
    for shortfall in &shortfalls {
        println!("fell short: {shortfall}");
    }
    println!("faults: {}", if shortfalls.is_empty() { "ok" } else { "FAILED" });
    Ok(if shortfalls.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Both parts of the run, on the same system. Adds what fell short.
async fn run(options: &Options, shortfalls: &mut Vec<String>) -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    queue_in_trouble(&mut stage, options, shortfalls).await?;
    outage::run(&stage, options.seed, shortfalls).await
}

fn options() -> anyhow::Result<Options> {
    let mut options =
        Options { seconds: 60, rate: 500, seed: u64::from(fastrand::u32(..)), only: None, is_short: false };
    for argument in std::env::args().skip(1) {
        let (flag, value) = argument.split_once('=').unwrap_or((&argument, ""));
        let read = || format!("read {argument}");
        match flag {
            "--short" => {
                options = Options { seconds: SHORT_SECONDS, rate: SHORT_RATE, is_short: true, ..options }
            }
            "--seconds" => options.seconds = value.parse().with_context(read)?,
            "--rate" => options.rate = value.parse().with_context(read)?,
            "--seed" => options.seed = value.parse().with_context(read)?,
            "--only" => {
                options.only =
                    Some(Trouble::named(value).context("--only: down, slow, hangs, refuses or killed")?)
            }
            _ => bail!(
                "there is no {flag}; there are --short, --seconds=N, --rate=N, --seed=N and --only=TROUBLE"
            ),
        }
    }
    ensure!(options.seconds > 0 && options.rate > 0, "--seconds and --rate: more than 0");
    Ok(options)
}

/// The first part: only the queue is in trouble. Adds what fell short.
async fn queue_in_trouble(
    stage: &mut Stage,
    options: &Options,
    shortfalls: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut phases = course::phases(Duration::from_secs(options.seconds.into()), options.only);
    let count = usize::try_from(u64::from(options.seconds) * u64::from(options.rate))?;
    let life = Life::new(LifeOptions { seed: options.seed, assets: ASSETS, oddities: Oddities::SOME });
    println!("\n== {count} events at {} a second, while the queue is in trouble", options.rate);
    let mut seen = Seen::default();
    let plan = phases.clone();
    let url = stage.edge.live_url();
    let began = Instant::now();
    let course = course::run(stage, &plan, began);
    let playing = play(&url, options.rate.into(), life.take(count), |told| {
        if let Told::Attempt(attempt) = told {
            seen.note(attempt, &mut phases);
        }
    });
    let (course, verdict) = tokio::join!(course, playing);
    course?;
    let verdict = verdict?;
    print_phases(&phases);
    println!("{verdict}");
    println!("the proxy in front of the queue: {:?}", stage.proxy.met());

    shortfalls.extend(sender_shortfalls(&verdict, &seen));
    shortfalls.extend(phases.iter().filter_map(Phase::shortfall));
    if options.is_short {
        stage.proxy.set_for_all(Fault::None).await?;
    }
    until("nothing hangs any more", async || Ok((stage.proxy.waiting() == 0).then_some(()))).await?;
    let drained = Instant::now();
    let events = stage.drained().await?;
    let (decided, faults) = judge::judge(&seen, &events);
    println!(
        "drained after {:.1} s: {} receipts acknowledged, {} events recorded, {decided} of them decided, the others \
         duplicates; {} notices",
        drained.elapsed().as_secs_f64(),
        seen.acked.len(),
        events.len(),
        stage.notices(),
    );
    shortfalls.extend(faults);
    Ok(())
}

fn print_phases(phases: &[Phase]) {
    println!("{:<16} {:>6} {:>6} {:>7}  acknowledged", "the queue", "sent", "2xx", "not 2xx");
    for phase in phases {
        println!(
            "{:<16} {:>6} {:>6} {:>7}  {}",
            phase.trouble.name(),
            phase.sent,
            phase.acked,
            phase.sent - phase.acked,
            phase.acks.latency()
        );
    }
}

impl Phase {
    /// What is wrong with its acknowledgements, if something is.
    fn shortfall(&self) -> Option<String> {
        let max = Duration::from_micros(self.acks.latency().max_us);
        let name = self.trouble.name();
        if self.sent == 0 {
            return Some(format!("nothing was sent while the queue was: {name}"));
        }
        (max >= ACK_MAX).then(|| {
            let word =
                if self.trouble == Trouble::Calm { "in a calm phase" } else { "while the queue was: " };
            let name = if self.trouble == Trouble::Calm { "" } else { name };
            format!("an acknowledgement took {max:?}, not under {ACK_MAX:?}, {word}{name}")
        })
    }
}

/// What the sender did not get.
fn sender_shortfalls(verdict: &Verdict, seen: &Seen) -> Vec<String> {
    let refused: u64 = verdict.non_2xx.values().sum();
    let cut_offs = verdict.cut_offs.len();
    [
        (refused > 0, format!("{refused} attempts were not answered with a 2xx: {:?}", verdict.non_2xx)),
        (cut_offs > 0, format!("the sender switched delivery off {cut_offs} times")),
        (!verdict.is_clean(), verdict.sentence()),
        (seen.without_receipt > 0, format!("{} answers had no receipt", seen.without_receipt)),
    ]
    .into_iter()
    .filter_map(|(is_short, what)| is_short.then_some(what))
    .collect()
}
