//! A real OCI registry on this machine: the CNCF's Distribution. Knows nothing of plugins.

use super::process::Process;
use super::{lasting_port, local, until};
use anyhow::{Context as _, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate_toolchain::tool;
use tokio::process::Command;

/// A running registry. Dropping it kills it.
#[derive(Debug)]
pub struct Registry {
    /// Its host with its port.
    pub host: String,
    dir: TempDir,
    _process: Process,
}

impl Registry {
    /// Starts one that everybody may use.
    ///
    /// # Errors
    /// When it is not on this machine, the error says what to type; or when it does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(|_| Ok(String::new())).await
    }

    /// Starts one with more in its configuration, which may name files that are written into the folder first.
    ///
    /// # Errors
    /// As [`Registry::start`].
    pub async fn start_with(more: impl Fn(&Path) -> anyhow::Result<String>) -> anyhow::Result<Self> {
        let (dir, port) = (tempfile::tempdir()?, lasting_port()?);
        let (host, kept) = (local(port), dir.path().join("kept"));
        let file = dir.path().join("config.yml");
        let config = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {host}}}\n{}\n",
            kept.display(),
            more(dir.path())?
        );
        fs::write(&file, config)?;
        let mut command = Command::new(tool::find("docker-registry")?);
        command.arg("serve").arg(&file).current_dir(dir.path());
        let process = Process::start("docker-registry", command, &dir.path().join("log"))?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://{host}/v2/");
        until("the registry answers", async || {
            Ok([200, 401].contains(&client.get(&url).send().await?.status().as_u16()).then_some(()))
        })
        .await?;
        Ok(Self { host, dir, _process: process })
    }

    /// How a plugin there is written.
    #[must_use]
    pub fn at(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.host)
    }

    /// The file that holds what has this SHA-256.
    ///
    /// # Errors
    /// When the registry does not keep it.
    pub fn file(&self, sha256: &str) -> anyhow::Result<PathBuf> {
        let first = sha256.get(..2).context("a SHA-256 is longer")?;
        let blobs = self.dir.path().join("kept/docker/registry/v2/blobs/sha256");
        let file = blobs.join(first).join(sha256).join("data");
        ensure!(file.is_file(), "{} is not there", file.display());
        Ok(file)
    }
}
