//! `tidegate source rotate` and `check`: the file that `wrangler secret put SOURCES` is given.

use crate::command::nearby::Place;
use crate::command::{client, print, random_token, time};
use anyhow::{Context as _, bail, ensure};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tidegate::vigil::report::SourcesReport;
use tidegate_envelope::SourceName;
use tidegate_source::file::SourcesFile;

#[derive(clap::Args)]
pub(crate) struct RotateArgs {
    /// Which source.
    #[arg(value_parser = SourceName::new)]
    name: SourceName,
    /// The file that holds the sources.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Take the old tokens away, when the edge says that only the new one is used.
    #[arg(long)]
    finish: bool,
    /// With --finish: take them away whatever the edge says.
    #[arg(long, requires = "finish")]
    force: bool,
}

pub(super) async fn rotate(args: &RotateArgs, host: &Place) -> anyhow::Result<()> {
    let sources = read(&args.file)?;
    if args.finish { finish(args, sources, host).await } else { begin(args, sources) }
}

fn begin(args: &RotateArgs, mut sources: SourcesFile) -> anyhow::Result<()> {
    let (name, token) = (&args.name, random_token()?);
    let number = sources.add_token(name, &token)?;
    write(&args.file, &sources)?;
    let (file, path) = (args.file.display(), format!("/in/{name}/{token}"));
    print(&format!(
        "{name} has a new token, number {number}; the old ones stay live. Its request URL ends in\n  {path}\n\n\
         1. Tell the edge:\n     npx wrangler secret put SOURCES < {file}\n\
         2. See that it takes events there:\n     tidegate source test {name} --url https://<your domain>{path}\n\
         3. Put the new request URL into the sender's settings.\n\
         4. When events have come, take the old tokens away:\n     \
         tidegate source rotate {name} --file {file} --finish\n"
    ))
}

async fn finish(args: &RotateArgs, mut sources: SourcesFile, host: &Place) -> anyhow::Result<()> {
    let name = &args.name;
    let known = sources.sources().find(|(known, _)| *known == name).map(|(_, tokens)| tokens);
    let tokens = known.with_context(|| format!("{} has no source `{name}`", args.file.display()))?;
    ensure!(tokens > 1, "{name} has one token: there is nothing to finish");
    if !args.force {
        let report: SourcesReport = client(host)?.get("/api/v1/sources").await?;
        let row = report.sources.into_iter().find(|row| row.source == *name);
        let tally = row.and_then(|row| row.tally).with_context(|| {
            format!("the edge does not say which tokens of {name} are used (tidegate source status); --force goes on")
        })?;
        may_finish(name, tokens, &tally.tokens_used_ms).context("--force goes on all the same")?;
    }
    for _ in 1..tokens {
        sources.drop_token(name, 1)?;
    }
    write(&args.file, &sources)?;
    let file = args.file.display();
    print(&format!(
        "{name} has its newest token alone. Tell the edge:\n  npx wrangler secret put SOURCES < {file}\n"
    ))
}

/// Whether only the newest of so many tokens is used, by what the edge says of each.
fn may_finish(name: &SourceName, tokens: usize, used_ms: &[u64]) -> anyhow::Result<()> {
    let at_edge = used_ms.len();
    ensure!(
        at_edge == tokens,
        "the edge knows {at_edge} tokens of {name}, the file has {tokens}: npx wrangler secret put SOURCES < the file"
    );
    let Some((newest_ms, old)) = used_ms.split_last() else { return Ok(()) };
    ensure!(
        *newest_ms > 0,
        "the new token of {name} was never used: put the new request URL into the sender's settings first"
    );
    for (number, old_ms) in (1..).zip(old) {
        if old_ms > newest_ms {
            bail!(
                "token {number} of {name} was used at {}, after the new one ({}): its sender still has the old URL",
                time(*old_ms),
                time(*newest_ms)
            );
        }
    }
    Ok(())
}

pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    let sources = read(path)?;
    let lines = sources.sources().map(|(name, tokens)| format!("  {name}: {tokens} token(s)\n"));
    print(&format!("{} can go to the edge:\n{}", path.display(), lines.collect::<String>()))
}

fn read(path: &Path) -> anyhow::Result<SourcesFile> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    SourcesFile::parse(&text).with_context(|| format!("read {}", path.display()))
}

/// Written beside and renamed over, readable by this user alone: a crash leaves the old file or the new one.
fn write(path: &Path, sources: &SourcesFile) -> anyhow::Result<()> {
    let text = sources.to_json()?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let wrote = || format!("write {}", path.display());
    let _ = std::fs::remove_file(&beside);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .with_context(wrote)?;
    file.write_all(text.as_bytes()).with_context(wrote)?;
    file.sync_all().with_context(wrote)?;
    std::fs::rename(&beside, path).with_context(wrote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_tokens_go_only_when_the_new_one_alone_is_used() {
        let amj = SourceName::new("amj").expect("a valid name");
        for (tokens, used_ms, said) in [
            (2, &[5_000, 9_000][..], None),
            (3, &[0, 5_000, 9_000], None),
            (2, &[5_000], Some("wrangler secret put")),
            (2, &[0, 5_000, 9_000], Some("wrangler secret put")),
            (2, &[5_000, 0], Some("never used")),
            (2, &[9_000, 5_000], Some("token 1")),
            (3, &[1, 9_000, 5_000], Some("token 2")),
        ] {
            let found = may_finish(&amj, tokens, used_ms).err().map(|error| error.to_string());
            match (said, &found) {
                (None, None) => {}
                (Some(said), Some(found)) => assert!(found.contains(said), "{found}"),
                _ => panic!("{used_ms:?}: {found:?}, not {said:?}"),
            }
        }
    }
}
