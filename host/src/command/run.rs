//! `tidegate run`: a host in production.

use super::notify;
use crate::assembly::{Host, HostParts, Secrets};
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::Path;
use tidegate::config::Config;
use tidegate::config::reload::{self, Changed};
use tidegate::queue::rest::{RestQueue, RestQueueConfig, Token};
use tidegate::retention::Retention;
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args)]
#[command(after_help = "\
Set queue.account_id and queue.queue_id in tidegate.toml (or TIDEGATE_QUEUE_ACCOUNT_ID and TIDEGATE_QUEUE_QUEUE_ID), and \
TIDEGATE_QUEUE_TOKEN in the environment: an API token that may read and write queues. Set edge.url and TIDEGATE_EDGE_TOKEN, \
too: without them the host cannot warn before the sender stops delivering.\n\n\
SIGTERM and Ctrl-C finish what was pulled. SIGHUP reads tidegate.toml anew: what is too much ([alerts]) holds at once, of all \
else the log says that it holds from the next start; a file that cannot be read changes nothing.")]
pub(crate) struct Args {}

/// `load` reads the configuration: at the start, and whenever the operator says so.
pub(crate) async fn run(
    _: Args,
    load: impl Fn() -> anyhow::Result<Config>,
    data: &Path,
) -> anyhow::Result<()> {
    let config = &load()?;
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
    let secrets = Secrets::from_env(config)?;
    let parts = HostParts { queues, secrets, own: Vec::new(), retention, request_urls: BTreeMap::new() };
    let mut host = Host::start(config, data, parts).await?;
    let stopped = super::stopped()?;
    tokio::pin!(stopped);
    let mut hangup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    tracing::info!(queue = config.queue.queue_id, admin = host.admin.url, "the host is at work");
    notify::tell(notify::READY);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            error = host.failed() => return Err(error),
            _ = hangup.recv() => match load() {
                Ok(next) => take_over(&host, config, &next),
                Err(error) => tracing::error!("kept the configuration as it was, the new one cannot be read: {error:#}"),
            },
        }
    }
    notify::tell(notify::STOPPING);
    tracing::info!("stopping: finishing what was pulled");
    host.stop().await;
    Ok(())
}

/// Has the host go on by another configuration than it was started with, as far as it can while it is at work.
fn take_over(host: &Host, started: &Config, next: &Config) {
    let Changed { at_once, at_start } = reload::changed(started, next);
    host.reload(next);
    tracing::info!(other_than_at_start = at_once.join(", "), "read the configuration anew");
    if !at_start.is_empty() {
        tracing::warn!(
            "these keys are other than at the start, too, and hold from the next start: {}",
            at_start.join(", ")
        );
    }
}

fn set(value: &str, key: &str) -> anyhow::Result<String> {
    anyhow::ensure!(!value.is_empty(), "set {key} in tidegate.toml: `tidegate config` explains it");
    Ok(value.to_owned())
}
