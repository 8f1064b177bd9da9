//! `tidegate queue`: the durable queue by itself, and the conformance suite of its contract.

use anyhow::Context as _;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use tidegate_queue::{Behavior, ServeOptions, Server, conform};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Serve Cloudflare's queue API and workerd's binding protocol from one SQLite file.
    Serve(Serve),
    /// Check a queue API against the contract, case by case: this one, or Cloudflare's.
    ///
    /// It makes a queue of its own with a random name and deletes it in the end.
    Conform(Conform),
}

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Where the REST API listens. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8789", value_name = "ADDR")]
    listen: SocketAddr,
    /// Where workerd's binding protocol is spoken. It has no authentication: keep it on loopback.
    #[arg(long, default_value = "127.0.0.1:8790", value_name = "ADDR")]
    binding_listen: SocketAddr,
    /// The account in the paths of the API.
    #[arg(long, default_value = "00000000000000000000000000000000", value_name = "ID")]
    account_id: String,
    /// Queues to make when they are missing. May be given several times.
    #[arg(long = "queue", default_value = "tidegate", value_name = "NAME")]
    queues: Vec<String>,
    /// The bearer token clients must give. Better in the environment than on the command line.
    #[arg(long, env = "TIDEGATE_QUEUE_TOKEN", hide_env_values = true)]
    token: String,
    /// Switches a behaviour that Cloudflare leaves open, as NAME=VALUE; queue/README.md lists them. May be given
    /// several times.
    #[arg(long = "behavior", value_name = "NAME=VALUE")]
    behaviors: Vec<String>,
    /// Print one JSON object when ready: queue_url, binding_url, account_id, queues (name to id).
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Conform {
    /// What stands before /accounts in the API's paths.
    #[arg(long, default_value = "https://api.cloudflare.com/client/v4", value_name = "URL")]
    base_url: String,
    /// The account.
    #[arg(long, value_name = "ID")]
    account_id: String,
    /// An API token that may read and write queues.
    #[arg(long, env = "TIDEGATE_QUEUE_TOKEN", hide_env_values = true)]
    token: String,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Command, data: &Path) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve(args, data).await.map(|()| ExitCode::SUCCESS),
        Command::Conform(args) => conform(args).await,
    }
}

#[derive(Serialize)]
struct Ready {
    queue_url: String,
    binding_url: String,
    account_id: String,
    queues: std::collections::BTreeMap<String, String>,
}

async fn serve(args: Serve, data: &Path) -> anyhow::Result<()> {
    let options = ServeOptions {
        data_dir: data.join("queue"),
        rest_addr: args.listen,
        binding_addr: args.binding_listen,
        account_id: args.account_id.clone(),
        token: args.token,
        behavior: behavior(&args.behaviors)?,
        queues: args.queues.clone(),
    };
    let server = Server::bind(options).await?;
    let mut queues = std::collections::BTreeMap::new();
    for name in args.queues {
        let id = server.ensure_queue(&name).await.with_context(|| format!("make the queue {name}"))?;
        queues.insert(name, id.to_string());
    }
    let ready = Ready {
        queue_url: server.base_url(),
        binding_url: format!("http://{}", server.binding_addr),
        account_id: args.account_id,
        queues,
    };
    let stopped = super::stopped()?;
    if args.json { super::print_json([&ready]) } else { super::print(&for_people(&ready)) }?;
    server.serve(stopped).await.context("serve the queue")
}

/// The defaults with these switches over them.
fn behavior(switches: &[String]) -> anyhow::Result<Behavior> {
    let mut text = String::new();
    for switch in switches {
        let (name, value) =
            switch.split_once('=').with_context(|| format!("--behavior {switch}: write NAME=VALUE"))?;
        let quotes = if value.parse::<u64>().is_ok() { "" } else { "\"" };
        text.push_str(&format!("{name} = {quotes}{value}{quotes}\n"));
    }
    toml::from_str(&text).context("read --behavior")
}

fn for_people(ready: &Ready) -> String {
    let mut text = format!(
        "the queue is ready; Ctrl-C stops it\n  REST      {}/accounts/{}/queues\n  binding   {}\n",
        ready.queue_url, ready.account_id, ready.binding_url
    );
    for (name, id) in &ready.queues {
        text.push_str(&format!("  queue     {name}  {id}\n"));
    }
    text
}

async fn conform(args: Conform) -> anyhow::Result<ExitCode> {
    let target = conform::Target { base_url: args.base_url, account_id: args.account_id, token: args.token };
    let report = conform::run(&target, |case| {
        if !args.json {
            eprintln!("{case}");
        }
    })
    .await?;
    if args.json { super::print_json([&report]) } else { super::print(&format!("{report}\n")) }?;
    Ok(if report.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
