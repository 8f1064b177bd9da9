//! `tidegate top`: how the host is, live in the terminal.

mod draw;
mod view;

use super::nearby::Place;
use anyhow::Context as _;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::time::{Duration, Instant};
use tidegate::account::AccountRow;
use tidegate::admin::client::Client;
use tidegate::admin::overview::Overview;
use tidegate::roster::HostsReport;
use tidegate::store::listing::EventsPage;
use view::{Seen, View};

/// How many of the last events are shown.
const EVENTS_MAX: usize = 50;

#[derive(clap::Args)]
#[command(
    after_help = "Keys: q, Esc or Ctrl-C ends it. Where standard output is no terminal, it prints one snapshot."
)]
pub(crate) struct Args {
    /// Print one snapshot as text, and end.
    #[arg(long)]
    once: bool,
    /// Print one snapshot as one JSON object, and end: at_ms, stats, oldest_waiting_ms, hosts, sources,
    /// usage, events.
    #[arg(long)]
    json: bool,
    /// Look again after so many seconds.
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    every: u64,
}

pub(crate) async fn run(args: Args, host: &Place) -> anyhow::Result<()> {
    let client = super::client(host)?;
    let first = look(&client).await?;
    if args.json {
        return super::print_json([&first]);
    }
    if args.once || !super::on_a_terminal() {
        return super::print(&View::of(&first, None).text());
    }
    let mut terminal = ratatui::try_init().context("take over the terminal")?;
    let shown = show(&client, first, Duration::from_secs(args.every), &mut terminal).await;
    ratatui::restore();
    shown
}

/// Shows it until a key says that it is enough.
async fn show(
    client: &Client,
    first: Seen,
    every: Duration,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<()> {
    let mut view = View::of(&first, None);
    let mut last = first;
    loop {
        terminal.draw(|frame| draw::draw(frame, &view)).context("draw")?;
        if tokio::task::spawn_blocking(move || is_enough(every)).await.context("wait for a key")?? {
            return Ok(());
        }
        match look(client).await {
            Ok(seen) => {
                view = View::of(&seen, Some(&last));
                last = seen;
            }
            // What was seen last stays, under the word that it is old.
            Err(error) => view.trouble = Some(format!("{error:#}")),
        }
    }
}

/// Waits for so long; whether a key was pressed meanwhile that ends it. Another key, or a new size, draws anew.
fn is_enough(every: Duration) -> anyhow::Result<bool> {
    let until = Instant::now() + every;
    while event::poll(until.saturating_duration_since(Instant::now())).context("wait for a key")? {
        match event::read().context("read a key")? {
            Event::Key(key) if key.kind == KeyEventKind::Press => {
                let is_interrupt =
                    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                    return Ok(true);
                }
            }
            Event::Resize(..) => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}

async fn look(client: &Client) -> anyhow::Result<Seen> {
    let page = format!("/api/v1/events?before=0&rows_max={EVENTS_MAX}");
    let (overview, hosts, usage, events) = tokio::try_join!(
        client.get::<Overview>("/api/v1/overview"),
        client.get::<HostsReport>("/api/v1/hosts"),
        client.get::<Vec<AccountRow>>("/api/v1/usage"),
        client.get::<EventsPage>(&page),
    )?;
    let Overview { stats, sources, oldest_waiting_ms, .. } = overview;
    let at_ms = crate::assembly::now_ms();
    Ok(Seen { at_ms, stats, oldest_waiting_ms, hosts, sources, usage, events: events.events })
}
