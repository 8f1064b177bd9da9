//! `tidegate alert`: what the operator was told, and whether telling works.

use super::nearby::Place;
use anyhow::{Context as _, bail};
use tidegate::alert::sender::Target;
use tidegate::config::Config;
use tidegate_envelope::SourceName;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// What the operator was told, and whether it was sent.
    List {
        /// About which source.
        #[arg(long, value_name = "NAME", value_parser = SourceName::new)]
        source: Option<SourceName>,
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Send a signed test alert to alerts.url, and say what came back.
    #[command(after_help = "\
It is sent from here, once, by the same code and with the same signature as a host's alerts, and is not recorded. Set \
alerts.url in tidegate.toml and TIDEGATE_ALERTS_SECRET in the environment, as the host has them.")]
    Test {
        /// One JSON object: id, status, took_ms, body.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: Command, config: &Config, host: &Place) -> anyhow::Result<()> {
    match command {
        Command::List { source, json } => super::source::list::alerts(source.as_ref(), json, host).await,
        Command::Test { json } => test(config, json).await,
    }
}

async fn test(config: &Config, json: bool) -> anyhow::Result<()> {
    if config.alerts.url.is_empty() {
        bail!(
            "alerts.url is not set in tidegate.toml: nobody is told anything. `tidegate config` explains it"
        );
    }
    let secret = super::variable("TIDEGATE_ALERTS_SECRET");
    let target = Target::new(&config.alerts.url, secret.as_deref())?;
    let reply = target.test(crate::assembly::now_ms()).await.context("send the test alert")?;
    if json {
        super::print_json([&reply])?;
    } else {
        let body = if reply.body.is_empty() { "nothing" } else { &reply.body };
        super::print(&format!(
            "sent {}\nanswered {} in {} ms, with {body}\n",
            reply.id, reply.status, reply.took_ms
        ))?;
    }
    if !(200..300).contains(&reply.status) {
        let hint = match reply.status {
            401 | 403 => ": does the receiver know TIDEGATE_ALERTS_SECRET, and is its clock right?",
            404 | 405 => ": is alerts.url the receiver's whole URL?",
            300..=399 => ": redirects are not followed, set alerts.url to where it leads",
            _ => "",
        };
        bail!("the receiver answered {}, which is no 2xx{hint}", reply.status);
    }
    Ok(())
}
