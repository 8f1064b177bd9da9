//! `tidegate plugin diff`: what a version would have decided on real events, against what was decided.

mod file;
mod shown;

use super::deploy::operator;
use super::manage::of;
use super::origin::{self, OverArgs};
use crate::command::nearby::Place;
use crate::command::{client, moment, print, print_json};
use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use tidegate::admin::client::Client;
use tidegate::admin::dryrun::{DryRunPage, DryRunRequest, GivenEvent};
use tidegate::admin::plugins::{PluginDetail, RecordedVersion};
use tidegate::deploy::Role;
use tidegate::dryrun::tally::{Outcome, Tally};
use tidegate::plugin::Version;
use tidegate::workbench::said::SHAPE_VERSION;

/// Events in one request: progress is told after each.
const PAGE_EVENTS: usize = 256;
/// Events that are asked about where nobody says how many.
const EVENTS_USUAL: u64 = 10_000;
/// What the exit code means when the question could not be answered.
const TROUBLE: u8 = 2;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  tidegate plugin diff plugins/rust                           this build against what was decided, the last 10,000 events
  tidegate plugin diff plugins/rust --since 30d               the same, a month back
  tidegate plugin diff loan-notice                            its canary, or else its shadow, against what was decided
  tidegate plugin diff loan-notice@3f2a --against active      a recorded version against the active one, both asked now
  tidegate plugin diff loan-notice@active --against old.wasm  the active version against a file
  tidegate plugin diff . --file events.jsonl                  events of another host, as `tidegate events export` wrote them

Each event is asked about twice, on the running host, beside its work, on one thread; nothing is performed and nothing that
is at work changes. A candidate that is a file is recorded there first, as `plugin deploy` would, without being put to work.
Where it answers as was recorded, that is all; where not, the version that decided is asked again, and both are compared field
by field: a pointer such as /decisions/0/http/body/text/loanee/name names a field of what `plugin run --json` prints, and goes
on into a body that is JSON. `not reproduced` is what that version answers otherwise itself by now; `impure` is a candidate
whose two answers differ: such a version never goes to work.

With --file nothing is known of what the plugin remembered, and it is compared with the active version unless --against names
another; repeats and events that plugins caused are left out.

Exit code, as of diff(1): 0 nothing differs, 1 something does, 2 trouble.")]
pub(crate) struct Args {
    /// What is tried: a plugin's directory or its component, or a plugin's NAME (its canary, or else its shadow) or
    /// NAME@VERSION of what was recorded; NAME@active is the active one. Or a plugin in a registry, as `plugin deploy` has it.
    #[arg(default_value = ".", value_name = "DIR|FILE|NAME[@VERSION]")]
    candidate: String,
    /// What it is compared with: `recorded`, `active`, how a recorded version begins, or a plugin's directory or component.
    #[arg(long, value_name = "WHAT", default_value = "recorded")]
    against: String,
    /// The last so many events that the plugin was or would be asked about: 10000, or last-10000.
    #[arg(long, value_name = "N", value_parser = events, conflicts_with = "since")]
    events: Option<u64>,
    /// All events from this time on: `90s`, `30m`, `2h`, `3d` ago, `2026-11-28`, or `2026-11-28T09:30:00Z`.
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<u64>,
    /// The events of this file instead, as `tidegate events export` writes them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["events", "since"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    over: OverArgs,
    /// Differences of each kind that are shown in detail.
    #[arg(long, value_name = "N", default_value_t = 3)]
    details: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was found, as `--json` prints it.
#[derive(Serialize)]
struct Report {
    v: u32,
    plugin: String,
    candidate: Version,
    /// Absent for what was recorded.
    against: Option<Version>,
    is_same: bool,
    events: u64,
    /// Of a file: lines that were left out.
    left_out: u64,
    events_per_second: u64,
    candidate_p99_us: u64,
    base_p99_us: u64,
    tally: Tally,
}

/// A number of events, with or without `last-` before it.
fn events(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix("last-").unwrap_or(text).parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it is no number of events: type 10000, or last-10000".to_owned())
}

pub(super) async fn run(args: &Args, host: &Place) -> anyhow::Result<ExitCode> {
    let report = match report(args, host).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error:#}");
            return Ok(ExitCode::from(TROUBLE));
        }
    };
    let is_same = report.is_same;
    if args.json {
        print_json([&report])?;
    } else {
        print(&shown::report(&report, args.details))?;
    }
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn report(args: &Args, host: &Place) -> anyhow::Result<Report> {
    let client = client(host)?;
    let (plugin, candidate) = candidate(&client, args).await?;
    let against = against(&client, args, &plugin).await?;
    let told_max = args.details.max(1);
    let asked =
        DryRunRequest { candidate, against, told_max, since_ms: args.since, ..DryRunRequest::default() };
    let started = Instant::now();
    let mut found =
        Found { client: &client, plugin: &plugin, tally: Tally::default(), versions: None, told_max };
    let left_out = match &args.file {
        Some(path) => found.of_file(asked, path).await?,
        None => {
            let events_max = args.events.or(args.since.is_none().then_some(EVENTS_USUAL));
            found.of_the_past(asked, events_max.unwrap_or(u64::MAX)).await?;
            0
        }
    };
    let Found { tally, versions, .. } = found;
    let (candidate, against) = versions.context("there is no event to ask about")?;
    let (events, took) = (tally.events(), started.elapsed());
    Ok(Report {
        v: SHAPE_VERSION,
        plugin,
        candidate,
        against,
        is_same: tally.count(Outcome::Same) == events,
        events,
        left_out,
        events_per_second: events.saturating_mul(1_000)
            / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1),
        candidate_p99_us: tally.candidate.p99_us(),
        base_p99_us: tally.base.p99_us(),
        tally,
    })
}

/// What was found so far, page by page.
struct Found<'a> {
    client: &'a Client,
    plugin: &'a str,
    tally: Tally,
    versions: Option<(Version, Option<Version>)>,
    told_max: usize,
}

impl Found<'_> {
    async fn of_the_past(&mut self, mut asked: DryRunRequest, events_max: u64) -> anyhow::Result<()> {
        loop {
            let left = usize::try_from(events_max.saturating_sub(self.tally.events())).unwrap_or(usize::MAX);
            asked.events_max = left.min(PAGE_EVENTS);
            let (cursor, is_end) = self.page(&asked).await?;
            if is_end || self.tally.events() >= events_max {
                return Ok(());
            }
            asked.before = Some(cursor);
        }
    }

    /// Gives how many lines were left out.
    async fn of_file(&mut self, mut asked: DryRunRequest, path: &Path) -> anyhow::Result<u64> {
        let mut lines = file::Events::open(path)?;
        loop {
            let events: Vec<GivenEvent> = lines.next(PAGE_EVENTS)?;
            if events.is_empty() {
                return Ok(lines.left_out);
            }
            asked.events = Some(events);
            self.page(&asked).await?;
        }
    }

    async fn page(&mut self, asked: &DryRunRequest) -> anyhow::Result<(i64, bool)> {
        let path = format!("{}/dry-run", of(self.plugin));
        let page: DryRunPage = self.client.post(&path, asked).await?;
        self.tally.merge(page.tally, self.told_max);
        self.versions = Some((page.candidate, page.against));
        if std::io::stderr().is_terminal() {
            let same = self.tally.count(Outcome::Same);
            eprint!("\r{} events, {} differ ", self.tally.events(), self.tally.events() - same);
        }
        if std::io::stderr().is_terminal() && page.is_end {
            eprintln!();
        }
        Ok((page.cursor, page.is_end))
    }
}

/// The plugin, and how the version that is tried begins.
async fn candidate(client: &Client, args: &Args) -> anyhow::Result<(String, String)> {
    let path = Path::new(&args.candidate);
    if origin::is_one(&args.candidate) {
        let brought = origin::read(&args.candidate, None).await?;
        let plugin = brought.plugin.to_string();
        let request = brought.request(&args.over, Role::default(), operator())?;
        let recorded: RecordedVersion = client.post("/api/v1/plugins/versions", &request).await?;
        return Ok((plugin, recorded.version.as_str().to_owned()));
    }
    ensure!(
        args.over.is_empty(),
        "--set and --host are for a plugin's directory or component, and there is no {}",
        path.display()
    );
    if let Some((plugin, version)) = args.candidate.split_once('@') {
        return Ok((plugin.to_owned(), version.to_owned()));
    }
    if args.candidate.contains(['/', '.']) {
        bail!("there is no {}: name a plugin's directory, its component, or NAME@VERSION", path.display());
    }
    let detail: PluginDetail = client.get(&of(&args.candidate)).await?;
    let next = detail.roles.canary.map(|canary| canary.version).or(detail.roles.shadow);
    let next = next.with_context(|| {
        let name = &args.candidate;
        format!("{name} has no canary and no shadow: name a version, as {name}@VERSION; `tidegate plugin show {name}` lists them")
    })?;
    Ok((args.candidate.clone(), next.as_str().to_owned()))
}

/// How the version that it is compared with begins; nothing for what was recorded.
async fn against(client: &Client, args: &Args, plugin: &str) -> anyhow::Result<Option<String>> {
    match args.against.as_str() {
        "recorded" => Ok(args.file.is_some().then(|| "active".to_owned())),
        text if text != "active" && origin::is_one(text) => {
            let brought = origin::read(text, None).await?;
            let named = brought.plugin.to_string();
            let request = brought.request(&OverArgs::default(), Role::default(), operator())?;
            ensure!(
                named == plugin,
                "--against {text} is the plugin `{named}`, and the candidate is `{plugin}`"
            );
            let recorded: RecordedVersion = client.post("/api/v1/plugins/versions", &request).await?;
            Ok(Some(recorded.version.as_str().to_owned()))
        }
        text => Ok(Some(text.to_owned())),
    }
}
