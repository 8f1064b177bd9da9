//! `tidegate events`: what arrived and what became of it.

use super::table;
use std::path::Path;
use tidegate::admin::EventsPage;
use tidegate::store::EventRow;
use tidegate_envelope::Receipt;

/// Events shown to people when they do not say how many.
const ROWS_USUAL: usize = 50;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// One line per accepted request, oldest first.
    ///
    /// For people, the last 50; with --json all of them, one JSON object per line.
    List {
        /// One JSON object per line: receipt, source, kind, subject, class, state, plugin, version, times, plans, effects.
        #[arg(long)]
        json: bool,
        /// Only the last so many.
        #[arg(long, value_name = "N")]
        last: Option<usize>,
        /// Only those in this state: waiting, decided or parked.
        #[arg(long, value_name = "STATE", value_parser = ["waiting", "decided", "parked"])]
        state: Option<String>,
    },
    /// One event's way through the system, step by step.
    Show {
        /// The receipt that the edge answered with.
        receipt: Receipt,
        /// Print it as one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: Command, data: &Path) -> anyhow::Result<()> {
    match command {
        Command::List { json, last, state } => list(json, last, state.as_deref(), data).await,
        Command::Show { receipt, json } => show(receipt, json, data).await,
    }
}

async fn list(json: bool, last: Option<usize>, state: Option<&str>, data: &Path) -> anyhow::Result<()> {
    let client = super::client(data)?;
    let rows_max = last.unwrap_or(if json { usize::MAX } else { ROWS_USUAL });
    let mut kept = std::collections::VecDeque::new();
    let (mut after, mut more) = (String::new(), 0_usize);
    loop {
        let page: EventsPage = client.get(&format!("/api/v1/events{after}")).await?;
        let Some(next) = page.next else { break };
        after = format!("?after={next}");
        for event in page.events.into_iter().filter(|event| state.is_none_or(|state| event.state == state)) {
            if json && rows_max == usize::MAX {
                super::print_json([&event])?;
                continue;
            }
            kept.push_back(event);
            if kept.len() > rows_max {
                kept.pop_front();
                more += 1;
            }
        }
    }
    if json {
        return super::print_json(&kept);
    }
    let rows: Vec<_> = kept.iter().map(row).collect();
    let mut text = table::render(
        &["accepted", "receipt", "source", "kind", "subject", "class", "state", "plugins"],
        &rows,
    );
    if more > 0 {
        text.push_str(&format!("({more} older ones; --last N shows more, --json all)\n"));
    }
    super::print(&text)
}

fn row(event: &EventRow) -> Vec<String> {
    let plugins =
        event.plans.iter().map(|plan| format!("{}@{} {}", plan.plugin, plan.version.short(), plan.state));
    vec![
        super::time(event.received_at_ms),
        event.receipt.to_string(),
        event.source.to_string(),
        dash(&event.kind),
        dash(&event.subject),
        event.class.clone(),
        event.state.clone(),
        plugins.collect::<Vec<_>>().join(", "),
    ]
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.chars().take(40).collect() }
}

async fn show(receipt: Receipt, json: bool, data: &Path) -> anyhow::Result<()> {
    let event: EventRow = super::client(data)?.get(&format!("/api/v1/events/{receipt}")).await?;
    if json {
        return super::print_json([&event]);
    }
    super::print(&timeline(&event))
}

/// The event's way, each step with the milliseconds since it was accepted.
pub(super) fn timeline(event: &EventRow) -> String {
    let mut text = format!(
        "{}  {} {} of {} ({})\n",
        event.receipt,
        dash(&event.kind),
        dash(&event.subject),
        event.source,
        super::time(event.received_at_ms)
    );
    let mut step = |at_ms: u64, word: &str, what: &str| {
        let (bold, plain) = if super::on_a_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let since_ms = at_ms.saturating_sub(event.received_at_ms);
        text.push_str(format!("  +{since_ms:>5} ms  {bold}{word:<9}{plain}  {what}").trim_end());
        text.push('\n');
    };
    step(event.received_at_ms, "accepted", "at the edge");
    for finding in &event.findings {
        step(event.received_at_ms, "odd", &finding.to_string());
    }
    step(event.queued_at_ms, "queued", "");
    step(event.pulled_at_ms, "pulled", "by the host");
    match event.duplicate_of {
        Some(original) => {
            step(event.decided_at_ms, "decided", &format!("a duplicate of {original}: nobody was asked"))
        }
        None if event.plans.is_empty() => step(event.decided_at_ms, "decided", "no plugin wants this kind"),
        None => {}
    }
    for plan in &event.plans {
        let why = plan.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let (plugin, version) = (&plan.plugin, plan.version.short());
        step(
            event.decided_at_ms,
            &plan.state,
            &format!("{plugin} version {version}, asked for {} us{why}", plan.asked_us),
        );
        for note in &plan.notes {
            step(event.decided_at_ms, "note", note);
        }
        for line in plan.log.shown() {
            step(event.decided_at_ms, "log", &line);
        }
    }
    for effect in &event.effects {
        let word = if effect.state == "done" { "performed" } else { &effect.state };
        let what = effect.what.as_ref().map_or_else(String::new, |what| format!(" -> {what}"));
        step(effect.at_ms.unwrap_or(event.decided_at_ms), word, &format!("{}{what}", effect.request));
    }
    text
}
