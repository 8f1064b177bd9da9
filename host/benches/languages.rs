//! The same plugin in every language: how large it is, how long it takes to compile, and what a call costs in a
//! fresh instance (as the sandbox asks) and in one that was used before (as it never does). Prints a table in
//! Markdown and a line of JSON per figure; needs `cargo xtask plugins`.

#[path = "sandbox/bare.rs"]
#[expect(dead_code, reason = "the fresh calls are the sandbox's own here")]
mod bare;

use anyhow::Context as _;
use bare::wit::exports::tidegate::plugin::handler::NameValueParam;
use bare::{Bare, root, sample, told};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tidegate::event::Event;
use tidegate::limits::Limits;
use tidegate::sandbox::{Question, Sandbox, SandboxConfig};

const URL: &str = "http://127.0.0.1:8790/notices";

/// Calls that are thrown away before each measurement, and those that are measured.
const WARM_UP: usize = 50;
const CALLS: usize = 1_000;

/// One language's figures.
struct Figures {
    language: String,
    component_bytes: usize,
    code_bytes: u64,
    compile_ms: f64,
    memory_bytes: usize,
    fresh_us: Vec<f64>,
    warm_us: Vec<f64>,
}

impl Figures {
    fn measure(language: String, path: &Path, event: &Event) -> anyhow::Result<Self> {
        let component =
            fs::read(path).with_context(|| format!("{}. Type: cargo xtask plugins", path.display()))?;
        let cache_dir = tempfile::tempdir()?;
        let mut config = SandboxConfig::new(cache_dir.path().to_owned());
        config.engines = 1;
        let sandbox = Sandbox::new(config)?;
        let began = Instant::now();
        let plugin = sandbox.prepare(&component)?;
        let compile_ms = began.elapsed().as_secs_f64() * 1e3;
        let code_bytes = bytes_under(cache_dir.path())?;
        let settings = [("notice_url".to_owned(), URL.to_owned())];
        let question = Question { event, attempt: 1, settings: &settings };
        let limits = Limits::default();
        let fresh_us = timed(|| {
            let answer = sandbox.ask(&plugin, &question, &limits);
            assert!(matches!(answer, Ok(Ok(decisions)) if decisions.len() == 1), "it decides one thing");
        });
        let (memory_bytes, warm_us) = reused(&component, event, &limits)
            .map_err(|error| anyhow::anyhow!("ask an instance again: {error:#}"))?;
        let component_bytes = component.len();
        Ok(Self { language, component_bytes, code_bytes, compile_ms, memory_bytes, fresh_us, warm_us })
    }

    fn row(&self) -> String {
        format!(
            "| {} | {} | {} | {} | {} | {:.0} us | {:.0} us | {:.1} us |",
            self.language,
            bytes(self.component_bytes),
            bytes(usize::try_from(self.code_bytes).unwrap_or(usize::MAX)),
            if self.compile_ms < 1e3 {
                format!("{:.0} ms", self.compile_ms)
            } else {
                format!("{:.1} s", self.compile_ms / 1e3)
            },
            bytes(self.memory_bytes),
            percentile(&self.fresh_us, 50),
            percentile(&self.fresh_us, 99),
            percentile(&self.warm_us, 50),
        )
    }

    fn print_json(&self) {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        let name = &self.language;
        for (figure, value, unit) in [
            ("compile", self.compile_ms, "ms"),
            ("fresh-p50", percentile(&self.fresh_us, 50), "us/event"),
            ("fresh-p99", percentile(&self.fresh_us, 99), "us/event"),
            ("warm-p50", percentile(&self.warm_us, 50), "us/event"),
        ] {
            let name = format!("{name}-{figure}");
            println!("{}", serde_json::json!({ "name": name, "value": rounded(value), "unit": unit }));
        }
    }
}

/// Bytes of memory of an instance after one call, and what each later call took.
fn reused(component: &[u8], event: &Event, limits: &Limits) -> wasmtime::Result<(usize, Vec<f64>)> {
    let receipt = event.receipt.to_string();
    let settings = [NameValueParam { name: "notice_url", value: URL }];
    let mut instance = Bare::new(component)?.instance(limits)?;
    instance.ask(told(event, &receipt, &settings), limits)?;
    let memory_bytes = instance.memory_bytes();
    let times = timed(|| {
        let decided = instance.ask(told(event, &receipt, &settings), limits);
        assert_eq!(decided.expect("the call succeeds"), 1, "it decides one thing");
    });
    Ok((memory_bytes, times))
}

/// Microseconds of each call.
fn timed(mut call: impl FnMut()) -> Vec<f64> {
    (0..WARM_UP).for_each(|_| call());
    let mut one = || {
        let began = Instant::now();
        call();
        began.elapsed().as_secs_f64() * 1e6
    };
    let mut times: Vec<_> = (0..CALLS).map(|_| one()).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Of sorted figures, the one that so many of a hundred do not exceed.
fn percentile(sorted: &[f64], of_hundred: usize) -> f64 {
    sorted[(sorted.len() * of_hundred).div_ceil(100).saturating_sub(1)]
}

fn bytes(bytes: usize) -> String {
    let kib = bytes.div_ceil(1 << 10);
    if kib < 1_000 {
        return format!("{kib} KiB");
    }
    let tenths = kib * 10 / (1 << 10);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

fn bytes_under(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// The folders of plugins that have a component, by the names of their languages.
fn languages() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("plugins"))? {
        let folder = entry?.path();
        if folder.join("plugin.toml").exists() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, folder.join("plugin.wasm")));
        }
    }
    Ok(found)
}

fn main() -> anyhow::Result<()> {
    let event = sample();
    let mut figures = Vec::new();
    for (language, path) in languages()? {
        eprintln!("measuring: {language}");
        figures.push(Figures::measure(language, &path, &event)?);
    }
    figures.sort_by(|one, other| percentile(&one.fresh_us, 50).total_cmp(&percentile(&other.fresh_us, 50)));
    println!(
        "| language | component | machine code | compile, once | memory | fresh p50 | fresh p99 | reused p50 |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    figures.iter().for_each(|figures| println!("{}", figures.row()));
    figures.iter().for_each(Figures::print_json);
    Ok(())
}
