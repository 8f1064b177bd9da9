//! The system in its three processes, each at the same place in all of its lives: the embedded queue, the edge under
//! workerd, the host. Any of them can be killed.

use super::cli::Cli;
use super::process::Process;
use super::{Queue, QueuePlace, lasting_port, local, until};
use crate::edge::{HOST_TOKEN, QUEUE, SOURCE, TOKEN, live_path, root};
use anyhow::{Context as _, ensure};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate::dev::workerd::{QueueBinding, Workerd, WorkerdOptions};
use tidegate_toolchain::tool;

/// The queue's bearer token.
const QUEUE_TOKEN: &str = "queue-horse-battery";
/// The account it plays.
const ACCOUNT: &str = "00000000000000000000000000000000";

/// What can be killed.
#[derive(Clone, Copy, Debug)]
pub enum Victim {
    /// The embedded queue.
    Queue,
    /// The Worker under workerd.
    Edge,
    /// The host.
    Host,
}

/// The three processes, each at the same place in all of its lives.
#[derive(Debug)]
pub struct Parts {
    dir: TempDir,
    ports: [u16; 3],
    queue: Option<Queue>,
    /// The queues beside the first.
    more: Vec<String>,
    queue_ids: Vec<String>,
    edge: Option<Workerd>,
    host: Option<Process>,
    host_env: Vec<(String, String)>,
    /// The host's command line.
    pub cli: Cli,
    /// How often the queue, the edge and the host were killed.
    pub kills: [usize; 3],
}

impl Parts {
    /// Starts them all, the host with more environment.
    ///
    /// # Errors
    /// When something is not built or does not start.
    pub async fn start(host_env: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut parts = Self::start_without_host(host_env, 1).await?;
        parts.start_host()?;
        Ok(parts)
    }

    /// Starts so many queues, in one process, and the edge. This is the environment of the hosts that are started beside them.
    ///
    /// # Errors
    /// As [`Parts::start`].
    pub async fn start_without_host(host_env: &[(&str, &str)], queues: usize) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("make a folder")?;
        for name in ["queue", "host"] {
            std::fs::create_dir(dir.path().join(name))?;
        }
        let mut parts = Self {
            ports: [lasting_port()?, lasting_port()?, lasting_port()?],
            queue: None,
            more: (1..queues).map(|n| format!("{QUEUE}-{n}")).collect(),
            queue_ids: Vec::new(),
            edge: None,
            host: None,
            host_env: host_env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            cli: Cli::new(&dir.path().join("host")),
            kills: [0; 3],
            dir,
        };
        parts.start_queue().await?;
        parts.start_edge().await?;
        Ok(parts)
    }

    /// The folder of one of them.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the sender posts.
    #[must_use]
    pub fn request_url(&self) -> String {
        format!("http://{}{}", local(self.ports[2]), live_path())
    }

    async fn start_queue(&mut self) -> anyhow::Result<()> {
        let [rest_port, binding_port, _] = self.ports;
        let dir = self.path("queue");
        let place = QueuePlace { dir: &dir, rest_port, binding_port, name: QUEUE, token: QUEUE_TOKEN };
        let queue = Queue::start_with(place, &self.more).await?;
        ensure!(self.queue_ids.is_empty() || self.queue_ids == queue.ids, "a queue keeps its id");
        self.queue_ids.clone_from(&queue.ids);
        self.queue = Some(queue);
        Ok(())
    }

    async fn start_edge(&mut self) -> anyhow::Result<()> {
        let [_, binding_port, edge_port] = self.ports;
        let addr = SocketAddr::from(([127, 0, 0, 1], binding_port));
        let names = std::iter::once(QUEUE).chain(self.more.iter().map(String::as_str));
        let queues: Vec<_> = names.map(|name| QueueBinding { addr, name }).collect();
        self.edge = Some(
            Workerd::start(WorkerdOptions {
                binary: &tool::find("workerd")?,
                worker_build_dir: &root().join("worker/build"),
                listen: SocketAddr::from(([127, 0, 0, 1], edge_port)),
                queues: &queues,
                sources: &json!({ SOURCE: [TOKEN] }).to_string(),
                host_token: HOST_TOKEN,
                body_bytes_max: None,
                dir: &self.path("edge"),
            })
            .await?,
        );
        Ok(())
    }

    fn start_host(&mut self) -> anyhow::Result<()> {
        self.host = Some(self.start_host_in(&self.path("host"))?);
        Ok(())
    }

    /// Starts a host in this directory, beside any other.
    ///
    /// # Errors
    /// When it is not built.
    pub fn start_host_in(&self, dir: &Path) -> anyhow::Result<Process> {
        self.start_host_with(dir, None, &[])
    }

    /// As [`Parts::start_host_in`], with more environment, and of the release whose executable is named.
    ///
    /// # Errors
    /// As [`Parts::start_host_in`].
    pub fn start_host_with(
        &self,
        dir: &Path,
        program: Option<&Path>,
        more: &[(&str, &str)],
    ) -> anyhow::Result<Process> {
        let more_ids = toml::Value::from(self.queue_ids[1..].to_vec()).to_string();
        let queue = self.queues_url_at(self.ports[0]);
        let mut env = vec![
            ("TIDEGATE_QUEUE_BASE_URL", queue.as_str()),
            ("TIDEGATE_QUEUE_ACCOUNT_ID", ACCOUNT),
            ("TIDEGATE_QUEUE_QUEUE_ID", &self.queue_ids[0]),
            ("TIDEGATE_QUEUE_MORE_QUEUE_IDS", &more_ids),
            ("TIDEGATE_QUEUE_TOKEN", QUEUE_TOKEN),
            // What a dead host held comes back soon, and a dead queue is asked again soon.
            ("TIDEGATE_QUEUE_VISIBILITY_TIMEOUT_MS", "2000"),
            ("TIDEGATE_PUMP_POLL_IDLE_MS", "500"),
            ("TIDEGATE_EXECUTOR_ALLOW_LOOPBACK", "true"),
        ];
        env.extend(self.host_env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        env.extend(more);
        super::start_run_of(program, dir, &env)
    }

    /// Where the queues are.
    #[must_use]
    pub fn queues_addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[0]))
    }

    /// What a host is told of them, by way of this port.
    #[must_use]
    pub fn queues_url_at(&self, port: u16) -> String {
        format!("http://{}/client/v4", local(port))
    }

    /// The host's process.
    ///
    /// # Errors
    /// When it has none.
    pub fn host(&self) -> anyhow::Result<&Process> {
        self.host.as_ref().context("the host runs")
    }

    /// `kill -9`, and a new one at the same place.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn kill_and_restart(&mut self, victim: Victim) -> anyhow::Result<()> {
        let (place, gone) = match victim {
            Victim::Queue => (0, "the queue"),
            Victim::Edge => (1, "the edge"),
            Victim::Host => (2, "the host"),
        };
        self.kills[place] += 1;
        match victim {
            Victim::Queue => {
                self.queue.take().context(gone)?.process.kill().await?;
                self.start_queue().await
            }
            Victim::Edge => {
                // `kill -9`, and waits until it is gone.
                self.edge.take().context(gone)?.stop().await?;
                self.start_edge().await
            }
            Victim::Host => {
                self.host.take().context(gone)?.kill().await?;
                self.start_host()
            }
        }
    }

    /// Waits until the host has taken all that was queued.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn until_the_queue_is_empty(&self) -> anyhow::Result<()> {
        let base = local(self.ports[0]);
        let client = reqwest::Client::builder().no_proxy().build()?;
        until("the queues are empty", async || {
            let mut all = 0;
            for id in &self.queue_ids {
                let url = format!("http://{base}/client/v4/accounts/{ACCOUNT}/queues/{id}/metrics");
                let answer = client.get(&url).bearer_auth(QUEUE_TOKEN).send().await?.error_for_status()?;
                let metrics: serde_json::Value = answer.json().await?;
                let backlog = metrics.pointer("/result/backlog_count").and_then(serde_json::Value::as_u64);
                all += backlog.context("the backlog is counted")?;
            }
            Ok((all == 0).then_some(()))
        })
        .await
    }
}
