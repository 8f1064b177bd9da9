//! `tidegate plugin build`: a plugin's component, made of its sources, once or on each change.

use super::{show, watch};
use crate::command::{print, print_json, stopped};
use anyhow::{Context as _, anyhow};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tidegate::workbench::anatomy::Anatomy;
use tidegate::workbench::package::Package;
use tidegate::workbench::said::SHAPE_VERSION;
use tidegate::workbench::site;
use tidegate_toolchain::build::{self, Build, Made};
use tidegate_toolchain::progress::Progress;
use tidegate_toolchain::shell::Failed;
use tidegate_toolchain::tools::Tools;
use tokio::sync::mpsc;

/// After so long without a word something is said, and again after twice as long.
const WORD_AFTER: Duration = Duration::from_secs(5);
/// Words that wait to be shown.
const WORDS_MAX: usize = 16;

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin build
         tidegate plugin build plugins/go --json
         tidegate plugin build --watch       # again whenever a source changes; Ctrl-C ends it

[build] in plugin.toml says how: `language` and `source`, or for any other language `command`, which is run in the plugin's
directory and makes its component. The language's tools are fetched when they are not there, once for this machine, with npm,
pip or rustup; what is fetched, from where and to where is said first. Contract and SDK are the plugin's own wit/ and sdk/,
else those of the repository it is in, else those this command was built with. What is made on the way is in .tidegate/build.
Exit code: 0 it was made, 1 not: compilers' words are on standard error.")]
pub(crate) struct Args {
    /// A plugin's directory, with plugin.toml.
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// Build again whenever plugin.toml or a source changes.
    #[arg(long)]
    watch: bool,
    /// Print one JSON object per build: v, plugin, language, made (now, before), component, bytes, sha256, exports, imports,
    /// fetched, took_ms.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints, version 1.
#[derive(Serialize)]
pub(super) struct Report {
    v: u32,
    plugin: String,
    /// `null` when a command of its own makes it.
    language: Option<String>,
    made: &'static str,
    component: PathBuf,
    bytes: usize,
    sha256: String,
    exports: Vec<String>,
    imports: Vec<String>,
    /// The tools that were not on this machine.
    fetched: Vec<String>,
    took_ms: u64,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.watch {
        return keep_building(&args).await;
    }
    let report = attempt(&args.plugin).await?;
    show_report(&args, &report)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds, then waits for a change, until it is stopped. What is wrong is said, not fatal: it is being written.
async fn keep_building(args: &Args) -> anyhow::Result<ExitCode> {
    let stopped = stopped()?;
    tokio::pin!(stopped);
    let look = || sources(&args.plugin);
    let mut is_first = true;
    loop {
        let seen = look();
        let attempt = tokio::select! {
            () = &mut stopped => return Ok(ExitCode::SUCCESS),
            attempt = attempt(&args.plugin) => attempt,
        };
        match attempt {
            // A compiler may write beside the sources: no news.
            Ok(report) if report.made == BEFORE && !is_first => {}
            Ok(report) => show_report(args, &report)?,
            Err(error) => eprintln!("error: {error:#}"),
        }
        is_first = false;
        eprintln!("watching {}; Ctrl-C ends it", args.plugin.display());
        tokio::select! {
            () = &mut stopped => return Ok(ExitCode::SUCCESS),
            () = watch::changed(look, seen) => {}
        }
    }
}

/// The files that a plugin is made of, as they are now.
pub(super) fn sources(plugin: &Path) -> watch::Files {
    let manifest = plugin.join("plugin.toml");
    watch::look(build::sources(plugin).unwrap_or_default().into_iter().chain([manifest]).collect())
}

/// Builds once, beside saying what is done. Not cancel-safe: compilers go on.
pub(super) async fn attempt(plugin: &Path) -> anyhow::Result<Report> {
    let package = Package::find(plugin)?;
    let manifest = package.manifest()?.clone();
    let site = site::find(&package)?;
    let (say, mut said) = mpsc::channel(WORDS_MAX);
    let began = Instant::now();
    let build = manifest.build.clone();
    let (out, language) = (site.out.clone(), build.language.clone());
    let working = tokio::task::spawn_blocking(move || make(&build, &site, &say));
    let fetched = listen(&mut said).await;
    let made = working.await.context("build")?.map_err(say_what_a_compiler_said)?;
    let Anatomy { bytes, sha256, exports, imports, .. } =
        Anatomy::of(&fs::read(&out).with_context(|| format!("read {}", out.display()))?);
    Ok(Report {
        v: SHAPE_VERSION,
        plugin: manifest.name.to_string(),
        language,
        made: name(made),
        component: package.component,
        bytes,
        sha256,
        exports,
        imports,
        fetched,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

fn make(build: &Build, site: &build::Place, say: &mpsc::Sender<Progress>) -> anyhow::Result<Made> {
    // Nobody listens any more when the command was stopped.
    build.run(&Tools::new()?, site, &mut |progress| drop(say.blocking_send(progress)))
}

/// Shows what a build says until it has ended, and that it is still at it. Gives what was fetched.
async fn listen(said: &mut mpsc::Receiver<Progress>) -> Vec<String> {
    let mut fetched = Vec::new();
    let (mut since, mut patience) = (Instant::now(), WORD_AFTER);
    loop {
        match tokio::time::timeout(patience, said.recv()).await {
            Err(_) => {
                eprintln!("  ... still at it after {} s", since.elapsed().as_secs());
                patience *= 2;
            }
            Ok(None) => return fetched,
            Ok(Some(progress)) => {
                eprintln!("{progress}");
                (since, patience) = (Instant::now(), WORD_AFTER);
                if let Progress::Fetched { what } = progress {
                    fetched.push(what);
                }
            }
        }
    }
}

/// A compiler's own words stand alone, as it would have printed them; the error is that it failed.
fn say_what_a_compiler_said(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Failed>() {
        Ok(Failed { what, program, status, printed, line }) => {
            tracing::debug!("ran {line}");
            eprintln!("{printed}");
            anyhow!("{what}: {program} failed ({status})")
        }
        Err(error) => error,
    }
}

const BEFORE: &str = "before";

const fn name(made: Made) -> &'static str {
    match made {
        Made::Now => "now",
        Made::Before => BEFORE,
    }
}

/// What a component imports, in few words: a large library's runtime asks for dozens of interfaces.
fn imports(names: &[String]) -> String {
    let (wasi, mut told): (Vec<_>, Vec<_>) =
        names.iter().cloned().partition(|name| name.starts_with("wasi:"));
    if !wasi.is_empty() {
        told.push(format!("WASI ({}), as `tidegate plugin check` lists", wasi.len()));
    }
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}

fn show_report(args: &Args, report: &Report) -> anyhow::Result<()> {
    if args.json {
        return print_json([report]);
    }
    let (component, size) = (report.component.display(), show::size(report.bytes));
    let mut text = if report.made == BEFORE {
        format!("{component} is made of these sources already: {size}\n")
    } else {
        format!("made {component}: {size}, in {}\n", show::took(Duration::from_millis(report.took_ms)))
    };
    text.push_str(&format!("imports {}\n", imports(&report.imports)));
    let dir =
        if args.plugin == Path::new(".") { String::new() } else { format!(" {}", args.plugin.display()) };
    if !args.watch {
        text.push_str(&format!("next: tidegate plugin test{dir}\n"));
    }
    print(&text)
}
