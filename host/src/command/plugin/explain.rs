//! `tidegate plugin explain`: the table of what authors and operators meet.

use crate::command::{print, print_json, table};
use tidegate::fault::{Group, Meaning, Trouble};

/// Characters of a line of text, its indent left out.
const LINE_CHARS_MAX: usize = 94;

#[derive(clap::Args)]
#[command(after_help = "\
Example: a row of `tidegate parked list` says `memory_bytes: asked for 81920000 bytes ...`. Then type:
  tidegate plugin explain memory_bytes")]
pub(crate) struct Args {
    /// Its name; without one, all of them are listed.
    #[arg(value_parser = trouble)]
    name: Option<Trouble>,
    /// Print one JSON object per row: name, group, means, limit (key and default), author, operator.
    #[arg(long)]
    json: bool,
}

fn trouble(text: &str) -> Result<Trouble, &'static str> {
    let name = text.replace('-', "_");
    Trouble::all()
        .find(|trouble| trouble.name() == name)
        .ok_or("nothing is called that; `tidegate plugin explain` lists all names")
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let rows: Vec<_> = match args.name {
        Some(trouble) => vec![trouble.meaning()],
        None => Trouble::all().map(Trouble::meaning).collect(),
    };
    match rows.as_slice() {
        rows if args.json => print_json(rows),
        [row] => print(&whole(row)),
        rows => print(&list(rows)),
    }
}

fn list(rows: &[Meaning]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let first = row.means.split_once(". ").map_or(row.means, |(first, _)| first);
            vec![row.name.to_owned(), group(row.group).to_owned(), first.trim_end_matches('.').to_owned()]
        })
        .collect();
    format!(
        "{}\nMore about one: tidegate plugin explain NAME\n",
        table::render(&["name", "what", "means"], &cells)
    )
}

fn whole(row: &Meaning) -> String {
    let limit = row.limit.map_or_else(String::new, |(key, default)| {
        let set = if key.starts_with("limits.") {
            "plugin.toml may ask for less, tidegate.toml sets the most"
        } else {
            "fixed"
        };
        let default = if default == 0 { "none".to_owned() } else { default.to_string() };
        format!("\nLimit: {key}, {default} by default ({set}).\n")
    });
    format!(
        "{}: {}\n\n{}{limit}\nAs the author:\n{}\nAs the operator:\n{}",
        row.name,
        group(row.group),
        wrapped(row.means),
        wrapped(row.author),
        wrapped(row.operator)
    )
}

/// The text in indented lines that fit a terminal.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > LINE_CHARS_MAX {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

const fn group(group: Group) -> &'static str {
    match group {
        Group::Limit => "limit of one call",
        Group::Fault => "fault",
        Group::Refusal => "refusal",
        Group::Admission => "component refused",
        Group::Test => "failed test",
    }
}
