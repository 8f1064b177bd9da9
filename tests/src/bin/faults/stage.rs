//! The system under fault, each part as an operator runs it: the queue, the Worker under workerd, the host with a
//! plugin. Knows nothing of what is sent.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidegate::store::EventRow;
use tidegate_source::status::Status;
use tidegate_tests::bench;
use tidegate_tests::edge::{Edge, HOST_TOKEN, QUEUE};
use tidegate_tests::fault::FaultProxy;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::process::Process;
use tidegate_tests::system::{self, Queue, QueuePlace, lasting_port, local, until};

/// The queue's bearer token.
const QUEUE_TOKEN: &str = "queue-horse-battery";
/// The account it plays.
const ACCOUNT: &str = "00000000000000000000000000000000";
/// Where the operator is told.
const ALERTS_PATH: &str = "/alerts";
/// The longest that draining may take: a queue that hung is found well again by the vault within a minute.
const DRAIN_MAX: Duration = Duration::from_secs(240);
/// Between two looks at what is left.
const LOOK: Duration = Duration::from_millis(250);

/// All parts, running.
pub(crate) struct Stage {
    /// Between the Worker and the queue.
    pub(crate) proxy: FaultProxy,
    /// The Worker.
    pub(crate) edge: Edge,
    /// Where notices and alerts arrive.
    receiver: Receiver,
    /// The host's commands.
    pub(crate) cli: Cli,
    queue: Option<Queue>,
    queue_dir: PathBuf,
    rest_port: u16,
    binding_port: u16,
    client: reqwest::Client,
    _host: Process,
    _dir: TempDir,
}

impl Stage {
    /// Starts them and deploys `plugins/rust`.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let dir = bench::data_dir()?;
        let (queue_dir, host_dir) = (dir.path().join("queue"), dir.path().join("host"));
        for part in [&queue_dir, &host_dir] {
            std::fs::create_dir(part).context("make a folder")?;
        }
        let (rest_port, binding_port) = (lasting_port()?, lasting_port()?);
        let queue = start_queue(&queue_dir, rest_port, binding_port).await?;
        let upstream = SocketAddr::from(([127, 0, 0, 1], binding_port));
        let proxy = FaultProxy::start(lasting_port()?, upstream).await?;
        let edge = Edge::start(proxy.addr()).await?;
        let receiver = Receiver::start().await?;
        let place = HostPlace { dir: &host_dir, rest_port, queue_id: queue.id() };
        let host = start_host(place, &edge.url(""), &receiver.url(ALERTS_PATH))?;
        let cli = Cli::new(&host_dir);
        until("the host answers", async || Ok(Some(cli.plugins().await?))).await?;
        cli.deploy(&system::plugin("rust")?, &receiver.url("/notices")).await?;
        Ok(Self {
            proxy,
            edge,
            receiver,
            cli,
            queue: Some(queue),
            queue_dir,
            rest_port,
            binding_port,
            client: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?,
            _host: host,
            _dir: dir,
        })
    }

    /// `kill -9` of the queue.
    pub(crate) async fn kill_queue(&mut self) -> anyhow::Result<()> {
        self.queue.take().context("the queue runs")?.process.kill().await
    }

    /// Starts the queue again where it was.
    pub(crate) async fn restart_queue(&mut self) -> anyhow::Result<()> {
        self.queue = Some(start_queue(&self.queue_dir, self.rest_port, self.binding_port).await?);
        Ok(())
    }

    /// The types of the alerts that arrived, in their order.
    pub(crate) fn alerts(&self) -> anyhow::Result<Vec<String>> {
        let alerts = self.receiver.notices().into_iter().filter(|notice| notice.path == ALERTS_PATH);
        alerts
            .map(|alert| {
                let payload: Value = serde_json::from_slice(&alert.body).context("read an alert")?;
                payload.get("type").and_then(Value::as_str).map(str::to_owned).context("an alert has a type")
            })
            .collect()
    }

    /// The notices that arrived.
    pub(crate) fn notices(&self) -> usize {
        self.receiver.notices().iter().filter(|notice| notice.path != ALERTS_PATH).count()
    }

    /// What the edge says of its sources.
    pub(crate) async fn status(&self) -> anyhow::Result<Status> {
        let request = self.client.get(self.edge.url("/status")).bearer_auth(HOST_TOKEN);
        let answer = request.send().await.context("ask the edge for its status")?;
        ensure!(answer.status() == 200, "the edge answers {} to GET /status", answer.status());
        answer.json().await.context("read the edge's status")
    }

    /// Waits until vault and queue are empty and the host has nothing before it; gives all events.
    pub(crate) async fn drained(&self) -> anyhow::Result<Vec<EventRow>> {
        let deadline = Instant::now() + DRAIN_MAX;
        loop {
            let left = self.left().await;
            if let Ok((0, 0)) = left {
                let events = self.cli.events().await?;
                let waits = |event: &EventRow| {
                    event.state == "waiting" || event.effects.iter().any(|effect| effect.state == "waiting")
                };
                let waiting = events.iter().filter(|event| waits(event)).count();
                if waiting == 0 {
                    return Ok(events);
                }
                ensure!(Instant::now() < deadline, "{waiting} events still wait after {DRAIN_MAX:?}");
            } else {
                ensure!(Instant::now() < deadline, "vault and queue still hold {left:?} after {DRAIN_MAX:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What the vault holds for the queue, and what the queue holds for the host.
    async fn left(&self) -> anyhow::Result<(u64, u64)> {
        let status = self.status().await?;
        let vaults = status.sources.iter().map(|source| Some(source.vault?.messages));
        let in_vault = vaults.sum::<Option<u64>>().context("every vault says what it holds")?;
        let id = self.queue.as_ref().context("the queue runs")?.id();
        let url =
            format!("http://{}/client/v4/accounts/{ACCOUNT}/queues/{id}/metrics", local(self.rest_port));
        let answer = self.client.get(&url).bearer_auth(QUEUE_TOKEN).send().await?.error_for_status()?;
        let metrics: Value = answer.json().await?;
        let in_queue = metrics.pointer("/result/backlog_count").and_then(Value::as_u64);
        Ok((in_vault, in_queue.context("the backlog is counted")?))
    }
}

async fn start_queue(dir: &Path, rest_port: u16, binding_port: u16) -> anyhow::Result<Queue> {
    Queue::start(QueuePlace { dir, rest_port, binding_port, name: QUEUE, token: QUEUE_TOKEN }).await
}

/// Where a host works.
struct HostPlace<'a> {
    dir: &'a Path,
    rest_port: u16,
    queue_id: &'a str,
}

fn start_host(place: HostPlace<'_>, edge_url: &str, alerts_url: &str) -> anyhow::Result<Process> {
    let queue = format!("http://{}/client/v4", local(place.rest_port));
    let env = [
        ("TIDEGATE_QUEUE_BASE_URL", queue.as_str()),
        ("TIDEGATE_QUEUE_ACCOUNT_ID", ACCOUNT),
        ("TIDEGATE_QUEUE_QUEUE_ID", place.queue_id),
        ("TIDEGATE_QUEUE_TOKEN", QUEUE_TOKEN),
        ("TIDEGATE_EDGE_URL", edge_url),
        ("TIDEGATE_EDGE_TOKEN", HOST_TOKEN),
        ("TIDEGATE_EDGE_POLL_MS", "500"),
        ("TIDEGATE_ALERTS_URL", alerts_url),
        ("TIDEGATE_ALERTS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        // A queue that was dead is asked again soon.
        ("TIDEGATE_PUMP_POLL_IDLE_MS", "500"),
        ("TIDEGATE_EXECUTOR_ALLOW_LOOPBACK", "true"),
    ];
    system::start_run(place.dir, &env)
}
