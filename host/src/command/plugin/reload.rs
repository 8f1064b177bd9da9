//! `tidegate dev --watch`: a plugin's sources are built and put to work whenever they change. Knows nothing of languages.

use super::deploy::operator;
use super::origin::{OverArgs, from_files};
use super::{build, show, watch};
use crate::command::{print, print_json};
use anyhow::Context as _;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tidegate::admin::client::{Address, Client};
use tidegate::deploy::{By, Deployed, Role};
use tidegate::plugin::Version;
use tidegate::workbench::package::Package;
use tidegate::workbench::said::SHAPE_VERSION;

/// What `--json` prints of each reload, version 1.
#[derive(Serialize)]
struct Report<'a> {
    v: u32,
    watched: &'a Path,
    plugin: Option<String>,
    version: Option<&'a Version>,
    before: Option<&'a Version>,
    /// Why nothing was reloaded: what was at work still is.
    error: Option<String>,
    took_ms: u64,
}

/// Puts the plugin in this directory to work at this host, now and after each change, until it is dropped. What is wrong is
/// said, and what was at work stays: it is being written. Not cancel-safe: compilers go on.
pub(crate) async fn run(dir: PathBuf, host: Address, json: bool) -> anyhow::Result<()> {
    let client = Client::new(host, None)?;
    loop {
        let (seen, began) = (look(&dir), Instant::now());
        let reloaded = reload(&dir, &client).await;
        told(&dir, &reloaded, began.elapsed(), json)?;
        watch::changed(|| look(&dir), seen).await;
    }
}

/// The files whose change counts: sources, or a component that is made elsewhere.
fn look(dir: &Path) -> watch::Files {
    let mut files = build::sources(dir);
    let made_elsewhere = Package::find(dir).ok().filter(|package| !is_built_here(package));
    files.extend(watch::look(made_elsewhere.map(|package| package.component).into_iter().collect()));
    files
}

fn is_built_here(package: &Package) -> bool {
    let build = package.manifest.as_ref().map(|manifest| &manifest.build);
    build.is_some_and(|build| build.language.is_some() || build.command.is_some())
}

async fn reload(dir: &Path, client: &Client) -> anyhow::Result<Deployed> {
    let package = Package::find(dir)?;
    if is_built_here(&package) {
        build::attempt(dir).await?;
    }
    let by = By { why: Some("tidegate dev --watch".to_owned()), approve: true, ..operator() };
    let request = from_files(&package, None)?.request(&OverArgs::default(), Role::Active, by)?;
    client.post("/api/v1/plugins", &request).await
}

fn told(dir: &Path, reloaded: &anyhow::Result<Deployed>, took: Duration, json: bool) -> anyhow::Result<()> {
    if let Err(error) = reloaded {
        eprintln!("error: {}: {error:#}; what was at work stays", dir.display());
    }
    if json {
        let deployed = reloaded.as_ref().ok();
        return print_json([Report {
            v: SHAPE_VERSION,
            watched: dir,
            plugin: deployed.map(|deployed| deployed.plugin.to_string()),
            version: deployed.and_then(|deployed| deployed.version.as_ref()),
            before: deployed.and_then(|deployed| deployed.before.as_ref()),
            error: reloaded.as_ref().err().map(|error| format!("{error:#}")),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }]);
    }
    let Ok(deployed) = reloaded else { return Ok(()) };
    let version = deployed.version.as_ref().context("it has a version")?;
    let before = match &deployed.before {
        Some(before) if before == version => " (unchanged)".to_owned(),
        Some(before) => format!(" (before: {})", before.short()),
        None => String::new(),
    };
    let (plugin, version, took) = (&deployed.plugin, version.short(), show::took(took));
    print(&format!("reloaded {plugin}: version {version}{before}, in {took}\n"))
}
