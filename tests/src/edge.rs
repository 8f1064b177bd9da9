//! The built Worker under workerd, in a folder of its own.

use anyhow::Context as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate::dev::tool;
use tidegate::dev::workerd::{Workerd, WorkerdOptions};

/// The source every test posts to.
pub const SOURCE: &str = "amj";
/// Its token.
pub const TOKEN: &str = "correct-horse-battery";
/// The token it had before: both are live while one is rotated.
pub const TOKEN_BEFORE: &str = "previous-horse-battery";
/// The queue's name.
pub const QUEUE: &str = "events";

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A running Worker.
#[derive(Debug)]
pub struct Edge {
    /// The process.
    pub workerd: Workerd,
    dir: TempDir,
}

impl Edge {
    /// Starts the built Worker in front of a queue.
    ///
    /// # Errors
    /// When the Worker is not built, workerd is not there, or does not start; the error says what to type.
    pub async fn start(queue: SocketAddr) -> anyhow::Result<Self> {
        let sources = [(SOURCE.to_owned(), vec![TOKEN.to_owned(), TOKEN_BEFORE.to_owned()])];
        Self::start_with(&root().join("worker/build"), queue, &sources).await
    }

    /// Starts any Worker with any sources.
    ///
    /// # Errors
    /// As [`Edge::start`].
    pub async fn start_with(
        build: &Path,
        queue: SocketAddr,
        sources: &[(String, Vec<String>)],
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("make a folder")?;
        let workerd = Workerd::start(WorkerdOptions {
            binary: &tool::find("workerd")?,
            worker_build_dir: build,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            queue_binding: queue,
            queue_name: QUEUE,
            sources,
            dir: dir.path(),
        })
        .await?;
        Ok(Self { workerd, dir })
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

/// The live source's path.
#[must_use]
pub fn live_path() -> String {
    format!("/in/{SOURCE}/{TOKEN}")
}
