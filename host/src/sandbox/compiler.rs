//! Where components are compiled: in this process, or in one of its own that is bounded in time and memory. Knows
//! nothing of what makes a component a plugin, nor of where compiled code is kept.
//!
//! A compiler at work cannot be interrupted, and what it is given is somebody else's. So the host starts its own program
//! once more as `tidegate compile`, with nothing in its environment, gives it the component on standard input and takes the
//! code from standard output. When that takes too much time or memory it is ended, and the host has noticed nothing of it.

use super::SandboxConfig;
use super::admission::AdmissionError;
use super::engine::{self, Kind};
use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, Signal};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use wasmtime::Engine;

/// How much less of a busy processor a compiler gets than whoever decides events: about a third.
const NICENESS: i32 = 5;
/// How many times its processor time a compiler may be there: on a busy machine it waits for its turn.
const PATIENCE: u64 = 20;
/// Bytes of what a compiler said last that are kept.
const WORDS_BYTES_MAX: u64 = 4 << 10;
/// The exit code that says: what stands on standard output is not code but why there is none.
pub const REFUSED: u8 = 3;

/// Who compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// This process: bounded in neither time nor memory. For programs that have no other, and components of one's own.
    InProcess,
    /// This program, started as `compile` with [`ChildArgs`]: `tidegate` itself.
    Child(PathBuf),
}

impl Compiler {
    /// This very program in a process of its own, also when its file was replaced meanwhile.
    ///
    /// # Errors
    /// When the machine does not say where it is.
    pub fn this_program() -> io::Result<Self> {
        let on_linux = Path::new("/proc/self/exe");
        Ok(Self::Child(if on_linux.exists() { on_linux.to_owned() } else { std::env::current_exe()? }))
    }
}

/// What a compiler in a process of its own is told. Whoever starts it gives the same numbers to the engines that run
/// the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct ChildArgs {
    /// Bytes of linear memory that are reserved for one memory.
    #[arg(long)]
    memory_bytes_max: usize,
    /// Compile for engines that count fuel.
    #[arg(long)]
    metered: bool,
    /// Processor time that the compiler may take, in milliseconds.
    #[arg(long)]
    compile_time_ms_max: u64,
    /// Bytes of memory that the compiler may take.
    #[arg(long)]
    compile_memory_bytes_max: u64,
}

/// The compiled code of a component, for engines of this kind; `engine` is one of them.
pub(super) fn compile(
    config: &SandboxConfig,
    kind: Kind,
    engine: &Engine,
    component: &[u8],
) -> Result<Vec<u8>, AdmissionError> {
    match &config.compiler {
        Compiler::InProcess => {
            let compiled = engine.precompile_component(component);
            compiled.map_err(|error| AdmissionError::Invalid(format!("{error:#}")))
        }
        Compiler::Child(program) => {
            let memory = u64::try_from(config.compile_memory_bytes_max).unwrap_or(u64::MAX);
            let mut command = Command::new(program);
            command
                .arg("compile")
                .args(["--memory-bytes-max", &config.memory_bytes_max.to_string()])
                .args(["--compile-time-ms-max", &config.compile_time_ms_max.to_string()])
                .args(["--compile-memory-bytes-max", &memory.to_string()])
                .args((kind == Kind::Metered).then_some("--metered"))
                .env_clear()
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let child = command.spawn().map_err(|error| {
                AdmissionError::Host(format!("start the compiler {}: {error}", program.display()))
            })?;
            judge(attend(child, component, config), config)
        }
    }
}

/// What came of a compiler's process.
struct Exit {
    /// `None`: it was still there when nobody waited any longer.
    status: Option<ExitStatus>,
    /// What it wrote.
    out: Vec<u8>,
    /// What it said before it died.
    words: String,
}

/// Gives the child the component, and takes what it writes until it ends or its time is over.
fn attend(mut child: Child, component: &[u8], config: &SandboxConfig) -> io::Result<Exit> {
    let missing = || io::Error::other("the compiler has no pipe");
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let mut stdout = child.stdout.take().ok_or_else(missing)?;
    let mut stderr = child.stderr.take().ok_or_else(missing)?;
    let (send, received) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        // A child that does not want to hear all of it has said why.
        scope.spawn(move || drop(stdin.write_all(component)));
        let words = scope.spawn(move || {
            let mut words = Vec::new();
            let read = stderr.by_ref().take(WORDS_BYTES_MAX).read_to_end(&mut words);
            let _ = read.and_then(|_| io::copy(&mut stderr, &mut io::sink()));
            String::from_utf8_lossy(&words).trim().to_owned()
        });
        scope.spawn(move || {
            // Never more than the child's own memory, which is bounded.
            let mut out = Vec::new();
            let read = stdout.read_to_end(&mut out);
            // The receiver waits for it, or has given up.
            let _ = send.send(read.map(|_| out));
        });
        let out = received.recv_timeout(patience(config));
        if out.is_err() {
            child.kill()?;
        }
        let status = child.wait()?;
        let words = words.join().unwrap_or_default();
        match out {
            Ok(out) => Ok(Exit { status: Some(status), out: out?, words }),
            Err(_) => Ok(Exit { status: None, out: Vec::new(), words }),
        }
    })
}

/// How long a compiler is waited for.
const fn patience(config: &SandboxConfig) -> Duration {
    Duration::from_millis(config.compile_time_ms_max.saturating_mul(PATIENCE))
}

fn judge(ended: io::Result<Exit>, config: &SandboxConfig) -> Result<Vec<u8>, AdmissionError> {
    let Exit { status, out, words } =
        ended.map_err(|error| AdmissionError::Host(format!("run the compiler: {error}")))?;
    let Some(status) = status else {
        return Err(AdmissionError::Host(format!(
            "the compiler was not done after {:?}: the machine is too busy",
            patience(config)
        )));
    };
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return Err(AdmissionError::CompileTime { limit_ms: config.compile_time_ms_max });
    }
    if status.success() {
        return Ok(out);
    }
    let why = if status.code() == Some(i32::from(REFUSED)) {
        String::from_utf8_lossy(&out).into_owned()
    } else {
        words
    };
    // The words of Rust's runtime, of the operating system, and of a thread that could not be made.
    let memory = ["memory allocation of", "Cannot allocate memory", "Resource temporarily unavailable"];
    if memory.iter().any(|said| why.contains(said)) {
        return Err(AdmissionError::CompileMemory { limit_bytes: config.compile_memory_bytes_max });
    }
    if status.code() == Some(i32::from(REFUSED)) {
        return Err(AdmissionError::Invalid(why));
    }
    tracing::warn!("the compiler ended with {status}: {why}");
    Err(AdmissionError::CompilerCrash(format!("{status}: {why}")))
}

/// The child's side: bounds itself, then compiles what stands on standard input to standard output. Gives the exit code.
///
/// # Errors
/// When it cannot bound itself, or its pipes are broken.
pub fn run_child(args: &ChildArgs) -> anyhow::Result<u8> {
    bound_myself(args)?;
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component).context("read the component")?;
    let kind = if args.metered { Kind::Metered } else { Kind::Plain };
    let engine = engine::compiling(args.memory_bytes_max, kind);
    let engine = engine.map_err(|error| anyhow::anyhow!("make an engine: {error:#}"))?;
    let (out, code) = match engine.precompile_component(&component) {
        Ok(code) => (code, 0),
        Err(error) => (format!("{error:#}").into_bytes(), REFUSED),
    };
    io::stdout().lock().write_all(&out).context("write what was compiled")?;
    Ok(code)
}

/// From here on: so much time and memory, little of a busy processor, and no life without the parent.
fn bound_myself(args: &ChildArgs) -> anyhow::Result<()> {
    let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
    // Time on the processor and not time that passes, so that the same component is refused on a busy machine as on a calm
    // one. The system counts whole seconds; past the lower of the two it says why it ends the process.
    let seconds = args.compile_time_ms_max.div_ceil(1_000).max(1);
    let time = Rlimit { current: Some(seconds), maximum: Some(seconds.saturating_add(1)) };
    rustix::process::setrlimit(Resource::Cpu, time).context("bound the time")?;
    // What can be written to, and not the address space: threads reserve much of that and use little.
    rustix::process::setrlimit(Resource::Data, limit(args.compile_memory_bytes_max))
        .context("bound the memory")?;
    rustix::process::setrlimit(Resource::Core, limit(0)).context("leave no core file")?;
    rustix::process::nice(NICENESS).context("be polite")?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context("end with the parent")?;
    Ok(())
}
