//! `tidegate parked`: what needs a person.

use super::table;
use std::path::Path;
use tidegate::fault::Trouble;
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
    let troubles: Vec<_> = Trouble::all()
        .filter(|it| parked.iter().any(|row| Trouble::in_reason(&row.why) == Some(*it)))
        .collect();
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let rows = parked.into_iter().map(|row| {
        let receipt = text(row.receipt.map(|receipt| receipt.to_string()));
        let why = row.why.lines().next().unwrap_or_default().to_owned();
        vec![super::time(row.at_ms), row.what, receipt, text(row.plugin.map(|name| name.to_string())), why]
    });
    let table = table::render(&["since", "what", "receipt", "plugin", "why"], &rows.collect::<Vec<_>>());
    let explain = troubles.iter().map(|it| format!("what it means: tidegate plugin explain {}\n", it.name()));
    super::print(&explain.fold(table, |text, line| text + &line))
}
