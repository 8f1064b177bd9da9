//! `tidegate plugin new`: a directory to start from.

use crate::command::print;
use anyhow::{Context as _, bail, ensure};
use clap::builder::PossibleValuesParser;
use std::fs;
use std::path::{Path, PathBuf};
use tidegate::plugin::PluginName;
use tidegate::workbench::template::{self, NewFile};

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin new door-bell --lang python
         cd door-bell && tidegate plugin build && tidegate plugin test && tidegate plugin deploy

Makes door-bell/ with a small working plugin of that name: source, plugin.toml, README.md, wit/ (the contract), sdk/ (what
helps in its language), events/ and expected/. Needs no network; `tidegate plugin build` does, where the language's tools are
not on this machine yet.")]
pub(crate) struct Args {
    /// The new directory. Its name names the plugin: lower-case letters, digits and hyphens, a letter first.
    dir: PathBuf,
    /// The language it is written in.
    #[arg(long, value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(template::languages()))]
    lang: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let Some(template) = template::find(&args.lang) else { bail!("there is no template for {}", args.lang) };
    let name = name_of(&args.dir)?;
    ensure!(
        is_empty(&args.dir)?,
        "{} is not empty: name a directory that is not there yet",
        args.dir.display()
    );
    let files = template.files(&name);
    for file in &files {
        write(&args.dir, file)?;
    }
    print(&next(args, &name, files.len()))
}

/// The plugin's name: the directory's own.
fn name_of(dir: &Path) -> anyhow::Result<PluginName> {
    let last = match dir.file_name() {
        Some(last) => last.to_owned(),
        // `.` and the like have a name once they are resolved.
        None => {
            let whole = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
            whole.file_name().with_context(|| format!("{} has no name", dir.display()))?.to_owned()
        }
    };
    let last = last.to_string_lossy();
    ensure!(
        last.starts_with(|first: char| first.is_ascii_lowercase()),
        "`{last}` cannot name a plugin in every language: start it with a letter of a-z"
    );
    Ok(PluginName::new(&last)?)
}

fn is_empty(dir: &Path) -> anyhow::Result<bool> {
    if !dir.exists() {
        return Ok(true);
    }
    let mut entries = fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))?;
    Ok(entries.next().is_none())
}

fn write(dir: &Path, file: &NewFile) -> anyhow::Result<()> {
    let path = dir.join(&file.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    fs::write(&path, &file.content).with_context(|| format!("write {}", path.display()))
}

fn next(args: &Args, name: &PluginName, files: usize) -> String {
    let dir = args.dir.display();
    let enter = if args.dir == Path::new(".") { String::new() } else { format!("  cd {dir}\n") };
    format!(
        "made {name} in {dir}: {files} files\n\n\
         Now type:\n{enter}  tidegate plugin build\n  tidegate plugin test\n  tidegate plugin deploy\n\n\
         The last needs a host: `tidegate dev` in another terminal. README.md says what else there is.\n"
    )
}
