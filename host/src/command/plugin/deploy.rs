//! `tidegate plugin deploy`: hands a version to the running host.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate::admin::DeployRequest;
use tidegate::deploy::Deployed;
use tidegate::workbench::package::Package;

/// How long nothing is said while the host works.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin deploy
         tidegate plugin deploy plugins/rust --set notice_url=http://127.0.0.1:9000/notices

Without --data it is the host that works in .tidegate here, or else the `tidegate dev` that was started last, from whatever
directory.")]
pub(crate) struct Args {
    /// A plugin's directory (with plugin.toml), or a component whose plugin.toml stands beside it.
    #[arg(default_value = ".")]
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

pub(super) async fn run(args: Args, data: &Path) -> anyhow::Result<()> {
    let request = package(&args)?;
    let client = crate::command::client(data)?;
    let deploying = client.post("/api/v1/plugins", &request);
    tokio::pin!(deploying);
    let deployed: Deployed = tokio::select! {
        deployed = &mut deploying => deployed?,
        () = tokio::time::sleep(PATIENCE) => {
            if std::io::stderr().is_terminal() {
                eprintln!("the host is compiling it, which takes a while for a large component, once");
            }
            deploying.await?
        }
    };
    if args.json {
        return crate::command::print_json([&deployed]);
    }
    let before = deployed.before.map_or_else(String::new, |before| format!(" (before: {})", before.short()));
    crate::command::print(&format!(
        "deployed {} version {}{before}\n  asked about: {}\n  may reach:   {}\n",
        deployed.plugin,
        deployed.version.short(),
        deployed.kinds.join(", "),
        if deployed.hosts.is_empty() { "no host".to_owned() } else { deployed.hosts.join(", ") },
    ))
}

/// The manifest, with what the command line sets over it, and the component it names.
fn package(args: &Args) -> anyhow::Result<DeployRequest> {
    let mut package = Package::find(&args.path)?;
    package.manifest()?;
    super::warn_of_newer_source(&package);
    package.set(&args.settings)?;
    let component = STANDARD.encode(package.read()?);
    let mut manifest = package.manifest.context("it has a manifest")?;
    manifest.hosts.extend(args.hosts.iter().cloned());
    Ok(DeployRequest { manifest: toml::to_string(&manifest)?, component })
}
