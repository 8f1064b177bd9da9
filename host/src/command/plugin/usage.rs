//! `tidegate plugin usage`: what each version cost the running host.

use super::show::{size, took};
use crate::command::nearby::Place;
use crate::command::{client, print, print_json, table, time};
use std::time::Duration;
use tidegate::account::AccountRow;

#[derive(clap::Args)]
#[command(after_help = "\
Counted since the host started, per version; a version that was replaced keeps its row. Hosts that share a database add up \
what each counted; one that is gone counts for a day. TIME is all calls together, from \
asking to the answer. FUEL is counted for plugins with a limit of it (limits.fuel). DIFFERS is of answers that were compared with another \
version's: a shadow's or a canary's with the active one's.")]
pub(crate) struct Args {
    /// Print one JSON object per line: plugin, version, active, since_ms, calls, refusals, faults (by name), wall_us,
    /// wall_us_max, memory_bytes_max, memory_growths_max, fuel, fuel_max, compared, drifted.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, host: &Place) -> anyhow::Result<()> {
    let rows: Vec<AccountRow> = client(host)?.get("/api/v1/usage").await?;
    if args.json {
        return print_json(&rows);
    }
    let Some(since_ms) = rows.first().map(|row| row.since_ms) else {
        return print("no plugin is deployed; type: tidegate plugin deploy DIR\n");
    };
    let headings = [
        "plugin", "version", "state", "asked", "refused", "time", "mean", "max", "memory", "fuel", "differs",
        "faults",
    ];
    let cells: Vec<_> = rows.iter().map(cells).collect();
    print(&format!("since {}\n{}", time(since_ms), table::render(&headings, &cells)))
}

fn cells(row: &AccountRow) -> Vec<String> {
    let time = |us| took(Duration::from_micros(us));
    let faults: Vec<_> = row.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
    vec![
        row.plugin.to_string(),
        row.version.short().to_owned(),
        if row.active { "at work" } else { "replaced" }.to_owned(),
        row.calls.to_string(),
        row.refusals.to_string(),
        time(row.wall_us),
        row.wall_us.checked_div(row.calls).map_or_else(|| "-".to_owned(), time),
        time(row.wall_us_max),
        size(row.memory_bytes_max),
        row.fuel.map_or_else(|| "-".to_owned(), |fuel| fuel.to_string()),
        if row.compared == 0 { "-".to_owned() } else { format!("{} of {}", row.drifted, row.compared) },
        if faults.is_empty() { "none".to_owned() } else { faults.join(", ") },
    ]
}
