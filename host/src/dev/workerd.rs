//! The built Worker under plain workerd: writes its configuration, runs it as a child process.
//! Knows nothing of the Worker's code, and of the queue only where it listens.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// The longest workerd may take until it listens. It takes a tenth of a second.
const START_MS_MAX: u64 = 20_000;

/// Lines of workerd's own words kept for the error when it does not start.
const START_LINES_MAX: usize = 40;

/// The Worker's main module, as `cargo xtask edge` names it.
const MAIN_MODULE: &str = "index.js";

/// How to run the Worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerdOptions<'a> {
    /// The workerd to run: [`tidegate_toolchain::tool::find`]`("workerd")`.
    pub binary: &'a Path,
    /// Where `cargo xtask edge` put the Worker. It is copied, so it may be built again meanwhile.
    pub worker_build_dir: &'a Path,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The queues, as the bindings `QUEUE`, `QUEUE_1`, `QUEUE_2` and so on.
    pub queues: &'a [QueueBinding<'a>],
    /// The Worker's secret `SOURCES`, as JSON text.
    pub sources: &'a str,
    /// The Worker's secret `HOST_TOKEN`.
    pub host_token: &'a str,
    /// The Worker's variable `BODY_BYTES_MAX`: bytes kept of a body; `None` leaves it to the Worker.
    pub body_bytes_max: Option<u64>,
    /// A folder of its own for configuration, modules and what the vaults hold; made when missing. One process at a
    /// time: two of them would share the vaults' files.
    pub dir: &'a Path,
}

/// A queue, as the Worker reaches it.
#[derive(Clone, Copy, Debug)]
pub struct QueueBinding<'a> {
    /// Where it speaks workerd's binding protocol.
    pub addr: SocketAddr,
    /// Goes with each send as `X-Queue`, so that one address can serve several queues.
    pub name: &'a str,
}

impl WorkerdOptions<'_> {
    /// Where the vaults' files are.
    fn vaults_dir(&self) -> PathBuf {
        self.dir.join("vaults")
    }
}

/// A running workerd. Dropping it kills the process.
#[derive(Debug)]
pub struct Workerd {
    child: Child,
    addr: SocketAddr,
    readers: [JoinHandle<()>; 2],
}

impl Workerd {
    /// Starts workerd and waits until it listens.
    ///
    /// # Errors
    /// When the Worker is not built, the configuration cannot be written, or workerd ends or says nothing:
    /// the error holds its last words. Cancel-safe: a half-started process is killed.
    pub async fn start(options: WorkerdOptions<'_>) -> anyhow::Result<Self> {
        let config = write_config(&options)?;
        let mut child = bound_to_parent(options.binary)
            // Its control messages go to standard output, beside what the Worker logs.
            .args(["serve", "--control-fd=1"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", options.binary.display()))?;
        let mut stdout = BufReader::new(child.stdout.take().context("workerd's output")?).lines();
        let mut stderr = BufReader::new(child.stderr.take().context("workerd's errors")?).lines();
        let mut last_words = Vec::new();
        let limit = Duration::from_millis(START_MS_MAX);
        let port =
            tokio::time::timeout(limit, listening_port(&mut stdout, &mut stderr, &mut last_words)).await;
        let Ok(Some(port)) = port else {
            bail!("workerd does not listen on {}:\n{}", options.listen, last_words.join("\n"));
        };
        Ok(Self {
            child,
            addr: SocketAddr::new(options.listen.ip(), port),
            readers: [log_lines(stdout), log_lines(stderr)],
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its process id; `None` once it has ended and was waited for.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends by itself. Cancel-safe.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.context("wait for workerd")
    }

    /// Ends it and waits until it is gone. It holds nothing that could be lost: an event it has not answered
    /// with a 2xx is still its sender's, and what it has, the queue has, or a vault's file.
    ///
    /// # Errors
    /// When the process cannot be ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("stop workerd")?;
        for reader in self.readers {
            reader.await.context("read workerd's last words")?;
        }
        Ok(())
    }
}

/// The command to run a program that the kernel ends when this process does, even by `kill -9`: an orphan would
/// keep the port. Linux has it in `setpriv`; where that is missing, the program runs without.
fn bound_to_parent(binary: &Path) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).map(|dir| dir.join("setpriv")).find(|file| file.is_file()) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
            command
        }
        None => Command::new(binary),
    }
}

/// A line of workerd's control messages.
#[derive(Deserialize)]
struct Control {
    event: String,
    socket: String,
    port: u16,
}

/// The port workerd says it listens on; `None` when its output ends first.
async fn listening_port(
    stdout: &mut Lines<BufReader<ChildStdout>>,
    stderr: &mut Lines<BufReader<impl AsyncRead + Unpin>>,
    last_words: &mut Vec<String>,
) -> Option<u16> {
    let mut stderr_open = true;
    loop {
        let line = tokio::select! {
            line = stdout.next_line() => line.ok()??,
            line = stderr.next_line(), if stderr_open => match line {
                Ok(Some(line)) => line,
                _ => { stderr_open = false; continue }
            },
        };
        match serde_json::from_str::<Control>(&line) {
            Ok(control) if control.event == "listen" && control.socket == "http" => {
                return Some(control.port);
            }
            _ if last_words.len() < START_LINES_MAX => last_words.push(line),
            _ => {}
        }
    }
}

/// Passes a stream of lines on to the log until it ends.
fn log_lines(mut lines: Lines<BufReader<impl AsyncRead + Unpin + Send + 'static>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            tracing::info!(target: "tidegate::workerd", "{line}");
        }
    })
}

/// Copies the modules and writes the configuration beside them, readable by this user only: it holds the tokens.
fn write_config(options: &WorkerdOptions<'_>) -> anyhow::Result<PathBuf> {
    let modules = copy_modules(options.worker_build_dir, &options.dir.join("modules"))?;
    fs::create_dir_all(options.vaults_dir()).context("make the folder of the vaults")?;
    let path = options.dir.join("config.capnp");
    let fresh = options.dir.join("config.capnp.new");
    if fresh.exists() {
        fs::remove_file(&fresh).context("remove an old configuration")?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .context("write workerd's configuration")?;
    file.write_all(config_text(options, &modules)?.as_bytes()).context("write workerd's configuration")?;
    fs::rename(&fresh, &path).context("put workerd's configuration in place")?;
    Ok(path)
}

/// Copies the built Worker and gives the modules' names, the main one first.
fn copy_modules(from: &Path, to: &Path) -> anyhow::Result<Vec<String>> {
    if !from.join(MAIN_MODULE).exists() {
        bail!("the Worker is not in {}; type: cargo xtask edge", from.display());
    }
    let mut names = Vec::new();
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        fs::create_dir_all(to.join(&dir)).context("make the folder of modules")?;
        for entry in fs::read_dir(from.join(&dir)).context("read the built Worker")? {
            let entry = entry.context("read the built Worker")?;
            let name = dir.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                dirs.push(name);
            } else {
                fs::copy(entry.path(), to.join(&name)).context("copy a module")?;
                names.push(name.to_str().context("a module's name is not UTF-8")?.to_owned());
            }
        }
    }
    names.sort_by_key(|name| (name != MAIN_MODULE, name.clone()));
    Ok(names)
}

/// The configuration in Cap'n Proto's text form; its schema is `workerd.capnp` in npm's `workerd`.
fn config_text(options: &WorkerdOptions<'_>, modules: &[String]) -> anyhow::Result<String> {
    let module = |name: &String| {
        let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
        format!("    (name = {}, {kind} = embed {})", quoted(name), quoted(&format!("modules/{name}")))
    };
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "vaults", disk = (path = {vaults}, writable = true)),
{queues}
  ],
  sockets = [(name = "http", address = {listen}, http = (), service = "edge")],
);
const edge :Workerd.Worker = (
  modules = [
{modules}
  ],
  compatibilityDate = {date},
  durableObjectNamespaces = [(className = "Vault", uniqueKey = "vault", enableSql = true)],
  durableObjectStorage = (localDisk = "vaults"),
  bindings = [
{bindings}
  ],
);
"#,
        vaults = quoted(options.vaults_dir().to_str().context("the folder's path is not UTF-8")?),
        queues = queue_services(options.queues),
        listen = quoted(&options.listen.to_string()),
        modules = modules.iter().map(module).collect::<Vec<_>>().join(",\n"),
        date = quoted(&compatibility_date()?),
        bindings = bindings(options),
    ))
}

fn queue_services(queues: &[QueueBinding<'_>]) -> String {
    let service = |(place, queue): (usize, &QueueBinding<'_>)| {
        format!(
            "    (name = \"queue-{place}\", external = (address = {}, http = (\n      \
             injectRequestHeaders = [(name = \"X-Queue\", value = {})])))",
            quoted(&queue.addr.to_string()),
            quoted(queue.name),
        )
    };
    queues.iter().enumerate().map(service).collect::<Vec<_>>().join(",\n")
}

fn bindings(options: &WorkerdOptions<'_>) -> String {
    let text = |name: &str, value: &str| format!("    (name = \"{name}\", text = {})", quoted(value));
    let queue = |place: usize| {
        let name = if place == 0 { "QUEUE".to_owned() } else { format!("QUEUE_{place}") };
        format!("    (name = \"{name}\", queue = \"queue-{place}\")")
    };
    let mut bindings: Vec<_> = (0..options.queues.len()).map(queue).collect();
    bindings.push("    (name = \"VAULT\", durableObjectNamespace = \"Vault\")".to_owned());
    bindings.push(text("SOURCES", options.sources));
    bindings.push(text("HOST_TOKEN", options.host_token));
    bindings.extend(options.body_bytes_max.map(|bytes| text("BODY_BYTES_MAX", &bytes.to_string())));
    bindings.join(",\n")
}

/// The runtime's behaviour to run with: the one that `wrangler.toml` deploys with.
fn compatibility_date() -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Wrangler {
        compatibility_date: String,
    }
    let wrangler: Wrangler =
        toml::from_str(include_str!("../../../wrangler.toml")).context("read wrangler.toml")?;
    Ok(wrangler.compatibility_date)
}

/// A text literal of Cap'n Proto's configuration language.
fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' => literal.push_str("\\\""),
            b'\\' => literal.push_str("\\\\"),
            b' '..=b'~' => literal.push(char::from(byte)),
            _ => literal.push_str(&format!("\\x{byte:02x}")),
        }
    }
    literal.push('"');
    literal
}
