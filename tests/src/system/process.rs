//! One child process with its log. Knows nothing of what it does.

use super::PATIENCE;
use anyhow::{Context as _, bail, ensure};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says on standard error is added to the log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let stderr: File = OpenOptions::new().create(true).append(true).open(log).context("open the log")?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let stdout = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
        Ok(Self { name: name.to_owned(), child, stdout, log: log.to_owned() })
    }

    /// The next line it prints.
    ///
    /// # Errors
    /// When it ends or stays silent: the error holds its log.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        match timeout(PATIENCE, self.stdout.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            silent => bail!("{} printed nothing ({silent:?}); its log:\n{}", self.name, self.log()?),
        }
    }

    /// What it said on standard error, in all of its lives with the same log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        std::fs::read_to_string(&self.log).context("read the log")
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn id(&self) -> anyhow::Result<u32> {
        self.child.id().with_context(|| format!("{} has ended", self.name))
    }

    /// How it ended, where it has.
    ///
    /// # Errors
    /// When that cannot be learned.
    pub fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("look after {}", self.name))
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// When it ended before by itself.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.has_ended()? {
            bail!("{} ended by itself ({status}); its log:\n{}", self.name, self.log()?);
        }
        self.child.kill().await.with_context(|| format!("kill {}", self.name))
    }

    /// Sends it a signal by name.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(self.id()?, name).await
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        let waited = timeout(PATIENCE, self.child.wait()).await;
        waited.with_context(|| format!("{} does not end", self.name))?.context("wait for a process")
    }
}

/// Sends a signal to any process.
///
/// # Errors
/// When there is no such process.
pub async fn signal(process_id: u32, name: &str) -> anyhow::Result<()> {
    let done = Command::new("kill").args([&format!("-{name}"), &process_id.to_string()]).status().await;
    ensure!(done.context("run kill")?.success(), "no process {process_id} to send {name} to");
    Ok(())
}

/// The processes whose command line has this text and that work in this directory, as `/proc` lists them.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn processes_with(text: &str, dir: &Path) -> anyhow::Result<Vec<u32>> {
    let dir = dir.canonicalize().context("find the directory")?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context("read /proc")? {
        let entry = entry.context("read /proc")?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended since has neither.
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let works_in = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if works_in == dir && String::from_utf8_lossy(&line).contains(text) {
            found.push(id);
        }
    }
    Ok(found)
}
