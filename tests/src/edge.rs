//! The built Worker under workerd, in a folder of its own.

use anyhow::Context as _;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate::dev::workerd::{QueueBinding, Workerd, WorkerdOptions};
use tidegate_toolchain::tool;

/// The source every test posts to.
pub const SOURCE: &str = "amj";
/// Its token.
pub const TOKEN: &str = "correct-horse-battery-staple";
/// The token it had before: both are live while one is rotated.
pub const TOKEN_BEFORE: &str = "previous-horse-battery-staple";
/// The host's token.
pub const HOST_TOKEN: &str = "host-horse-battery-staple";
/// The queue's name.
pub const QUEUE: &str = "events";

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What an edge is started with, where a test wants something else than the usual.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// Where the Worker is.
    pub build: PathBuf,
    /// Where its queues are, each with its name.
    pub queues: Vec<(SocketAddr, String)>,
    /// The secret `SOURCES`.
    pub sources: String,
    /// The variable `BODY_BYTES_MAX`.
    pub body_bytes_max: Option<u64>,
}

impl EdgeOptions {
    /// The built Worker in front of one queue, with [`SOURCE`].
    #[must_use]
    pub fn usual(queue: SocketAddr) -> Self {
        Self {
            build: root().join("worker/build"),
            queues: vec![(queue, QUEUE.to_owned())],
            sources: json!({ SOURCE: [TOKEN, TOKEN_BEFORE] }).to_string(),
            body_bytes_max: None,
        }
    }
}

/// A running Worker.
#[derive(Debug)]
pub struct Edge {
    /// The process.
    pub workerd: Workerd,
    dir: TempDir,
    options: EdgeOptions,
}

impl Edge {
    /// Starts the built Worker in front of a queue.
    ///
    /// # Errors
    /// When the Worker is not built, workerd is not there, or does not start; the error says what to type.
    pub async fn start(queue: SocketAddr) -> anyhow::Result<Self> {
        Self::start_with(EdgeOptions::usual(queue)).await
    }

    /// Starts any Worker with any sources.
    ///
    /// # Errors
    /// As [`Edge::start`].
    pub async fn start_with(options: EdgeOptions) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("make a folder")?;
        let workerd = run(&options, dir.path(), SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        Ok(Self { workerd, dir, options })
    }

    /// Kills it with -9.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill(self) -> anyhow::Result<Killed> {
        let addr = self.workerd.addr();
        self.workerd.stop().await?;
        Ok(Killed { addr, dir: self.dir, options: self.options })
    }

    /// The folder with its configuration.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A URL on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.workerd.addr())
    }

    /// The live source's URL.
    #[must_use]
    pub fn live_url(&self) -> String {
        self.url(&live_path())
    }
}

/// A Worker that was killed; its folder is still there.
#[derive(Debug)]
pub struct Killed {
    addr: SocketAddr,
    dir: TempDir,
    options: EdgeOptions,
}

impl Killed {
    /// Starts it again where it was.
    ///
    /// # Errors
    /// As [`Edge::start`].
    pub async fn start(self) -> anyhow::Result<Edge> {
        let workerd = run(&self.options, self.dir.path(), self.addr).await?;
        Ok(Edge { workerd, dir: self.dir, options: self.options })
    }
}

async fn run(options: &EdgeOptions, dir: &Path, listen: SocketAddr) -> anyhow::Result<Workerd> {
    let queues = options.queues.iter().map(|(addr, name)| QueueBinding { addr: *addr, name });
    Workerd::start(WorkerdOptions {
        binary: &tool::find("workerd")?,
        worker_build_dir: &options.build,
        listen,
        queues: &queues.collect::<Vec<_>>(),
        sources: &options.sources,
        host_token: HOST_TOKEN,
        body_bytes_max: options.body_bytes_max,
        dir,
    })
    .await
}

/// The live source's path.
#[must_use]
pub fn live_path() -> String {
    format!("/in/{SOURCE}/{TOKEN}")
}
