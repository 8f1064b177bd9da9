//! What a check found, and how it is shown.

use crate::command::on_a_terminal;
use serde::Serialize;
use std::fmt::Write as _;
use tidegate::config::Config;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, but not as well or as safely as it could.
    Warning,
    /// It does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) what: String,
    /// What to do: the line to type, wherever there is one.
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, what: what.into(), fix: None }
    }

    pub(super) fn warning(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, what: what.into(), fix: Some(fix.into()) }
    }

    pub(super) fn problem(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Problem, what: what.into(), fix: Some(fix.into()) }
    }
}

/// Whether the configuration could be read.
pub(super) fn of_config(config: &anyhow::Result<Config>) -> Finding {
    match config {
        Ok(_) => Finding::ok("config", "tidegate.toml and the TIDEGATE_ variables are read"),
        // The last part of TOML's own errors shows the line, in several.
        Err(error) => Finding::problem(
            "config",
            format!("{error:#}").trim().to_owned(),
            "Mend it; every key with its meaning: tidegate config",
        ),
    }
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}

pub(super) fn json(findings: &[Finding]) -> anyhow::Result<String> {
    let (problems, warnings) = (count(findings, Level::Problem), count(findings, Level::Warning));
    let report =
        serde_json::json!({ "v": 1, "problems": problems, "warnings": warnings, "findings": findings });
    Ok(serde_json::to_string(&report)? + "\n")
}

pub(super) fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { check, level, what, fix } in findings {
        let (word, colour) = match level {
            Level::Ok => ("ok     ", "32"),
            Level::Warning => ("warning", "33"),
            Level::Problem => ("problem", "31"),
        };
        let word = if on_a_terminal() { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() };
        let what = what.replace('\n', "\n                   ");
        let _ = writeln!(text, "{word}  {check:8}  {what}");
        if let Some(fix) = fix {
            let _ = writeln!(text, "                   -> {fix}");
        }
    }
    let (problems, warnings) = (count(findings, Level::Problem), count(findings, Level::Warning));
    let _ = writeln!(text, "problems: {problems}, warnings: {warnings}, ok: {}", count(findings, Level::Ok));
    text
}
