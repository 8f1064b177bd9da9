//! `tidegate forget`: a person is forgotten, and it is proven.

use crate::command::nearby::Place;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use tidegate::forget::{ForgetReport, ForgetRequest};
use tidegate_envelope::SourceName;

/// Between two looks at how far it is.
const POLL: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
#[command(after_help = "\
What is erased: the body of each event that names the person (a `loanee` with this id, at any depth, or a name that was \
given), with what plugins said and remember of that asset and the effects that were decided; plans that waited and effects \
that were not performed are dropped as forgotten. The names that those events give the person are then looked for in all \
that concerns the same assets. The same name elsewhere may be somebody else: it is counted and kept; give it with --name \
to have it erased, too. Rows stay with receipt, time and hash. Then every row and every byte of the store's files is looked \
through again.\n\n\
What is not reached: messages that wait in the queue (14 days at most; Cloudflare's, or `tidegate dev`'s own), bodies in the \
edge's vault (15 days at most), what targets were sent, backups, and the log. Forget again after 15 days when events of the \
person may still have been under way. What the sender tells of the person later is recorded like anything else.\n\n\
Exit codes: 0 nothing is left; 1 something is, or it could not be done. It may be interrupted (the host goes on) and run again.")]
pub(crate) struct Args {
    /// The loanee's id, as the sender has it.
    #[arg(long, value_name = "ID", required_unless_present = "name")]
    person: Option<String>,
    /// A name, exactly as it is written; whole words. May be given several times.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Only in what came from this source.
    #[arg(long, value_name = "SOURCE", value_parser = SourceName::new)]
    source: Option<SourceName>,
    /// Only look, and say what would be erased.
    #[arg(long)]
    dry_run: bool,
    /// Who asks; kept in the audit. The user of this command unless it is named.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// One JSON object when it is done.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, host: &Place) -> anyhow::Result<ExitCode> {
    let client = super::client(host)?;
    let user = || super::variable("USER");
    let request = ForgetRequest {
        person: args.person,
        names: args.name,
        source: args.source,
        dry_run: args.dry_run,
        by: args.by.or_else(user).unwrap_or_else(|| "unknown".to_owned()),
    };
    let mut report: ForgetReport = client.post("/api/v1/forget", &request).await?;
    while !report.is_done {
        show_progress(&report)?;
        tokio::time::sleep(POLL).await;
        report = client.get("/api/v1/forget").await?;
    }
    end_progress();
    if let Some(error) = &report.error {
        anyhow::bail!("stopped half-way, run it again: {error}");
    }
    if args.json {
        super::print_json([&report])?;
    } else {
        super::print(&render(&report))?;
    }
    Ok(if report.dry_run || report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line that is written over, where people look.
fn show_progress(report: &ForgetReport) -> anyhow::Result<()> {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        write!(out, "\r\x1b[K{}: {} rows so far", report.step, report.looked_at)?;
        out.flush()?;
    }
    Ok(())
}

fn end_progress() {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        // Only looks.
        let _ = write!(out, "\r\x1b[K");
    }
}

fn render(report: &ForgetReport) -> String {
    let mut text = String::new();
    let verb = if report.dry_run { "would be erased" } else { "erased" };
    let total: u64 = report.found.values().sum();
    text += &format!("{verb}: {total} rows about {} assets\n", report.subjects);
    for (table, rows) in &report.found {
        text += &format!("  {table:<10} {rows}\n");
    }
    if report.others_with_the_name > 0 {
        text += &format!(
            "kept: {} rows about other assets have a name of the person; it may be somebody else's. Give it with --name to \
             erase them, too\n",
            report.others_with_the_name
        );
    }
    if report.dry_run {
        return text;
    }
    text += &format!("checked: {} rows, {} left\n", report.looked_at, report.left);
    for file in &report.files {
        text += &format!("checked: {} ({} bytes), found {} times\n", file.file, file.bytes, file.found);
    }
    if report.is_rewritten {
        text += "the file was written anew: something stood in its free places\n";
    }
    text += if report.is_clean() {
        "nothing is left in the store\n"
    } else {
        "SOMETHING IS LEFT: run it again; a plugin's manifest or an event that is under way may hold it\n"
    };
    text += "not reached: the queue (14 days at most) and the edge's vault (15), what targets were sent, backups, logs\n";
    text
}
