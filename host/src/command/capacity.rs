//! `tidegate capacity`: what so many events a second need, and what gives out first.

#[cfg(test)]
mod tests;
mod text;

use text::{figures_text, steps, text};
use tidegate::capacity::{Case, Kept, LANGUAGES};

#[derive(clap::Args)]
#[command(after_help = "\
An answer is as good as its figures: what was measured was measured on two cores, what is assumed is yours to measure. \
`--figures` prints each with where it comes from; `--set NAME=VALUE` gives it another value.\n\n  \
tidegate capacity --events-per-second 1000\n  \
tidegate capacity --events-per-second 100,1000,10000          # a line for each\n  \
tidegate capacity --events-per-second 1000 --peak 5 --effects 0.1 --language python --cores 8\n  \
tidegate capacity --events-per-second 100000 --store postgres --set target-ms=20 --set pull-ms=15\n  \
tidegate capacity --figures --store postgres")]
pub(crate) struct Args {
    /// Events that come in a second, day and night; several, with commas, give a line for each.
    #[arg(long, value_name = "EVENTS", required_unless_present = "figures", value_delimiter = ',')]
    events_per_second: Vec<f64>,
    /// How many times more come at the worst of times (1).
    #[arg(long, value_name = "FACTOR")]
    peak: Option<f64>,
    /// Bytes of an event's body, on average (450).
    #[arg(long, value_name = "BYTES")]
    event_bytes: Option<f64>,
    /// Effects of an event, on average (1).
    #[arg(long, value_name = "EFFECTS")]
    effects: Option<f64>,
    /// Microseconds of a processor that an event's plugins take, all together (9: a small one in Rust);
    /// `tidegate plugin bench` says it of yours.
    #[arg(long, value_name = "US", conflicts_with = "language")]
    plugin_us: Option<f64>,
    /// The same, of one small plugin in this language, as README.md has it.
    #[arg(long, value_parser = language)]
    language: Option<f64>,
    /// Cores of a host (2).
    #[arg(long, value_name = "CORES")]
    cores: Option<f64>,
    /// Days that what was recorded is kept (30).
    #[arg(long, value_name = "DAYS")]
    days: Option<f64>,
    /// Where hosts keep everything.
    #[arg(long, value_enum, default_value_t = Kept::Sqlite)]
    store: Kept,
    /// Gives a figure another value; may be given again. Their names: --figures.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, f64)>,
    /// Print the figures, each with its meaning and where it comes from, and no answer.
    #[arg(long)]
    figures: bool,
    /// Print one JSON object: the case and what it needs.
    #[arg(long)]
    json: bool,
}

fn language(name: &str) -> Result<f64, String> {
    let found = LANGUAGES.iter().find(|(language, _)| *language == name);
    let names = || LANGUAGES.map(|(language, _)| language).join(", ");
    found.map(|(_, us)| *us).ok_or_else(|| format!("there are {}", names()))
}

fn pair(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE, as in pull-ms=20")?;
    let value = value.parse().map_err(|_| format!("`{value}` is no number"))?;
    Ok((name.to_owned(), value))
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.figures {
        let case = case(args, 1.0)?;
        return if args.json {
            super::print_json(figures(&case))
        } else {
            super::print(&figures_text(&case))
        };
    }
    let cases: Vec<_> =
        args.events_per_second.iter().map(|rate| case(args, *rate)).collect::<anyhow::Result<_>>()?;
    let plans: Vec<_> = cases.iter().map(Case::plan).collect::<anyhow::Result<_>>()?;
    if args.json {
        let answers = cases.iter().zip(&plans);
        return super::print_json(
            answers.map(|(case, plan)| serde_json::json!({ "case": case, "plan": plan })),
        );
    }
    match (cases.as_slice(), plans.as_slice()) {
        ([case], [plan]) => super::print(&text(case, plan)),
        _ => super::print(&steps(&plans)),
    }
}

fn case(args: &Args, events_per_second: f64) -> anyhow::Result<Case> {
    let mut case = Case::new(args.store, events_per_second);
    let named = [
        ("peak", args.peak),
        ("event-bytes", args.event_bytes),
        ("effects", args.effects),
        ("plugin-us", args.plugin_us.or(args.language)),
        ("cores", args.cores),
        ("days", args.days),
    ];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let set = args.set.iter().map(|(name, value)| (name.as_str(), *value));
    named.chain(set).try_for_each(|(name, value)| case.set(name, value))?;
    Ok(case)
}

fn figures(case: &Case) -> Vec<serde_json::Value> {
    let rows = case.figures().map(|(figure, value, rests_on)| {
        serde_json::json!({
            "name": figure.name,
            "value": value,
            "rests_on": rests_on,
            "means": figure.means,
            "origin": figure.origin,
        })
    });
    rows.collect()
}
