//! One language's figures, and how they are shown.

use crate::bare::wit::exports::tidegate::plugin::handler::NameValueParam;
use crate::bare::{Bare, told};
use crate::timing::{Times, rounded};
use anyhow::Context as _;
use std::fs;
use std::path::Path;
use std::time::Instant;
use tidegate::event::Event;
use tidegate::limits::Limits;
use tidegate::sandbox::{Prepared, Question, Sandbox, SandboxConfig};
use tidegate::workbench::anatomy::Anatomy;
use tidegate::workbench::{AT_ONCE, memory};

const URL: &str = "http://127.0.0.1:8790/notices";

/// Calls that are thrown away before each measurement, and those that are measured.
const WARM_UP: usize = 50;
const CALLS: usize = 1_000;

/// Turns that the sandbox and the bare loop take, and calls of one.
const TURNS: usize = 40;
const CALLS_PER_TURN: usize = 25;

/// Bytes that the host may keep for one instance beside its memories.
const HOST_BYTES: usize = 256 << 10;

/// The table's first lines.
pub(crate) const HEAD: &str = "\
| language | component | machine code | compile, once | imports | memory | 64 at once | fresh p50 | fresh p99 | reused p50 |
|---|---:|---:|---:|---|---:|---:|---:|---:|---:|";

/// One language's figures.
pub(crate) struct Figures {
    language: String,
    component_bytes: usize,
    code_bytes: usize,
    compile_ms: f64,
    imports: String,
    memory_bytes: usize,
    at_once_bytes: usize,
    pub(crate) fresh_us: Times,
    /// A bare loop's fresh calls, for what calls no WASI on its way and so can run in one.
    bare_us: Option<Times>,
    reused_us: Times,
}

impl Figures {
    pub(crate) fn measure(language: String, path: &Path, event: &Event) -> anyhow::Result<Self> {
        let component =
            fs::read(path).with_context(|| format!("{}. Type: cargo xtask plugins", path.display()))?;
        let cache_dir = tempfile::tempdir()?;
        let mut config = SandboxConfig::new(cache_dir.path().to_owned());
        config.engines = 1;
        config.instances_max = AT_ONCE;
        let sandbox = Sandbox::new(config)?;
        let began = Instant::now();
        let plugin = sandbox.prepare(&component)?;
        let compile_ms = began.elapsed().as_secs_f64() * 1e3;
        let code_bytes = bytes_under(cache_dir.path())?;
        let settings = [("notice_url".to_owned(), URL.to_owned())];
        let question = Question { event, attempt: 1, settings: &settings, memory: None };
        let calls = Calls { sandbox: &sandbox, plugin: &plugin, question: &question };
        let imports = imports(&Anatomy::of(&component).imports);
        let (fresh_us, bare_us) = calls.fresh(&component)?;
        let (memory_bytes, reused_us) = calls.reused()?;
        let at_once_bytes = memory::at_once(&sandbox, &plugin, &question, &Limits::default(), AT_ONCE)?;
        let component_bytes = component.len();
        Ok(Self {
            language,
            component_bytes,
            code_bytes,
            compile_ms,
            imports,
            memory_bytes,
            at_once_bytes,
            fresh_us,
            bare_us,
            reused_us,
        })
    }

    pub(crate) fn row(&self) -> String {
        let compile = if self.compile_ms < 1e3 {
            format!("{:.0} ms", self.compile_ms)
        } else {
            format!("{:.1} s", self.compile_ms / 1e3)
        };
        format!(
            "| {} | {} | {} | {compile} | {} | {} | {} | {:.0} us | {:.0} us | {:.1} us |",
            self.language,
            shown(self.component_bytes),
            shown(self.code_bytes),
            self.imports,
            shown(self.memory_bytes),
            shown(self.at_once_bytes),
            self.fresh_us.percentile(50),
            self.fresh_us.percentile(99),
            self.reused_us.percentile(50),
        )
    }

    pub(crate) fn print_json(&self) {
        let name = &self.language;
        let print = |figure: &str, value: f64, unit: &str, against: Option<f64>| {
            let name = format!("{name}-{figure}");
            let mut line = serde_json::json!({ "name": name, "value": rounded(value), "unit": unit });
            if let Some(against) = against {
                line["against"] = rounded(against).into();
                line["ratio"] = rounded(value / against).into();
            }
            println!("{line}");
        };
        print("compile", self.compile_ms, "ms", None);
        let bare = self.bare_us.as_ref().map(|bare| bare.percentile(50));
        print("fresh-p50", self.fresh_us.percentile(50), "us/event", bare);
        print("fresh-p99", self.fresh_us.percentile(99), "us/event", None);
        print("reused-p50", self.reused_us.percentile(50), "us/event", None);
        // What so many would hold if each wrote to all of the memory it has.
        let bound = mebibytes((self.memory_bytes + HOST_BYTES) * 64);
        print("64-at-once", mebibytes(self.at_once_bytes), "MiB", Some(bound));
    }
}

/// What it imports, in a word: the contract's log, how many interfaces of WASI.
fn imports(names: &[String]) -> String {
    let wasi = names.iter().filter(|name| name.starts_with("wasi:")).count();
    match (wasi, names.len()) {
        (_, 0) => "none".to_owned(),
        (0, _) => "log".to_owned(),
        (wasi, _) => format!("WASI ({wasi})"),
    }
}

/// Calls of one plugin.
struct Calls<'a> {
    sandbox: &'a Sandbox,
    plugin: &'a Prepared,
    question: &'a Question<'a>,
}

impl Calls<'_> {
    fn ask(&self) {
        let answer = self.sandbox.ask(self.plugin, self.question, &Limits::default());
        assert!(matches!(answer, Ok(Ok(decisions)) if decisions.len() == 1), "it decides one thing");
    }

    /// Fresh instances, and those of a bare loop around `component` in turns with them.
    fn fresh(&self, component: &[u8]) -> anyhow::Result<(Times, Option<Times>)> {
        let bare = Bare::new(component).map_err(|error| anyhow::anyhow!("make a bare loop: {error:#}"))?;
        let receipt = self.question.event.receipt.to_string();
        let settings: Vec<_> =
            self.question.settings.iter().map(|(name, value)| NameValueParam { name, value }).collect();
        let ask_bare =
            |bare: &Bare| bare.ask(told(self.question.event, &receipt, &settings), &Limits::default());
        let bare = Some(bare).filter(|bare| ask_bare(bare).is_ok());
        (0..WARM_UP).for_each(|_| self.ask());
        let (mut ours_us, mut bare_us) = (vec![], vec![]);
        for _ in 0..TURNS {
            ours_us.push(Times::of(CALLS_PER_TURN, || self.ask()));
            bare_us.extend(bare.as_ref().map(|bare| {
                Times::of(CALLS_PER_TURN, || assert_eq!(ask_bare(bare).ok(), Some(1), "it decides one thing"))
            }));
        }
        Ok((Times::together(ours_us), bare.map(|_| Times::together(bare_us))))
    }

    /// Bytes of memory of an instance after one call, and what each later call took.
    fn reused(&self) -> anyhow::Result<(usize, Times)> {
        let mut held = self.sandbox.hold(self.plugin, self.question.event, &Limits::default())?;
        let mut ask = || {
            let call = held.ask(self.question);
            assert!(matches!(call.answer, Ok(Ok(decisions)) if decisions.len() == 1), "it decides one thing");
            call.usage.memory_bytes
        };
        let memory_bytes = (0..WARM_UP).map(|_| ask()).max().unwrap_or_default();
        Ok((memory_bytes, Times::of(CALLS, || assert!(ask() > 0, "it has memory"))))
    }
}

fn shown(bytes: usize) -> String {
    let kib = bytes.div_ceil(1 << 10);
    if kib < 1_000 {
        return format!("{kib} KiB");
    }
    let tenths = kib * 10 / (1 << 10);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

fn mebibytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0
}

fn bytes_under(dir: &Path) -> anyhow::Result<usize> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        bytes += usize::try_from(entry?.metadata()?.len())?;
    }
    Ok(bytes)
}
