//! `tidegate parked`: what needs a person, and what a person says about it.

mod bulk;
mod show;

use super::moment::Range;
use super::table;
use crate::command::nearby::Place;
use std::process::ExitCode;
use tidegate::admin::client::Client;
use tidegate::fault::Trouble;
use tidegate::store::parked::{ParkedId, ParkedPage, ParkedQuery, ParkedRow};
use tidegate_envelope::Receipt;

/// Rows shown to people when they do not say how many.
const ROWS_USUAL: usize = 100;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Events that a plugin could not decide, effects and alerts that were given up, and deliveries that are no events.
    ///
    /// The longest parked first. For people, the first 100; with --json all of them, one JSON object per line.
    #[command(after_help = "Examples:\n  \
        tidegate parked list --plugin notice --reason trap\n  \
        tidegate parked list --what effect --since 2h --json")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most so many.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Everything about one of them: why, the event's timeline, an effect's request, a stray's text.
    #[command(after_help = "Secrets stay marks: a request is shown as the plugin decided it.")]
    Show {
        /// Its id, as `tidegate parked list` prints it.
        id: ParkedId,
        /// Print it as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Try again what is parked, as if it had not been tried.
    ///
    /// A plugin is asked again, the version that decides now or the one that you name; an effect is performed again under the same key; a stray is
    /// read again; an alert is sent again. Each counts its attempts from the start.
    #[command(after_help = "Examples:\n  \
        tidegate parked redrive 01KB3M0V2Q8Y6R9T4W7Z1X5C3D/notice      one plan\n  \
        tidegate parked redrive --plugin notice --dry-run              how many that would be\n  \
        tidegate parked redrive --plugin notice --since 1d --yes       all of them, 50 a second\n\n\
        Safe to interrupt: each batch is done whole or not at all, and the same command goes on.\n\
        Exit codes: 0 all done; 1 something is parked still, and why is said; 3 nothing that is parked is meant.")]
    Redrive {
        #[command(flatten)]
        args: bulk::Args,
        /// Ask the version that begins like this, at work or not; `same` is the one that was asked before.
        #[arg(long, value_name = "PREFIX")]
        version: Option<String>,
    },
    /// Say that what is parked needs nothing more.
    ///
    /// It is kept, shown on its event's timeline and counted as done. What waits behind it in its lane goes on.
    #[command(after_help = "Examples:\n  \
        tidegate parked drop stray/7 --because 'sent by a test'\n  \
        tidegate parked drop --what effect --reason 'connection refused' --until 7d --dry-run\n\n\
        Exit codes: as those of `tidegate parked redrive`.")]
    Drop {
        #[command(flatten)]
        args: bulk::Args,
        /// Why; it stands on the timeline.
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
    },
}

/// What of all that is parked.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Only of the event with this receipt.
    #[arg(long)]
    receipt: Option<Receipt>,
    /// Only about this subject: the asset's id.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only of this plugin.
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only this kind.
    #[arg(long, value_parser = ["event", "effect", "stray", "alert"])]
    what: Option<String>,
    /// Only those whose reason contains this.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    range: Range,
}

impl Filter {
    fn query(self) -> ParkedQuery {
        let Self { receipt, subject, source, plugin, what, reason, range } = self;
        ParkedQuery {
            receipt,
            subject,
            source,
            plugin,
            what,
            reason,
            since_ms: range.since,
            until_ms: range.until,
            ..ParkedQuery::default()
        }
    }
}

pub(crate) async fn run(command: Command, host: &Place) -> anyhow::Result<ExitCode> {
    let client = super::client(host)?;
    match command {
        Command::List { filter, limit, json } => {
            list(&client, filter.query(), limit, json).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Show { id, json } => show::run(&client, &id, json).await.map(|()| ExitCode::SUCCESS),
        Command::Redrive { args, version } => {
            bulk::run(&client, args, bulk::Action::Redrive { version }).await
        }
        Command::Drop { args, because } => {
            bulk::run(&client, args, bulk::Action::Drop { reason: because }).await
        }
    }
}

async fn page(client: &Client, query: &ParkedQuery) -> anyhow::Result<ParkedPage> {
    client.get_with("/api/v1/parked", query).await
}

async fn list(
    client: &Client,
    mut query: ParkedQuery,
    limit: Option<usize>,
    json: bool,
) -> anyhow::Result<()> {
    let mut left = limit.unwrap_or(if json { usize::MAX } else { ROWS_USUAL });
    let mut shown = Vec::new();
    let has_more = loop {
        if left == 0 {
            break true;
        }
        query.rows_max = Some(left.min(500));
        let page = page(client, &query).await?;
        left -= page.rows.len();
        if json {
            super::print_json(&page.rows)?;
        } else {
            shown.extend(page.rows);
        }
        query.after = page.next;
        if query.after.is_none() {
            break false;
        }
    };
    if json { Ok(()) } else { super::print(&text(shown, has_more)) }
}

fn text(shown: Vec<ParkedRow>, has_more: bool) -> String {
    if shown.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let troubles: Vec<_> = Trouble::all()
        .filter(|it| shown.iter().any(|row| Trouble::in_reason(&row.why) == Some(*it)))
        .collect();
    let rows = shown.into_iter().map(|row| {
        let why = row.why.lines().next().unwrap_or_default().to_owned();
        let subject = row.subject.unwrap_or_else(|| "-".to_owned());
        vec![super::time(row.at_ms), row.what, row.id.to_string(), subject, why]
    });
    let mut text = table::render(&["since", "what", "id", "subject", "why"], &rows.collect::<Vec<_>>());
    if has_more {
        text.push_str("(there may be more; --limit N shows more, --json all)\n");
    }
    for it in troubles {
        text.push_str(&format!("what it means: tidegate plugin explain {}\n", it.name()));
    }
    text
}
