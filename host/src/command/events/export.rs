//! `tidegate events export`: everything that arrived, as lines for a program.

use super::{Filter, page};
use anyhow::{Context as _, bail};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use tidegate::admin::client::Client;
use tidegate::store::listing::EventQuery;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Go on after this place: the `cursor` of the last line that is there already.
    #[arg(long, value_name = "CURSOR")]
    after: Option<i64>,
    /// Write to this file: a new one, or with --after the end of an earlier export.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    let mut file = args.out.as_deref().map(|path| open(path, args.after.is_some())).transpose()?;
    let mut query = EventQuery { after: args.after, payload: Some(true), ..args.filter.query() };
    let mut written = 0_u64;
    loop {
        let page = page(client, &query).await?;
        let lines = page.events.iter().map(|event| Ok(serde_json::to_string(event)? + "\n"));
        let lines = lines.collect::<anyhow::Result<String>>()?;
        match &mut file {
            Some(file) => file.write_all(lines.as_bytes()).context("write the export")?,
            None => crate::command::print(&lines)?,
        }
        written += u64::try_from(page.events.len())?;
        query.after = Some(page.cursor);
        if page.is_end {
            break;
        }
    }
    if let Some(file) = file {
        file.sync_all().context("write the export")?;
    }
    let cursor = query.after.unwrap_or_default();
    eprintln!("exported {written} events; what comes later: tidegate events export --after {cursor}");
    Ok(())
}

fn open(path: &Path, goes_on: bool) -> anyhow::Result<File> {
    let shown = path.display();
    if !goes_on {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        return file
            .with_context(|| format!("write {shown}: name a new file, or say with --after where to go on"));
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path);
    if let Ok(file) = &mut file
        && file.metadata().is_ok_and(|about| about.len() > 0)
    {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))
            .and_then(|_| file.read_exact(&mut last))
            .with_context(|| format!("read {shown}"))?;
        if last != *b"\n" {
            bail!("{shown} ends in the middle of a line: remove that, and go on after the line before");
        }
    }
    file.with_context(|| format!("write {shown}"))
}
