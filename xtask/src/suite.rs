//! Everything that must hold before a change is taken.

use crate::{edge, faults, plugin, shell};
use anyhow::ensure;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use tidegate_toolchain::tools::Tools;

/// What the tests start beside what they build.
const TOOLS: [&str; 15] = [
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
    "chromium",
    "playwright-core",
    "axe-core",
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
    let mut tests = shell::cargo(root);
    if has_nextest() {
        tests.args(["nextest", "run", "--release", "--workspace"]);
    } else {
        tests.args(["test", "--release", "--workspace"]);
    }
    shell::run(tests.args(filter))?;
    if filter.is_none() {
        let verdict = faults::run(root, tools, &faults::Options::SHORT)?;
        ensure!(
            verdict == ExitCode::SUCCESS,
            "the fault run failed: `cargo xtask faults --short` repeats it"
        );
    }
    Ok(())
}

fn has_nextest() -> bool {
    let asked = Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}
