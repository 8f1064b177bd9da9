//! `tidegate plugin run`: one event in, decisions out.

use super::{open, show};
use crate::command::{print, print_json};
use anyhow::Context as _;
use serde::Serialize;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tidegate::effect::EffectKey;
use tidegate::event::Event;
use tidegate::fault::{Fault, Trouble};
use tidegate::finding::Finding;
use tidegate::log::Log;
use tidegate::plan::{Granted, Verdict};
use tidegate::workbench::said::{SHAPE_VERSION, Said};
use tidegate::workbench::told::{RECEIVED_AT_MS, Request, told};
use tidegate::workbench::{Bounds, Judged, Measured, Workbench};
use tidegate_envelope::SourceName;

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin run events/on-loan.json
         tidegate plugin run plugins/rust plugins/rust/events/on-loan.json
         curl -s https://example.com/event.json | tidegate plugin run . - --kind asset.create --json

Nothing is performed. Exit code: 0 the plugin decided; 1 it refused, or a fault ended it, or it cannot be run.")]
pub(crate) struct Args {
    /// A plugin's directory (with plugin.toml), `.` unless it is named, or a component; without a plugin.toml beside it, it
    /// may reach nothing. Then the file of an event: the body of a request, as the sender sends it; `-` reads standard
    /// input.
    #[arg(required = true, num_args = 1..=2, value_name = "[PLUGIN] EVENT")]
    paths: Vec<PathBuf>,
    /// The event's kind, when it is not what the body says.
    #[arg(long)]
    kind: Option<String>,
    /// The source it came from.
    #[arg(long, default_value = "amj", value_parser = source)]
    source: SourceName,
    /// When the edge accepted it, in milliseconds since the Unix epoch. The receipt is made of it and of the body, so the
    /// same file gives the same event.
    #[arg(long, value_name = "MS", default_value_t = RECEIVED_AT_MS)]
    received_at: u64,
    /// Sets one of the plugin's settings over its manifest, as NAME=VALUE. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Print one JSON object: v, plugin, version, event, answer, host, took_us, memory_bytes, log. `answer` is
    /// {"decisions": [...]}, {"refusal": ...} or {"fault": ...}, as in expected/ files; `log` is there when something was
    /// written: {"lines": [{"level": "info" or "error", "text": ...}], "left_out_bytes": ...}.
    #[arg(long)]
    json: bool,
}

impl Args {
    fn plugin(&self) -> &Path {
        self.paths.first().filter(|_| self.paths.len() > 1).map_or(Path::new("."), PathBuf::as_path)
    }

    fn event(&self) -> &Path {
        self.paths.last().map_or(Path::new("-"), PathBuf::as_path)
    }
}

fn source(text: &str) -> anyhow::Result<SourceName> {
    Ok(SourceName::new(text)?)
}

/// What `--json` prints, version 1.
#[derive(Serialize)]
struct Report<'a> {
    v: u32,
    plugin: &'a str,
    version: &'a str,
    event: EventSaid<'a>,
    answer: Said,
    host: HostSaid,
    took_us: u64,
    memory_bytes: usize,
    #[serde(skip_serializing_if = "Log::is_empty")]
    log: &'a Log,
}

#[derive(Serialize)]
struct EventSaid<'a> {
    receipt: String,
    source: &'a str,
    kind: &'a str,
    subject: &'a str,
    received_at_ms: u64,
    /// Whether the manifest wants the kind: a host would not ask otherwise.
    wanted: bool,
    findings: &'a [Finding],
}

/// What a host would do: `perform`, `skip`, `ask_again` or `park`, and with each decision.
#[derive(Serialize)]
struct HostSaid {
    does: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    decisions: Vec<Becomes>,
}

/// What one decision becomes: an effect with its key, a note, or nothing, and why.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "becomes")]
enum Becomes {
    #[serde(rename = "effect")]
    Kept {
        key: String,
    },
    #[serde(rename = "event")]
    Upcoming {
        receipt: String,
        due_at_ms: u64,
    },
    Memory,
    Note,
    Denied {
        why: String,
    },
}

pub(super) fn run(args: &Args, bounds: &Bounds) -> anyhow::Result<ExitCode> {
    let bench = open(args.plugin(), &args.settings, bounds)?;
    let request =
        Request { source: args.source.clone(), kind: args.kind.clone(), received_at_ms: args.received_at };
    let event = told(read_event(args)?, &request);
    let measured = bench.ask(&event);
    let report = report(&bench, &event, &measured);
    if args.json {
        print_json([&report])?;
    } else {
        print(&pretty(&report, &measured))?;
    }
    let has_decided = matches!(report.answer, Said::Decisions(_));
    Ok(if has_decided { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_event(args: &Args) -> anyhow::Result<Vec<u8>> {
    if args.event().as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::stdin().lock().read_to_end(&mut body).context("read the event from standard input")?;
        return Ok(body);
    }
    std::fs::read(args.event()).with_context(|| format!("read the event {}", args.event().display()))
}

fn report<'a>(bench: &'a Workbench, event: &'a Event, measured: &'a Measured) -> Report<'a> {
    let active = bench.plugin();
    Report {
        v: SHAPE_VERSION,
        plugin: active.manifest.name.as_str(),
        version: active.version.as_str(),
        event: EventSaid {
            receipt: event.receipt.to_string(),
            source: event.source.as_str(),
            kind: &event.kind,
            subject: &event.subject,
            received_at_ms: event.received_at_ms,
            wanted: active.manifest.wants(&event.kind),
            findings: &event.findings,
        },
        answer: Said::from(&measured.answer),
        host: host(bench.judge(event, &measured.answer)),
        took_us: show::us(measured.took),
        memory_bytes: measured.usage.memory_bytes,
        log: &measured.log,
    }
}

fn host(judged: Judged) -> HostSaid {
    let (does, why) = match judged.verdict {
        Verdict::Decided(_) => ("perform", None),
        Verdict::Skipped => ("skip", None),
        Verdict::Waiting { why, .. } => ("ask_again", Some(why)),
        Verdict::Parked { why, .. } => ("park", Some(why)),
        Verdict::Held => ("hold", None),
    };
    let becomes = |granted: Result<Granted, Fault>| match granted {
        Ok(Granted::Effect(effect)) => Becomes::Kept { key: EffectKey::to_string(effect.key()) },
        Ok(Granted::Upcoming(upcoming)) => {
            Becomes::Upcoming { receipt: upcoming.receipt.to_string(), due_at_ms: upcoming.due_at_ms }
        }
        Ok(Granted::Memory(_)) => Becomes::Memory,
        Ok(Granted::Note(_)) => Becomes::Note,
        Err(fault) => Becomes::Denied { why: fault.to_string() },
    };
    HostSaid { does, why, decisions: judged.decisions.into_iter().map(becomes).collect() }
}

fn pretty(report: &Report<'_>, measured: &Measured) -> String {
    let event = &report.event;
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    let mut text = format!(
        "event     {} of {}, from {}, receipt {}\n",
        or(event.kind, "(no kind)"),
        or(event.subject, "(no subject)"),
        event.source,
        event.receipt
    );
    for finding in event.findings {
        text.push_str(&format!("          odd: {finding}\n"));
    }
    if !event.wanted {
        text.push_str("          a host would not ask: `kinds` in plugin.toml does not name it\n");
    }
    text.push_str(&format!(
        "plugin    {} {}: {}, {} of memory\n",
        report.plugin,
        report.version.get(..12).unwrap_or_default(),
        show::took(measured.took),
        show::size(report.memory_bytes)
    ));
    for line in report.log.shown() {
        text.push_str(&format!("log       {line}\n"));
    }
    text.push_str(&match &report.answer {
        Said::Refusal(refusal) => format!("refused   {}\n", show::refusal(refusal)),
        Said::Fault(fault) => format!("fault     {}", under(&show::fault(fault))),
        Said::Decisions(decisions) if decisions.is_empty() => "decided   nothing\n".to_owned(),
        Said::Decisions(decisions) => decisions
            .iter()
            .zip(&report.host.decisions)
            .enumerate()
            .map(|(at, (decision, becomes))| {
                let lines = format!("{at}. {}    -> {}\n", show::decision(decision), becomes.words());
                format!("decided   {}", under(&lines))
            })
            .collect(),
    });
    // A fault has said where to read on.
    let explain = match (&report.answer, &report.host.why) {
        (Said::Decisions(_), Some(why)) => Trouble::in_reason(why),
        _ => None,
    };
    let explain = explain.map_or_else(String::new, |it| {
        format!("          what it means: tidegate plugin explain {}\n", it.name())
    });
    text + &format!("the host  {}\n{explain}", report.host.words())
}

/// The lines after the first one, indented to stand under it.
fn under(lines: &str) -> String {
    let mut text = lines.trim_end().replace('\n', "\n          ");
    text.push('\n');
    text
}

impl Becomes {
    fn words(&self) -> String {
        match self {
            Self::Kept { key } => format!("an effect, with the key {key}"),
            Self::Upcoming { receipt, .. } => format!("an event to come, with the receipt {receipt}"),
            Self::Memory => "what the plugin remembers of the subject".to_owned(),
            Self::Note => "a line on the event's timeline".to_owned(),
            Self::Denied { why } => why.clone(),
        }
    }
}

impl HostSaid {
    fn words(&self) -> String {
        let why = self.why.as_deref().unwrap_or_default();
        let why = why.lines().next().unwrap_or_default();
        let effects = self.decisions.iter().filter(|becomes| matches!(becomes, Becomes::Kept { .. })).count();
        match self.does {
            "perform" if effects == 0 => "would perform nothing".to_owned(),
            "perform" => format!("would perform {effects} of {}", self.decisions.len()),
            "skip" => "would perform nothing, and be content".to_owned(),
            "ask_again" => format!("would ask again later ({why})"),
            _ => format!("would park the event for this plugin and perform nothing ({why})"),
        }
    }
}
