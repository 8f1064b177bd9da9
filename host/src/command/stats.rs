//! `tidegate stats`: how much came in and what became of it.

use super::table;
use crate::command::nearby::Place;
use tidegate::store::stats::{Effects, Stats};

#[derive(clap::Args)]
#[command(
    after_help = "`in` is always done + waiting + parked, as of one instant. All of it counts from the first day on: \
                        what retention removed is in it.\nFor Prometheus: GET /metrics of the admin API, with the token of \
                        DIR/admin.json as bearer token."
)]
pub(crate) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, host: &Place) -> anyhow::Result<()> {
    let stats: Stats = super::client(host)?.get("/api/v1/stats").await?;
    if args.json {
        return super::print_json([&stats]);
    }
    super::print(&text(&stats))
}

fn text(stats: &Stats) -> String {
    let Stats { incoming, done, waiting, parked, accepted, caused, strays, plans, upcoming, .. } = stats;
    let rows = [
        ("in", format!("{incoming} = {done} done + {waiting} waiting + {parked} parked")),
        (
            "  accepted",
            format!(
                "{} ({} first, {} duplicate, {} stale, {} conflict, {} after-delete, {} echo)",
                accepted.sum(),
                accepted.first,
                accepted.duplicate,
                accepted.stale,
                accepted.conflict,
                accepted.after_delete,
                accepted.echo
            ),
        ),
        ("  caused", format!("{caused} by plugins; {upcoming} more are still to come")),
        ("  strays", format!("{} parked, {} dropped", strays.parked, strays.dropped)),
        (
            "plans",
            format!(
                "{} decided, {} skipped, {} waiting, {} held, {} parked, {} dropped",
                plans.decided, plans.skipped, plans.waiting, plans.held, plans.parked, plans.dropped
            ),
        ),
        ("effects", effects(&stats.effects)),
        ("alerts", effects(&stats.alerts)),
    ];
    let rows: Vec<_> = rows.into_iter().map(|(name, what)| vec![name.to_owned(), what]).collect();
    table::render(&["what", "how many"], &rows)
}

fn effects(effects: &Effects) -> String {
    let Effects { done, waiting, parked, dropped } = effects;
    format!("{done} done, {waiting} waiting, {parked} parked, {dropped} dropped")
}
