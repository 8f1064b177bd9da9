//! `tidegate events`: what arrived and what became of it.

mod export;
mod timeline;

use super::moment::Range;
use super::table;
use crate::command::nearby::Place;
use std::time::Duration;
use tidegate::admin::client::Client;
use tidegate::store::listing::{EventQuery, EventRow, EventsPage};
use tidegate_envelope::Receipt;
pub(super) use timeline::timeline;

/// Events shown to people when they do not say how many.
const ROWS_USUAL: usize = 50;
/// The pause between two looks for new events.
const LOOK: Duration = Duration::from_millis(250);

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// One line per event, oldest first.
    ///
    /// For people, the last 50; with --json all of them, one JSON object per line.
    #[command(after_help = "Examples:\n  \
        tidegate events list --subject 675 --last 5      what happened to an asset lately\n  \
        tidegate events list --state parked --since 2h   what needs a person since two hours\n  \
        tidegate events list --class conflict --json     all conflicts, for a program\n\n\
        There is no index on a subject or a source: a filter goes through the events backwards, about a million a\n\
        second, and --since bounds that.")]
    List(List),
    /// One event's way through the system, step by step.
    Show {
        /// The receipt that the edge answered with.
        receipt: Receipt,
        /// Print it as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print events as they are recorded, until stopped.
    #[command(after_help = "Example:\n  tidegate events tail --source amj --kind asset.delete")]
    Tail {
        #[command(flatten)]
        filter: Filter,
        /// First the last so many.
        #[arg(long, value_name = "N", default_value_t = 0)]
        last: usize,
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Find events by what is in their payload.
    #[command(after_help = "Examples:\n  \
        tidegate events search 'John Do' --since 7d\n  \
        tidegate events search '\"id\":142' --source amj --json\n\n\
        The text is looked for as it stands, in the bytes as the sender wrote them.")]
    Search {
        /// What the payload holds.
        text: String,
        #[command(flatten)]
        list: List,
    },
    /// Write events with their payloads, one JSON object per line, oldest first.
    #[command(after_help = "Examples:\n  \
        tidegate events export --since 30d --out events.jsonl\n  \
        tidegate events export --after 120934 --out events.jsonl   goes on after the line with \"cursor\":120934\n\n\
        `payload.content` is the body: as text when `payload.encoding` says so, else in base64.")]
    Export(export::Args),
}

/// Which events.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Only of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only about this subject: the asset's id.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only of this kind, as `asset.update`.
    #[arg(long)]
    kind: Option<String>,
    /// Only those that this plugin wanted.
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only those that stood so to what came before.
    #[arg(long, value_parser = ["first", "duplicate", "stale", "conflict", "after-delete", "echo"])]
    class: Option<String>,
    /// Only those in this state.
    #[arg(long, value_parser = ["waiting", "decided", "parked"])]
    state: Option<String>,
    #[command(flatten)]
    range: Range,
}

impl Filter {
    fn query(self) -> EventQuery {
        let Self { source, subject, kind, plugin, class, state, range } = self;
        EventQuery {
            source,
            subject,
            kind,
            plugin,
            class,
            state,
            since_ms: range.since,
            until_ms: range.until,
            ..EventQuery::default()
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    filter: Filter,
    /// One JSON object per line: receipt, source, kind, subject, class, state, plugin, version, times, plans, effects.
    #[arg(long)]
    json: bool,
    /// Only the last so many.
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// The newest first.
    #[arg(long)]
    newest_first: bool,
}

pub(crate) async fn run(command: Command, host: &Place) -> anyhow::Result<()> {
    let client = super::client(host)?;
    match command {
        Command::List(args) => list(&client, args, None).await,
        Command::Search { text, list: args } => list(&client, args, Some(text)).await,
        Command::Show { receipt, json } => show(&client, receipt, json).await,
        Command::Tail { filter, last, json } => tail(&client, filter.query(), last, json).await,
        Command::Export(args) => export::run(&client, args).await,
    }
}

async fn page(client: &Client, query: &EventQuery) -> anyhow::Result<EventsPage> {
    client.get_with("/api/v1/events", query).await
}

async fn list(client: &Client, args: List, text: Option<String>) -> anyhow::Result<()> {
    let List { filter, json, last, newest_first } = args;
    let mut query = EventQuery { text, ..filter.query() };
    if json && last.is_none() {
        query.before = newest_first.then_some(0);
        return print_all(client, query).await;
    }
    let (mut rows, has_more) = last_of(client, query, last.unwrap_or(ROWS_USUAL)).await?;
    if !newest_first {
        rows.reverse();
    }
    if json {
        return super::print_json(&rows);
    }
    let headings = ["accepted", "receipt", "source", "kind", "subject", "class", "state", "plugins"];
    let mut text = table::render(&headings, &rows.iter().map(row).collect::<Vec<_>>());
    if has_more {
        text.push_str("(there may be older ones; --last N shows more, --json all)\n");
    }
    super::print(&text)
}

/// Prints all that match as they are found.
async fn print_all(client: &Client, mut query: EventQuery) -> anyhow::Result<()> {
    loop {
        let page = page(client, &query).await?;
        super::print_json(&page.events)?;
        if page.is_end {
            return Ok(());
        }
        let place = if query.before.is_some() { &mut query.before } else { &mut query.after };
        *place = Some(page.cursor);
    }
}

/// The last so many that match, newest first, and whether there may be more.
async fn last_of(
    client: &Client,
    mut query: EventQuery,
    rows_max: usize,
) -> anyhow::Result<(Vec<EventRow>, bool)> {
    query.before = query.before.or(Some(0));
    let mut rows = Vec::new();
    while rows.len() < rows_max {
        query.rows_max = Some(rows_max - rows.len());
        let page = page(client, &query).await?;
        rows.extend(page.events);
        if page.is_end {
            return Ok((rows, false));
        }
        query.before = Some(page.cursor);
    }
    Ok((rows, true))
}

async fn tail(client: &Client, mut query: EventQuery, last: usize, json: bool) -> anyhow::Result<()> {
    let newest = EventQuery { before: Some(0), rows_max: Some(1), ..EventQuery::default() };
    let newest = page(client, &newest).await?.events.first().map_or(0, |event| event.cursor);
    let print = |events: &[EventRow]| {
        if json {
            return super::print_json(events);
        }
        let lines: String = events.iter().map(|event| row(event).join("  ") + "\n").collect();
        super::print(&lines)
    };
    let before = EventQuery { before: Some(newest.saturating_add(1)), ..query.clone() };
    let (mut rows, _) = last_of(client, before, last).await?;
    rows.reverse();
    print(&rows)?;
    query.after = Some(newest);
    loop {
        let page = page(client, &query).await?;
        print(&page.events)?;
        query.after = Some(page.cursor);
        if page.is_end {
            tokio::time::sleep(LOOK).await;
        }
    }
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

async fn show(client: &Client, receipt: Receipt, json: bool) -> anyhow::Result<()> {
    let event: EventRow = client.get(&format!("/api/v1/events/{receipt}")).await?;
    if json {
        return super::print_json([&event]);
    }
    super::print(&timeline(&event))
}
