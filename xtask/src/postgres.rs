//! A PostgreSQL server for tests and benches: a real one, in a folder of its own, that ends with whoever started it.

use crate::shell;
use anyhow::{Context as _, bail, ensure};
use std::fs::{self, File};
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tidegate_toolchain::tools::Tools;

/// The variable that names a server to the tests and the benches that can use one.
const VARIABLE: &str = "TIDEGATE_TEST_POSTGRES";

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(60);
/// Who runs a server in place of root, whom PostgreSQL refuses: `nobody`, as every Unix has it.
const NOBODY: u32 = 65_534;
const AS_NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
/// Ends the server when its own input ends, however whoever holds that has ended; ends with the server, and takes its folder
/// ($1) away.
const WATCH: &str = r#"dir=$1; shift; exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -INT $server; } & reader=$!
wait $server; kill $reader 2>/dev/null; rm -rf "$dir""#;

/// Whether what is committed outlives the machine.
#[derive(Clone, Copy)]
pub(crate) enum Disk {
    /// It does: each commit waits for the disk.
    Waits,
    /// It does not: for tests, which never lose the machine.
    Hurries,
}

/// Where a bench or a run keeps everything.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    /// A file.
    Sqlite,
    /// A database on a server of its own.
    Postgres,
}

impl Store {
    /// The server, where there is one.
    pub(crate) fn server(self, tools: &Tools) -> anyhow::Result<Option<Server>> {
        match self {
            Self::Sqlite => Ok(None),
            Self::Postgres => Server::start(tools, Disk::Waits).map(Some),
        }
    }
}

/// A server at work. It ends when this goes, or the process that has it.
pub(crate) struct Server {
    watcher: Child,
    port: u16,
}

impl Server {
    /// Starts one with nothing in it.
    pub(crate) fn start(tools: &Tools, disk: Disk) -> anyhow::Result<Self> {
        let program = tools.ensure("postgres")?;
        let folder =
            tempfile::Builder::new().prefix("tidegate-postgres").tempdir().context("make a folder")?;
        let dir = folder.path();
        let is_root = is_root()?;
        let bin = programs(&program, dir, is_root)?;
        let data = dir.join("data");
        fs::create_dir(&data).context("make a folder")?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).context("close a folder to others")?;
        if is_root {
            std::os::unix::fs::chown(&data, Some(NOBODY), Some(NOBODY)).context("give a folder away")?;
        }
        let user = if is_root { &AS_NOBODY[..] } else { &[] };
        let mut init = Command::new("sh");
        init.args(["-c", r#"exec "$@""#, "sh"]).args(user).arg(bin.join("initdb"));
        init.args([
            "--auth=trust",
            "--username=tidegate",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        init.arg(&data).current_dir("/").stdout(Stdio::null());
        ensure!(init.status().context("start initdb")?.success(), "`{}` failed", shell_line(&init));
        let port = free_port()?;
        let log = dir.join("log");
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCH, "sh"]).arg(dir).args(user).arg(bin.join("postgres"));
        watcher.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        watcher.args(["-c", "max_connections=200", "-p", &port.to_string(), "-D"]).arg(&data);
        if matches!(disk, Disk::Hurries) {
            watcher.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
        }
        // Not of this group: Ctrl-C ends whoever started this, and that ends it.
        watcher.current_dir("/").process_group(0).stdin(Stdio::piped());
        watcher.stderr(File::create(&log).context("make the server's log")?);
        // It is still there to be read when the watcher has taken it away.
        let said = File::open(&log).context("open the server's log")?;
        let watcher = watcher.spawn().context("start PostgreSQL")?;
        // From here on the watcher takes it away.
        let _ = folder.keep();
        let mut server = Self { watcher, port };
        server.wait(said)?;
        Ok(server)
    }

    /// Where it is, without a database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://tidegate@127.0.0.1:{}", self.port)
    }

    fn wait(&mut self, mut log: File) -> anyhow::Result<()> {
        let (began, mut said) = (Instant::now(), String::new());
        loop {
            // What it said before it ended is read after it was seen to have ended.
            let has_ended = self.watcher.try_wait().context("look after PostgreSQL")?.is_some();
            log.read_to_string(&mut said).context("read the server's log")?;
            if said.contains("ready to accept connections") {
                return Ok(());
            }
            if has_ended || began.elapsed() > START_MAX {
                bail!("PostgreSQL did not start:\n{said}");
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// Names the server to a program, or none, whatever this one's own environment names: the flag decides.
pub(crate) fn name_to(command: &mut Command, server: Option<&Server>) {
    match server {
        Some(server) => command.env(VARIABLE, server.url()),
        None => command.env_remove(VARIABLE),
    };
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its end is what the watcher waits for.
        drop(self.watcher.stdin.take());
        // One that ended by itself needs no waiting for.
        let _ = self.watcher.wait();
    }
}

/// The folder with the server's programs, where whoever runs them can read it.
fn programs(postgres: &Path, dir: &Path, is_root: bool) -> anyhow::Result<PathBuf> {
    let bin = postgres.parent().context("find the server's programs")?;
    if !is_root {
        return Ok(bin.to_owned());
    }
    // Root's own folders are closed to others.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).context("open a folder to others")?;
    let tree = bin.parent().context("find the server's libraries")?;
    let copy = dir.join("postgres");
    shell::run(Command::new("cp").arg("-RL").arg(tree).arg(&copy))?;
    Ok(copy.join("bin"))
}

fn is_root() -> anyhow::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata("/proc/self").context("find who runs this")?.uid() == 0)
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

fn shell_line(command: &Command) -> String {
    tidegate_toolchain::shell::line(command)
}

/// Starts one and stays until it is told to end.
pub(crate) fn serve(tools: &Tools) -> anyhow::Result<()> {
    let server = Server::start(tools, Disk::Hurries)?;
    println!("{VARIABLE}={}", server.url());
    eprintln!("Tests and benches with this in their environment use it. It ends with Ctrl-C.");
    loop {
        std::thread::park();
    }
}
