//! `tidegate run`: a host in production.

use crate::assembly::{Host, HostParts, Secrets};
use anyhow::Context as _;
use std::path::Path;
use tidegate::config::Config;
use tidegate::queue::rest::{RestQueue, RestQueueConfig, Token};
use tidegate::retention::Retention;

#[derive(clap::Args)]
#[command(after_help = "\
Set queue.account_id and queue.queue_id in tidegate.toml (or TIDEGATE_QUEUE_ACCOUNT_ID and TIDEGATE_QUEUE_QUEUE_ID), and \
TIDEGATE_QUEUE_TOKEN in the environment: an API token that may read and write queues. Set edge.url and TIDEGATE_EDGE_TOKEN, \
too: without them the host cannot warn before the sender stops delivering.")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, config: &Config, data: &Path) -> anyhow::Result<()> {
    let token = std::env::var("TIDEGATE_QUEUE_TOKEN")
        .context("set TIDEGATE_QUEUE_TOKEN to an API token that may read and write queues")?;
    let first = set(&config.queue.queue_id, "queue.queue_id")?;
    let queues = std::iter::once(&first).chain(&config.queue.more_queue_ids).map(|queue_id| {
        RestQueue::new(RestQueueConfig {
            base_url: config.queue.base_url.clone(),
            account_id: set(&config.queue.account_id, "queue.account_id")?,
            queue_id: queue_id.clone(),
            token: Token::new(&token),
            visibility_timeout_ms: config.queue.visibility_timeout_ms,
            batch_max: config.queue.batch_max,
        })
    });
    let queues = queues.collect::<anyhow::Result<Vec<_>>>()?;
    let retention = Retention::new(&config.retention)?;
    let parts = HostParts { queues, secrets: Secrets::from_env(config)?, own: Vec::new(), retention };
    let mut host = Host::start(config, data, parts).await?;
    let stopped = super::stopped()?;
    tracing::info!(queue = config.queue.queue_id, admin = host.admin.url, "the host is at work");
    tokio::select! {
        () = stopped => {}
        error = host.failed() => return Err(error),
    }
    tracing::info!("stopping: finishing what was pulled");
    host.stop().await;
    Ok(())
}

fn set(value: &str, key: &str) -> anyhow::Result<String> {
    anyhow::ensure!(!value.is_empty(), "set {key} in tidegate.toml: `tidegate config` explains it");
    Ok(value.to_owned())
}
