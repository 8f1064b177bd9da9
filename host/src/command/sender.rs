//! `tidegate sender`: the sender of asset events, played against any URL.

use anyhow::{Context as _, ensure};
use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tidegate_sender::event::Event;
use tidegate_sender::life::{Life, LifeOptions, Oddities};
use tidegate_sender::player::{Pace, Player, Told};
use tidegate_sender::policy::{Ended, ReEnable, Rules};
use tidegate_sender::post::Poster;
use tidegate_sender::verdict::Verdict;
use tokio::time::Instant;

/// Events when neither their number nor a time is given.
const EVENTS_USUAL: u64 = 100;
/// Bytes of the file that `--file` names.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// The fastest rate.
const RATE_MAX: f64 = 100_000.0;
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
#[command(after_help = "\
The rules are those of the Events API of Asset Management for Jira: one request per event; only a 2xx within three \
seconds counts, so a redirect, a 4xx and a slow answer are failures; a failed attempt is repeated three times, backing \
off exponentially; three failed events in a row switch delivery off, and what comes until a person switches it on again \
is gone.\n\n\
Try it on a receiver that always answers 500, and watch it being cut off:\n  \
tidegate sender http://127.0.0.1:8080/hook --rate 1 --for 60\n\
What does a person who notices after ten minutes lose?\n  \
tidegate sender http://127.0.0.1:8080/hook --rate 5 --for 1800 --re-enable-after 600\n\
Everything odd that such a sender may do, at 500 events a second, and a verdict for a program:\n  \
tidegate sender \"$URL\" --oddities many --rate 500 --for 60 --json\n\
Your own events, one JSON object per line:\n  \
tidegate sender \"$URL\" --file events.jsonl\n\n\
Exit code: 0 when every event was delivered, at the first attempt or later; 1 when not.")]
pub(crate) struct Args {
    /// The receiver: any URL that takes a POST.
    url: String,
    /// So many events. 100 when nothing else is said.
    #[arg(long, value_name = "N", conflicts_with_all = ["seconds", "file"])]
    events: Option<u64>,
    /// As many events as there are in so many seconds.
    #[arg(long = "for", value_name = "SECONDS", conflicts_with = "file")]
    seconds: Option<f64>,
    /// Post the lines of this file, each as it stands, instead of making events.
    #[arg(long, value_name = "EVENTS")]
    file: Option<PathBuf>,
    /// Events per second. The clock does not wait for a slow receiver.
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    rate: f64,
    /// Makes the same events again: the seed that a run has printed.
    #[arg(long, value_name = "N", conflicts_with = "file")]
    seed: Option<u64>,
    /// Assets that live at the same time.
    #[arg(long, default_value_t = 100, value_name = "N", conflicts_with = "file")]
    assets: usize,
    /// How odd the events are: null, missing, extra and mistyped fields, three forms of time, ids as text or beyond
    /// 2^53, repeats, late arrivals.
    #[arg(long, value_enum, default_value_t = Odd::Some, value_name = "HOW", conflicts_with = "file")]
    oddities: Odd,
    /// The most events on their way at the same time, those that wait for a retry included.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    concurrency: usize,
    /// The pause before the first retry; each further one is twice as long. The Events API does not say it.
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    backoff: f64,
    /// Switch delivery on again so long after it was cut off, as the person would who notices. Without it the run ends.
    #[arg(long, value_name = "SECONDS")]
    re_enable_after: Option<f64>,
    /// Print the verdict as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Odd {
    /// Each as the Events API's sample.
    None,
    /// An ordinary day.
    Some,
    /// The worst day.
    Many,
}

/// The verdict with what it takes to repeat the run.
#[derive(Serialize)]
struct Report<'a> {
    seed: Option<u64>,
    rate: f64,
    #[serde(rename = "verdict")]
    sentence: String,
    delivered_all: bool,
    run: &'a Verdict,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    ensure!(
        args.rate > 0.0 && args.rate <= RATE_MAX,
        "--rate {}: more than 0, at most {RATE_MAX}",
        args.rate
    );
    ensure!(args.concurrency > 0, "--concurrency 0: at least 1");
    let poster = Poster::new(&args.url)?;
    let re_enable = match args.re_enable_after {
        Some(after) => ReEnable::After(seconds("--re-enable-after", after)?),
        None => ReEnable::Never,
    };
    let rules = Rules { backoff: seconds("--backoff", args.backoff)?, re_enable, ..Rules::EVENTS_API };
    let pace = Pace { events_per_s: args.rate, in_flight_max: args.concurrency };
    let seed = args.file.is_none().then(|| args.seed.unwrap_or_else(|| u64::from(fastrand::u32(..))));
    let events = events(&args, seed)?;
    if let Some(seed) = seed {
        eprintln!("seed {seed}; to repeat it: --seed {seed}");
    }
    let post = move |event: Event| {
        let poster = poster.clone();
        async move { poster.post(event.body.to_vec()).await }
    };
    let mut progress = Progress::new();
    let verdict =
        Player::new(rules, pace).play(events, post, super::stopped()?, |told| progress.tell(told)).await;
    progress.clear();
    let delivered_all = verdict.is_clean();
    if args.json {
        let sentence = verdict.sentence();
        super::print_json([&Report { seed, rate: args.rate, sentence, delivered_all, run: &verdict }])?;
    } else {
        super::print(&verdict.to_string())?;
    }
    Ok(if delivered_all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn seconds(flag: &str, seconds: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(seconds).with_context(|| format!("{flag} {seconds}: a number of seconds"))
}

/// The events to deliver: the file's, or made ones.
fn events(args: &Args, seed: Option<u64>) -> anyhow::Result<Box<dyn Iterator<Item = Event>>> {
    if let Some(path) = &args.file {
        return Ok(Box::new(read(path)?.into_iter()));
    }
    let oddities = match args.oddities {
        Odd::None => Oddities::NONE,
        Odd::Some => Oddities::SOME,
        Odd::Many => Oddities::MANY,
    };
    let life = Life::new(LifeOptions { seed: seed.unwrap_or_default(), assets: args.assets, oddities });
    let count = match (args.events, args.seconds) {
        (Some(events), _) => events,
        (None, Some(time)) => rounded(seconds("--for", time)?.as_secs_f64() * args.rate)?,
        (None, None) => EVENTS_USUAL,
    };
    Ok(Box::new(life.take(usize::try_from(count).context("too many events")?)))
}

/// A count that was computed with fractions, rounded up.
fn rounded(count: f64) -> anyhow::Result<u64> {
    format!("{:.0}", count.ceil()).parse().context("too many events")
}

/// The lines of a file that are not empty.
fn read(path: &Path) -> anyhow::Result<Vec<Event>> {
    let read = || format!("read {}", path.display());
    let bytes = std::fs::metadata(path).with_context(read)?.len();
    ensure!(bytes <= FILE_BYTES_MAX, "{} is larger than {FILE_BYTES_MAX} bytes: split it", path.display());
    let text = std::fs::read(path).with_context(read)?;
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let events: Vec<_> = lines.filter(|line| !line.is_empty()).map(Event::of_bytes).collect();
    ensure!(!events.is_empty(), "{} has no lines: write one event per line", path.display());
    Ok(events)
}

/// What a person sees meanwhile: what went wrong as it happens, and a line of counts on a terminal.
struct Progress {
    on_a_terminal: bool,
    drawn: Option<Instant>,
    delivered: u64,
    refused: u64,
    failed: u64,
    lost: u64,
}

impl Progress {
    fn new() -> Self {
        let on_a_terminal = std::io::stderr().is_terminal();
        Self { on_a_terminal, drawn: None, delivered: 0, refused: 0, failed: 0, lost: 0 }
    }

    fn tell(&mut self, told: Told<'_>) {
        if !self.on_a_terminal {
            return;
        }
        match told {
            Told::Attempt(attempt) => {
                self.refused += u64::from(!attempt.answer.is_success());
                self.delivered += u64::from(attempt.ended == Some(Ended::Delivered));
                self.failed += u64::from(attempt.ended == Some(Ended::Failed));
            }
            Told::Lost(events) => self.lost += events,
            Told::CutOff(attempt) => {
                self.line(&format!("event {} failed: delivery is off", attempt.of));
            }
            Told::Enabled => self.line("delivery is on again"),
        }
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= PROGRESS) {
            self.drawn = Some(Instant::now());
            let line = format!(
                "\r\x1b[2K{} delivered, {} attempts refused, {} events failed, {} lost",
                self.delivered, self.refused, self.failed, self.lost
            );
            self.write(&line);
        }
    }

    fn line(&self, text: &str) {
        self.write(&format!("\r\x1b[2K{text}\n"));
    }

    fn clear(&self) {
        if self.drawn.is_some() {
            self.write("\r\x1b[2K");
        }
    }

    /// Progress that cannot be shown is no reason to stop.
    fn write(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
