//! `tidegate plugin`: put versions to work.

use super::table;
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};
use tidegate::admin::{DeployRequest, PluginRow};
use tidegate::deploy::Deployed;
use tidegate::plugin::Manifest;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a plugin's version the active one: the next event is decided by it.
    ///
    /// The component is checked and compiled before anything changes; when it is refused, the version that was
    /// active still is. Deploying grants the plugin the hosts that its manifest asks for.
    Deploy(Deploy),
    /// The plugins at work and their versions.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
pub(crate) struct Deploy {
    /// A plugin's directory (with plugin.toml), or a component whose plugin.toml stands beside it.
    path: PathBuf,
    /// Sets one of the plugin's settings over its manifest, as NAME=VALUE. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Grants a host over its manifest, as HOST or HOST:PORT. May be given several times.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Command, data: &Path) -> anyhow::Result<()> {
    match command {
        Command::Deploy(args) => deploy(args, data).await,
        Command::List { json } => list(json, data).await,
    }
}

async fn deploy(args: Deploy, data: &Path) -> anyhow::Result<()> {
    let client = super::client(data)?;
    let request = package(&args)?;
    let deployed: Deployed = client.post("/api/v1/plugins", &request).await?;
    if args.json {
        return super::print_json([&deployed]);
    }
    let before = deployed.before.map_or_else(String::new, |before| format!(" (before: {})", before.short()));
    super::print(&format!(
        "deployed {} version {}{before}\n  asked about: {}\n  may reach:   {}\n",
        deployed.plugin,
        deployed.version.short(),
        deployed.kinds.join(", "),
        if deployed.hosts.is_empty() { "no host".to_owned() } else { deployed.hosts.join(", ") },
    ))
}

/// The manifest, with what the command line sets over it, and the component it names.
fn package(args: &Deploy) -> anyhow::Result<DeployRequest> {
    let (dir, component) = if args.path.is_dir() {
        (args.path.as_path(), None)
    } else {
        (args.path.parent().unwrap_or(Path::new("")), Some(args.path.clone()))
    };
    anyhow::ensure!(
        args.path.exists(),
        "there is no {}: name a plugin's directory or its component",
        args.path.display()
    );
    let path = dir.join("plugin.toml");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("read {}: a plugin is described by a plugin.toml beside its component", path.display())
    })?;
    let mut manifest = Manifest::parse(&text).with_context(|| format!("read {}", path.display()))?;
    for setting in &args.settings {
        let (name, value) =
            setting.split_once('=').with_context(|| format!("--set {setting}: write NAME=VALUE"))?;
        manifest.settings.insert(name.to_owned(), value.to_owned());
    }
    manifest.hosts.extend(args.hosts.iter().cloned());
    let component = component.unwrap_or_else(|| dir.join(&manifest.component));
    let bytes = std::fs::read(&component).with_context(|| {
        format!("read the component {}: build it first (the plugin's README says how)", component.display())
    })?;
    Ok(DeployRequest { manifest: toml::to_string(&manifest)?, component: STANDARD.encode(bytes) })
}

async fn list(json: bool, data: &Path) -> anyhow::Result<()> {
    let plugins: Vec<PluginRow> = super::client(data)?.get("/api/v1/plugins").await?;
    if json {
        return super::print_json(&plugins);
    }
    if plugins.is_empty() {
        return super::print("no plugin is deployed; type: tidegate plugin deploy DIR\n");
    }
    let row = |row: &PluginRow| {
        let version = row.version.short().to_owned();
        vec![
            row.plugin.to_string(),
            version,
            super::time(row.deployed_at_ms),
            row.kinds.join(","),
            row.hosts.join(","),
        ]
    };
    let rows: Vec<_> = plugins.iter().map(row).collect();
    super::print(&table::render(&["plugin", "version", "deployed", "kinds", "hosts"], &rows))
}
