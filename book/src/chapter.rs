//! Chapters that the code writes of itself: what `tidegate` prints, as Markdown. Knows nothing of the book around them.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Names of files with their text.
pub(crate) fn written(tidegate: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    let print = |args: &[&str]| printed(tidegate, args);
    let rows = print(&["plugin", "explain", "--json"])?;
    let rows: Vec<Value> = rows.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(vec![
        ("keys.md", keys(&print(&["config"])?)),
        ("errors.md", errors(&rows)?),
        ("operations.md", operations(&serde_json::from_str(&print(&["openapi"])?)?)?),
    ])
}

/// The page, with what `tidegate` prints in the place of each line `<!-- printed: ARGS -->`.
pub(crate) fn filled(tidegate: &Path, page: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    for line in page.lines() {
        match line.strip_prefix("<!-- printed: ").and_then(|rest| rest.strip_suffix(" -->")) {
            Some(args) => {
                let said = printed(tidegate, &args.split_whitespace().collect::<Vec<_>>())?;
                writeln!(text, "```text\n$ tidegate {args}\n{said}```")?;
            }
            None => writeln!(text, "{line}")?,
        }
    }
    Ok(text)
}

fn printed(tidegate: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(tidegate)
        .args(args)
        .output()
        .with_context(|| format!("run {}; type: cargo xtask build", tidegate.display()))?;
    ensure!(
        output.status.success(),
        "tidegate {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("read what tidegate printed")
}

fn keys(config: &str) -> String {
    format!(
        "# Every key of tidegate.toml\n\nWith its default and what it means: what `tidegate config` prints.\n\n```toml\n{config}```\n"
    )
}

/// A section for each, whose anchor is its name.
fn errors(rows: &[Value]) -> anyhow::Result<String> {
    let mut text = String::from(
        "# Every fault and refusal\n\nWhat an event is parked for, why a component is refused, how a test fails. `tidegate plugin explain \
         NAME` says the same in a terminal.\n\n",
    );
    for row in rows {
        let field = |name: &str| row[name].as_str().with_context(|| format!("{name} of {row}"));
        let (name, group) = (field("name")?, field("group")?);
        writeln!(text, "## {name}\n\n*{group}.* {}\n", field("means")?)?;
        if let Some([key, default]) = row["limit"].as_array().map(Vec::as_slice) {
            let key = key.as_str().context("a limit has a key")?;
            writeln!(text, "Limit: `{key}`, by default {default}.\n")?;
        }
        writeln!(text, "- As the author: {}\n- As the operator: {}\n", field("author")?, field("operator")?)?;
    }
    Ok(text)
}

fn operations(description: &Value) -> anyhow::Result<String> {
    let mut text = String::from(
        "# Every operation of the API\n\nOf `tidegate openapi`, which has the types, too. What takes a role higher than `read` says \
         so.\n\n| | path | role | what | asked with |\n|---|---|---|---|---|\n",
    );
    for (path, item) in description["paths"].as_object().context("it has paths")? {
        for (method, operation) in item.as_object().context("a path has operations")? {
            let role = operation["x-role"].as_str().unwrap_or("read");
            let what = operation["summary"].as_str().context("an operation has a summary")?;
            let names = operation["parameters"].as_array().into_iter().flatten();
            let names: Vec<_> =
                names.filter(|it| it["in"] == "query").filter_map(|it| it["name"].as_str()).collect();
            let asked = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ");
            writeln!(text, "| {} | `{path}` | {role} | {what} | {asked} |", method.to_uppercase())?;
        }
    }
    Ok(text)
}
