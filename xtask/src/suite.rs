//! Everything that must hold before a change is taken.

use crate::postgres::{self, Disk, Server};
use crate::{chaos, edge, faults, plugin, shell};
use anyhow::ensure;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use tidegate_toolchain::tools::Tools;

/// What the tests start beside what they build.
const TOOLS: [&str; 18] = [
    "workerd",
    "node",
    "wrangler",
    "cloudflare",
    "standardwebhooks",
    "standardwebhooks-python",
    "docker-registry",
    "oras",
    "schemathesis",
    "prometheus-client",
    "promtool",
    "rotel",
    "postgres",
    "systemd-analyze",
    "kubernetes-validate",
    "chromium",
    "playwright-core",
    "axe-core",
];

/// The tests that hold for a store in a file and in a database; what is said of the file alone is in modules named `file`.
const ON_POSTGRES: [&str; 5] = ["store", "lanes", "executor", "elsewhere", "roster"];

/// Of the tests of the whole, the modules that are about what a host keeps; of the simulated runs, those in a database.
const PARTLY_ON_POSTGRES: [&str; 2] = ["whole", "simulation"];
const MODULES_ON_POSTGRES: [&str; 18] = [
    "api",
    "chaos",
    "dev",
    "diff",
    "hostile",
    "keep",
    "large",
    "log",
    "operate::alert",
    "operate::doctor",
    "parked",
    "postgres",
    "reload",
    "signal",
    "signature",
    "swap",
    "trial",
    "watch",
];

/// Builds what the tests run, then format, lints and tests.
pub(crate) fn run(root: &Path, tools: &Tools, filter: Option<&str>) -> anyhow::Result<()> {
    for tool in TOOLS {
        tools.ensure(tool)?;
    }
    shell::run(shell::cargo(root).args(["fmt", "--all", "--check"]))?;
    // Before the host, which brings the plugins' folders: a new component in one has it built again.
    plugin::build_all(root, tools)?;
    shell::build_host(root)?;
    // No test of its own package asks for it, so cargo would not make it.
    shell::build_command(root, "tidegate-book")?;
    edge::build(root)?;
    let workspace = ["--release", "--workspace", "--all-targets"];
    if filter.is_none() {
        shell::run(shell::cargo(root).arg("clippy").args(workspace).args(["--", "--deny", "warnings"]))?;
        // The examples in what authors read. It is no member of the workspace, as a plugin has a copy of it.
        let sdk = [
            "--release",
            "--all-features",
            "--manifest-path",
            "sdk/rust/Cargo.toml",
            "--target-dir",
            "target/sdk",
        ];
        shell::run(shell::cargo(root).arg("test").args(sdk))?;
    }
    let has_nextest = has_nextest();
    let mut on_file = tests(root, has_nextest);
    postgres::name_to(&mut on_file, None);
    shell::run(on_file.args(filter))?;
    on_postgres(root, tools, has_nextest, filter)?;
    if filter.is_none() {
        let verdict = faults::run(root, tools, &faults::Options::SHORT)?;
        ensure!(
            verdict == ExitCode::SUCCESS,
            "the fault run failed: `cargo xtask faults --short` repeats it"
        );
        let verdict = chaos::run(root, tools, &chaos::Options::SHORT)?;
        ensure!(
            verdict == ExitCode::SUCCESS,
            "the chaos run failed: `cargo xtask chaos --hosts 4 --minutes 1 --rate 100` and the seed it printed repeat it"
        );
    }
    Ok(())
}

fn tests(root: &Path, has_nextest: bool) -> Command {
    let mut tests = shell::cargo(root);
    match has_nextest {
        true => tests.args(["nextest", "run", "--release", "--workspace"]),
        false => tests.args(["test", "--release", "--workspace"]),
    };
    tests
}

/// Those tests once more that are about what the store keeps, with everything in PostgreSQL.
fn on_postgres(root: &Path, tools: &Tools, has_nextest: bool, filter: Option<&str>) -> anyhow::Result<()> {
    eprintln!("The tests that are about what a host keeps again, on PostgreSQL, and those of several hosts:");
    let server = Server::start(tools, Disk::Hurries)?;
    let tests = || {
        let mut tests = tests(root, has_nextest);
        postgres::name_to(&mut tests, Some(&server));
        tests
    };
    let parts = ON_POSTGRES.iter().flat_map(|name| ["--test", name]);
    let partly = PARTLY_ON_POSTGRES.iter().flat_map(|name| ["--test", name]);
    if has_nextest {
        let modules = MODULES_ON_POSTGRES.join("|");
        let partly_of = PARTLY_ON_POSTGRES.map(|name| format!("binary({name})")).join(" or ");
        let which = format!("not test(/(^|::)file::/) and (not ({partly_of}) or test(/^({modules})::/))");
        // A filter that none of these has is none's fault.
        let args = ["--no-tests", "pass", "--run-ignored", "all", "-E", &which];
        return shell::run(tests().args(parts).args(partly).args(args).args(filter));
    }
    let all = ["--include-ignored", "--skip", "file::"];
    shell::run(tests().args(parts).args(filter).arg("--").args(all))?;
    let modules = MODULES_ON_POSTGRES.map(|module| format!("{module}::"));
    let which = filter.map_or(modules.to_vec(), |filter| vec![filter.to_owned()]);
    shell::run(tests().args(partly).arg("--").args(all).args(which))
}

fn has_nextest() -> bool {
    let asked = Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}
