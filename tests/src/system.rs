//! The system's processes, started as an operator starts them: the built `tidegate`, and nothing inside the
//! test's own process. Knows nothing of what a test is about.

pub mod cli;
pub mod collector;
pub mod database;
pub mod parts;
pub mod process;
pub mod registry;

use crate::edge::root;
use anyhow::{Context as _, ensure};
use cli::Cli;
use process::Process;
use serde_json::Value;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Command;

/// The longest that anything a test waits for may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The user's state, in a test's directory.
const STATE: &str = "state";
/// Says where a host keeps everything.
const STORE_URL: &str = "TIDEGATE_STORE_URL";
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The `tidegate` that was built with the running test or bench.
///
/// # Errors
/// When it is not there; the error says what to type.
pub fn tidegate() -> anyhow::Result<PathBuf> {
    // A bench stands beside it, a test one directory further down.
    let running = std::env::current_exe().context("find the running test")?;
    let built =
        running.ancestors().skip(1).take(2).map(|dir| dir.join("tidegate")).find(|path| path.is_file());
    built.with_context(|| {
        format!("tidegate is not built beside {}; type: cargo xtask build", running.display())
    })
}

/// The directory of the plugin in this language, with its component built.
///
/// # Errors
/// When the component is not there; the error says what to type.
pub fn plugin(language: &str) -> anyhow::Result<PathBuf> {
    let dir = root().join("plugins").join(language);
    let component = dir.join("plugin.wasm");
    ensure!(component.exists(), "{} is missing; type: cargo xtask plugins", component.display());
    Ok(dir)
}

/// A folder `actor` in this directory with the guest that does what its event says, and these lines in its manifest.
///
/// # Errors
/// When the guest is not built; the error says what to type.
pub fn actor(dir: &Path, manifest: &str) -> anyhow::Result<PathBuf> {
    let component = root().join("tests/guests/actor/guest.wasm");
    ensure!(component.exists(), "{} is missing; type: cargo xtask plugins", component.display());
    let dir = dir.join("actor");
    std::fs::create_dir_all(&dir)?;
    std::fs::copy(component, dir.join("plugin.wasm"))?;
    std::fs::write(dir.join("plugin.toml"), format!("name = \"actor\"\nkinds = [\"*\"]\n{manifest}"))?;
    Ok(dir)
}

/// `tidegate` with these arguments: in this directory, with nothing of the operator's own settings but the tools; where a
/// server is named, with the directory's database.
fn command(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> anyhow::Result<Command> {
    let mut command = Command::new(tidegate()?);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let is_setting = name.starts_with("TIDEGATE_") || name.starts_with("OTEL_");
        if is_setting && !["TIDEGATE_WORKERD", "TIDEGATE_TOOLS"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command.current_dir(dir).args(args).env_remove("RUST_LOG");
    command.envs(database::url(dir)?.map(|url| (STORE_URL, url)));
    command.env("XDG_STATE_HOME", dir.join(STATE)).envs(env.iter().copied());
    Ok(command)
}

/// The same for what works on a store: the directory's database is there, unless this environment names another.
fn host(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> anyhow::Result<Command> {
    if env.iter().all(|(name, _)| *name != STORE_URL) {
        database::ensure(dir)?;
    }
    command(dir, args, env)
}

/// The bytes of all that the host in this directory has stored: the values in its database, or its files.
///
/// # Errors
/// When they cannot be read.
pub fn stored(dir: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    if let Some(values) = database::values(dir)? {
        return Ok(values);
    }
    let file = |name| std::fs::read(dir.join("data").join(name));
    let store = file("store.sqlite").context("the store is where it is looked for")?;
    Ok(vec![store, file("store.sqlite-wal").unwrap_or_default()])
}

/// Looks again and again until there is something. An error is nothing yet: what is asked may be starting.
///
/// # Errors
/// When it takes too long; the error says what was waited for, and the last error.
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look().await;
        match seen {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => ensure!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}"),
            Err(error) => {
                if Instant::now() >= deadline {
                    return Err(error.context(format!("waited {PATIENCE:?} in vain until {what}")));
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A running `tidegate dev`. Dropping it kills it.
#[derive(Debug)]
pub struct Dev {
    /// The process.
    pub process: Process,
    /// The line it printed when it was ready.
    pub line: String,
    /// Its command line's other end.
    pub cli: Cli,
    ready: Value,
}

impl Dev {
    /// Starts it on this directory's `data` and waits until it is ready.
    ///
    /// # Errors
    /// When it is not built or does not start: the error holds its log.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(dir, &[]).await
    }

    /// Starts it with more environment.
    ///
    /// # Errors
    /// As [`Dev::start`].
    pub async fn start_with(dir: &Path, env: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_as(dir, &[], env).await
    }

    /// Starts it with more arguments and environment.
    ///
    /// # Errors
    /// As [`Dev::start`].
    pub async fn start_as(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> anyhow::Result<Self> {
        let build = root().join("worker/build");
        let build = build.to_str().context("the repository's path is UTF-8")?;
        ensure!(
            Path::new(build).join("index.js").exists(),
            "{build}/index.js is missing; type: cargo xtask edge"
        );
        let mut command = host(dir, &["dev", "--json", "--data", "data"], env)?;
        command.args(args);
        command.env("TIDEGATE_DEV_WORKER_BUILD", build);
        let mut process = Process::start("tidegate dev", command, &dir.join("dev.log"))?;
        let line = process.line().await?;
        let ready = serde_json::from_str(&line).context("read what tidegate dev printed")?;
        Ok(Self { process, line, cli: Cli::new(dir), ready })
    }

    /// What it said when it was ready; empty when it did not say that.
    #[must_use]
    pub fn ready(&self, key: &str) -> &str {
        self.ready.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Where its queue's REST API has the queue.
    #[must_use]
    pub fn queue(&self, path: &str) -> String {
        let (url, account, queue) =
            (self.ready("queue_url"), self.ready("account_id"), self.ready("queue_id"));
        format!("{url}/accounts/{account}/queues/{queue}{path}")
    }
}

/// A running `tidegate queue serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Queue {
    /// The process.
    pub process: Process,
    /// The ids of its queues.
    pub ids: Vec<String>,
}

/// Where a [`Queue`] is, each time it is started.
#[derive(Clone, Copy, Debug)]
pub struct QueuePlace<'a> {
    /// The directory whose `data` it keeps.
    pub dir: &'a Path,
    /// Its port for REST.
    pub rest_port: u16,
    /// Its port for the binding protocol.
    pub binding_port: u16,
    /// The name of its queue.
    pub name: &'a str,
    /// Its bearer token.
    pub token: &'a str,
}

impl Queue {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it is not built or does not start: the error holds its log.
    pub async fn start(place: QueuePlace<'_>) -> anyhow::Result<Self> {
        Self::start_with(place, &[]).await
    }

    /// The id of its first queue.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.ids[0]
    }

    /// Starts it with queues of these names beside its first.
    ///
    /// # Errors
    /// As [`Queue::start`].
    pub async fn start_with(place: QueuePlace<'_>, more: &[String]) -> anyhow::Result<Self> {
        let (rest, binding) = (local(place.rest_port), local(place.binding_port));
        let args = ["queue", "serve", "--json", "--data", "data", "--listen", &rest];
        let mut command = command(place.dir, &args, &[("TIDEGATE_QUEUE_TOKEN", place.token)])?;
        command.args(["--binding-listen", &binding]);
        let names: Vec<&str> = std::iter::once(place.name).chain(more.iter().map(String::as_str)).collect();
        command.args(names.iter().flat_map(|name| ["--queue", name]));
        let mut process = Process::start("tidegate queue serve", command, &place.dir.join("queue.log"))?;
        let ready: Value =
            serde_json::from_str(&process.line().await?).context("read what the queue printed")?;
        let id = |name: &&str| {
            let id = ready.pointer(&format!("/queues/{name}")).and_then(Value::as_str);
            id.map(str::to_owned).context("the queue says its id")
        };
        let ids = names.iter().map(id).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { process, ids })
    }
}

/// Starts a `tidegate run` on this directory's `data`. It is not waited for: nothing tells but its admin API.
///
/// # Errors
/// When it is not built.
pub fn start_run(dir: &Path, env: &[(&str, &str)]) -> anyhow::Result<Process> {
    start_run_of(None, dir, env)
}

/// As [`start_run`], of another release where its executable is named.
///
/// # Errors
/// As [`start_run`].
pub fn start_run_of(program: Option<&Path>, dir: &Path, env: &[(&str, &str)]) -> anyhow::Result<Process> {
    let run = host(dir, &["run", "--data", "data"], env)?;
    let program = program.map_or_else(|| run.as_std().get_program(), Path::as_os_str);
    // A limit on the size of files then fails a write, as a full disk does, instead of ending the process.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    shell.arg(program).args(run.as_std().get_args()).current_dir(dir);
    shell.env_clear().envs(std::env::vars_os());
    for (name, value) in run.as_std().get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Process::start("tidegate run", shell, &dir.join("run.log"))
}

/// Starts any of its commands in this directory, for one that does not end by itself.
///
/// # Errors
/// When it is not built.
pub fn start(dir: &Path, args: &[&str]) -> anyhow::Result<Process> {
    Process::start("tidegate", command(dir, args, &[])?, &dir.join("command.log"))
}

/// An address of this machine.
#[must_use]
pub fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// A free port that stays free while its process is dead: it is below those that outgoing connections get.
///
/// # Errors
/// When none is found.
pub fn lasting_port() -> anyhow::Result<u16> {
    let free = (0..100)
        .map(|_| fastrand::u16(10_000..30_000))
        .find(|port| std::net::TcpListener::bind(local(*port)).is_ok());
    free.context("no free port was found")
}
