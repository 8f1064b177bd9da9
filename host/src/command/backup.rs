//! `tidegate backup` and `tidegate restore`: all of a host's state in one file.

mod file;
mod place;

use super::nearby::Place as Host;
use crate::assembly::now_ms;
use anyhow::{Context as _, bail, ensure};
use file::{Manifest, Part};
use place::Place;
use std::path::{Path, PathBuf};
use tidegate::config::Config;
use tidegate::store::sqlite::inspect::{self, SCHEMA};

/// What is in a backup, and where it belongs in the data directory. In this order: what the queue had given out before it
/// was copied is in the store that was copied later, so a restored system decides some events a second time at most as
/// repeats, and loses none.
const PARTS: [(&str, &str); 2] = [("queue.sqlite", "queue"), ("store.sqlite", "")];

#[derive(clap::Args)]
#[command(after_help = "\
The file is a tar with manifest.json (sizes, SHA-256, rows by table), store.sqlite, and queue.sqlite where the embedded queue \
is used. What is encrypted in the store stays so: keep TIDEGATE_STORE_KEY elsewhere. Run it on the host's machine, as its \
user; the host goes on meanwhile. The disk of FILE needs room for it twice.")]
pub(crate) struct BackupArgs {
    /// The file to write; it must not be there yet.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object: the manifest.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
The host must be stopped. The file is read through and compared with its manifest before anything is replaced; what was \
there is moved to DIR/before-restore-TIME. Events that were acknowledged after the backup are not in it, and effects that \
were performed after it may be performed again, under the same keys.")]
pub(crate) struct RestoreArgs {
    /// What `tidegate backup` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Also where there is state already: it is kept aside.
    #[arg(long)]
    force: bool,
}

pub(crate) async fn backup(args: BackupArgs, config: &Config, host: &Host) -> anyhow::Result<()> {
    ensure!(
        config.store.url.is_empty(),
        "everything is in the database that `store.url` names: back that up, with `pg_dump` or as its server does"
    );
    let data = host
        .dir()
        .context("a backup is made on the host's machine: run it there, without --host")?
        .to_owned();
    let (file, json) = (args.file.clone(), args.json);
    let task = tokio::task::spawn_blocking(move || write(&data, &file));
    let manifest = task.await.context("write the backup")??;
    if json {
        return super::print_json([&manifest]);
    }
    let mut text = format!("wrote {}, and read it back\n", args.file.display());
    for part in &manifest.parts {
        text.push_str(&format!("  {}\n", part.for_people()));
    }
    super::print(&text)
}

fn write(data: &Path, file: &Path) -> anyhow::Result<Manifest> {
    ensure!(!file.exists(), "{} is there already: name another file", file.display());
    ensure!(
        data.join("store.sqlite").exists(),
        "there is no store in {}: name the host's directory with --data (one in PostgreSQL is for `pg_dump`)",
        data.display()
    );
    let beside = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let dir = tempfile::Builder::new().prefix(".tidegate-backup").tempdir_in(beside);
    let dir = dir.with_context(|| format!("make a directory beside {}", file.display()))?;
    let mut parts = Vec::new();
    for (name, folder) in PARTS {
        let from = data.join(folder).join(name);
        if from.exists() {
            let copy = dir.path().join(name);
            inspect::copy(&from, &copy)?;
            parts.push(Part::of(name, &copy)?);
        }
    }
    let manifest = Manifest { v: 1, tidegate: env!("CARGO_PKG_VERSION").into(), made_at_ms: now_ms(), parts };
    let written = dir.path().join("backup.tar");
    file::write(&written, &manifest, dir.path())?;
    let again = tempfile::tempdir_in(dir.path()).context("make a directory to read it back")?;
    ensure!(
        file::read(&written, again.path())? == manifest,
        "what was written is not what is read back: is the disk sound?"
    );
    std::fs::rename(&written, file).with_context(|| format!("write {}", file.display()))?;
    Ok(manifest)
}

pub(crate) async fn restore(args: RestoreArgs, config: &Config, data: &Path) -> anyhow::Result<()> {
    ensure!(
        config.store.url.is_empty(),
        "a host here has the database that `store.url` names, and reads no file: restore without it, then type: tidegate store \
         copy --from sqlite --to postgres"
    );
    let (data, file) = (data.to_owned(), args.file);
    let task = tokio::task::spawn_blocking(move || put_back(&data, &file, args.force));
    let done = task.await.context("restore the backup")??;
    super::print(&done)
}

fn put_back(data: &Path, file: &Path, force: bool) -> anyhow::Result<String> {
    std::fs::create_dir_all(data).with_context(|| format!("make the directory {}", data.display()))?;
    let place = Place::lock(data)?;
    let there = place.occupied();
    if let (Some(path), false) = (there.first(), force) {
        bail!(
            "{} is there already: say --force to keep it aside and put the backup in its place",
            path.display()
        );
    }
    let dir = tempfile::Builder::new().prefix(".restore").tempdir_in(data);
    let dir = dir.with_context(|| format!("make a directory in {}", data.display()))?;
    let manifest = file::read(file, dir.path())?;
    for part in &manifest.parts {
        ensure!(
            part.name != "store.sqlite" || part.schema <= SCHEMA,
            "the store in it has schema {}, this tidegate knows up to {SCHEMA}: use the newer one that wrote it ({})",
            part.schema,
            manifest.tidegate
        );
    }
    let aside = place.set_aside(&there, now_ms())?;
    let mut text = format!("restored {} of {}\n", file.display(), super::time(manifest.made_at_ms));
    for part in &manifest.parts {
        place.take_in(&part.name, dir.path())?;
        text.push_str(&format!("  {}\n", part.for_people()));
    }
    if let Some(aside) = aside {
        text.push_str(&format!("what was there is in {}\n", aside.display()));
    }
    Ok(text + "start the host, then: tidegate doctor\n")
}

#[cfg(test)]
mod tests;
