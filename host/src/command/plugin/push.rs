//! `tidegate plugin push`: puts a plugin into an OCI registry.

use super::origin;
use crate::command::{print, print_json};
use anyhow::Context as _;
use serde::Serialize;
use tidegate::oci;
use tidegate::oci::document::Pushed;
use tidegate::oci::reference::Reference;
use tidegate::workbench::said::SHAPE_VERSION;

#[derive(clap::Args)]
#[command(after_help = "\
Example: tidegate plugin push . oci://registry.example/you/loan-notice:1.2.0
         tidegate plugin deploy oci://registry.example/you/loan-notice:1.2.0

What is pushed: the component (application/wasm, as `wkg` and `oras` have it), plugin.toml, and plugin.wasm.minisig where it
stands beside the component. The same files have the same digest whenever they are pushed. Who you are to the registry is what
`docker login` has written, credential helpers included; DOCKER_CONFIG names another directory than ~/.docker.
Plain HTTP is spoken on this machine alone.")]
pub(crate) struct Args {
    /// A plugin's directory (with plugin.toml), a component whose plugin.toml stands beside it, or a plugin in another registry.
    #[arg(value_name = "PLUGIN")]
    path: String,
    /// Where to: oci://HOST/REPOSITORY:TAG.
    #[arg(value_name = "REFERENCE")]
    to: Reference,
    /// Print one JSON object: v, reference (by digest).
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    v: u32,
    reference: String,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    let brought = origin::read(&args.path, None).await?;
    let pushed = Pushed {
        component: &brought.component,
        manifest: &brought.manifest,
        signature: brought.signature.as_deref(),
    };
    let pinned = oci::push(&args.to, &pushed).await.with_context(|| format!("push {}", args.path))?;
    let reference = pinned.to_string();
    if args.json {
        return print_json([Report { v: SHAPE_VERSION, reference }]);
    }
    let signed = if brought.signature.is_some() { ", with its signature" } else { ", not signed" };
    print(&format!("pushed {} to {}{signed}\n  by digest: {reference}\n", args.path, args.to))
}
