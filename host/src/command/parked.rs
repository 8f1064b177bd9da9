//! `tidegate parked`: what needs a person.

use super::table;
use std::path::Path;
use tidegate::store::ParkedRow;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Events that a plugin could not decide, effects that were given up, and deliveries that are no events.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: Command, data: &Path) -> anyhow::Result<()> {
    let Command::List { json } = command;
    let parked: Vec<ParkedRow> = super::client(data)?.get("/api/v1/parked").await?;
    if json {
        return super::print_json(&parked);
    }
    if parked.is_empty() {
        return super::print("nothing is parked\n");
    }
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let rows = parked.into_iter().map(|row| {
        let receipt = text(row.receipt.map(|receipt| receipt.to_string()));
        let why = row.why.lines().next().unwrap_or_default().to_owned();
        vec![super::time(row.at_ms), row.what, receipt, text(row.plugin.map(|name| name.to_string())), why]
    });
    super::print(&table::render(&["since", "what", "receipt", "plugin", "why"], &rows.collect::<Vec<_>>()))
}
