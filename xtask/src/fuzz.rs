//! Runs the fuzz targets: builds them so that libFuzzer sees the way of each input, lets it look for a while, and says
//! what it found.

use crate::shell;
use anyhow::{Context as _, bail, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Bytes of the longest input: longer ones are slower and show little more.
const INPUT_BYTES_MAX: u32 = 4096;
/// Seconds that one input may take.
const INPUT_SECONDS_MAX: u32 = 5;
/// Lines of what a target said last that are shown when it found something.
const LINES_SHOWN: usize = 25;

/// Which targets to run, and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds for each target; as many targets run at a time as there are processors.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Only these targets: names of files in fuzz/fuzz_targets.
    targets: Vec<String>,
}

/// What one target came to.
struct Run {
    name: String,
    /// How many inputs were tried; none where it did not come so far.
    inputs: Option<u64>,
    /// Places in the code that some input reached.
    places: Option<u64>,
    /// The input that shows that something does not hold, and what the target said of it.
    finding: Option<(PathBuf, String)>,
}

/// Where things are.
struct Places {
    /// The targets themselves.
    binaries: PathBuf,
    /// What is in the repository.
    fuzz: PathBuf,
    /// Inputs that were found to reach something new, logs and findings. Not in the repository.
    kept: PathBuf,
}

/// Builds and runs them.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<ExitCode> {
    let fuzz = root.join("fuzz");
    let names = names(&fuzz, &options.targets)?;
    let target_dir = shell::target_dir(root).join("fuzz");
    build(root, &target_dir, &names)?;
    let places = Places { binaries: target_dir.join("fuzz"), fuzz, kept: target_dir.join("found") };
    let runs = run_all(&places, &names, options.seconds)?;
    for run in &runs {
        run.print();
    }
    let findings: Vec<_> = runs.iter().filter_map(|run| run.finding.as_ref().map(|it| (run, it))).collect();
    for (run, (input, said)) in &findings {
        println!("\n{}: something does not hold for {}\n{said}", run.name, input.display());
        println!("again: {} {}", places.binaries.join(&run.name).display(), input.display());
        println!("once it is mended, keep the input: cp {} fuzz/corpus/{}/", input.display(), run.name);
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The targets that were asked for, or all.
fn names(fuzz: &Path, asked: &[String]) -> anyhow::Result<Vec<String>> {
    let mut known = Vec::new();
    for entry in fs::read_dir(fuzz.join("fuzz_targets")).context("list the fuzz targets")? {
        known.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    known.sort();
    if let Some(unknown) = asked.iter().find(|name| !known.contains(name)) {
        bail!("there is no fuzz target `{unknown}`: there are {}", known.join(", "));
    }
    Ok(if asked.is_empty() { known } else { asked.to_vec() })
}

/// In a folder of their own: the workspace's own crates are compiled in another way, and libFuzzer's way to compile C++
/// would have cargo compile wasmtime once more for everyone.
fn build(root: &Path, target_dir: &Path, names: &[String]) -> anyhow::Result<()> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let asked = Command::new(&compiler).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(
        asked.is_ok_and(|status| status.success()),
        "there is no C++ compiler (`{}`), and libFuzzer is compiled from its source: `apt-get install g++`, or name \
         another one in CXX",
        compiler.display()
    );
    if !target_dir.exists() {
        eprintln!(
            "building the fuzz targets; the first time this compiles wasmtime once more and takes some minutes"
        );
    }
    let mut cargo = shell::cargo(root);
    cargo.env("RUSTC_WORKSPACE_WRAPPER", root.join("fuzz/instrument.sh"));
    cargo.args(["build", "--profile", "fuzz", "--package", "tidegate-fuzz", "--features", "libfuzzer"]);
    for name in names {
        cargo.args(["--bin", name]);
    }
    shell::run(cargo.arg("--target-dir").arg(target_dir))
}

/// Runs each for so long, as many at a time as there are processors.
fn run_all(places: &Places, names: &[String], seconds: u32) -> anyhow::Result<Vec<Run>> {
    let at_a_time = thread::available_parallelism().map_or(1, usize::from);
    eprintln!("{} targets, {seconds} s each, {at_a_time} at a time", names.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut runs = Vec::new();
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            runs.push(run_one(places, name, seconds)?);
        }
        anyhow::Ok(runs)
    };
    let workers = || {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..at_a_time).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker panics nowhere")).collect()
        })
    };
    let runs: anyhow::Result<Vec<Vec<Run>>> = workers();
    let mut runs: Vec<_> = runs?.into_iter().flatten().collect();
    runs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(runs)
}

fn run_one(places: &Places, name: &str, seconds: u32) -> anyhow::Result<Run> {
    let [inputs, findings] = ["inputs", "findings"].map(|kind| places.kept.join(kind).join(name));
    for dir in [&inputs, &findings] {
        fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    }
    let log = places.kept.join(format!("{name}.log"));
    let mut command = Command::new(places.binaries.join(name));
    // What it finds it keeps in the first folder; it only reads the second.
    command.arg(&inputs).arg(places.fuzz.join("corpus").join(name));
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-dict={}", places.fuzz.join("dictionary.txt").display()),
        format!("-artifact_prefix={}/", findings.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    let status = command
        .stdout(Stdio::null())
        .stderr(File::create(&log).with_context(|| format!("write {}", log.display()))?)
        .status()
        .with_context(|| format!("start the fuzz target {name}"))?;
    let said = String::from_utf8_lossy(&fs::read(&log).context("read what the target said")?).into_owned();
    let finding = if status.success() { None } else { Some(finding(&said, &log)) };
    let inputs = number_after(&said, "stat::number_of_executed_units:");
    Ok(Run { name: name.to_owned(), inputs, places: number_after(&said, " cov: "), finding })
}

/// The input that libFuzzer wrote, or else its log, and what was said last.
fn finding(said: &str, log: &Path) -> (PathBuf, String) {
    let written = said.rsplit_once("Test unit written to ").and_then(|(_, rest)| rest.lines().next());
    let is_about_it = |line: &&str| !line.is_empty() && !line.starts_with(['#', '0']);
    let mut lines: Vec<_> = said.lines().rev().filter(is_about_it).take(LINES_SHOWN).collect();
    lines.reverse();
    (written.map_or_else(|| log.to_owned(), PathBuf::from), lines.join("\n"))
}

/// The number behind the last of these words.
fn number_after(said: &str, words: &str) -> Option<u64> {
    let (_, rest) = said.rsplit_once(words)?;
    rest.split_whitespace().next()?.parse().ok()
}

impl Run {
    fn print(&self) {
        let verdict = if self.finding.is_some() { "FOUND SOMETHING" } else { "nothing found" };
        let shown = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        println!(
            "{:<16} {:>12} inputs {:>8} places reached   {verdict}",
            self.name,
            shown(self.inputs),
            shown(self.places)
        );
    }
}
