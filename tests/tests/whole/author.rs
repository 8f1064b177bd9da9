//! A plugin's author at work: the built `tidegate plugin`, with no host running.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate_tests::edge::root;
use tidegate_tests::system::{self, cli::Cli};

/// A folder to work in, and the commands for it.
struct Desk {
    dir: TempDir,
    cli: Cli,
}

/// How a command ended, and what it printed.
struct Ended {
    code: Option<i32>,
    printed: String,
    said: String,
}

impl Desk {
    fn new() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        Ok(Self { cli: Cli::new(dir.path()), dir })
    }

    async fn plugin(&self, args: &[&str]) -> anyhow::Result<Ended> {
        let output = self.cli.run(&[&["plugin"], args].concat()).await?;
        Ok(Ended {
            code: output.status.code(),
            printed: String::from_utf8(output.stdout)?,
            said: String::from_utf8(output.stderr)?,
        })
    }

    /// Writes a file of this folder, and gives its path.
    fn write(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<String> {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(&path, content)?;
        Ok(path.to_str().context("UTF-8")?.to_owned())
    }

    /// A copy of the Rust plugin with its component and its cases.
    fn copy(&self) -> anyhow::Result<String> {
        let there = system::plugin("rust")?;
        for path in files_under(&there)? {
            let name = path.to_string_lossy();
            if ["events/", "expected/", "plugin."].iter().any(|start| name.starts_with(start)) {
                self.write(&format!("copy/{name}"), fs::read(there.join(&path))?)?;
            }
        }
        Ok(self.dir.path().join("copy").to_str().context("UTF-8")?.to_owned())
    }
}

impl Ended {
    fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.printed).with_context(|| format!("read {}{}", self.printed, self.said))
    }
}

fn files_under(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut dirs) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.push(path.strip_prefix(dir)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn at(dir: &Path, path: &str) -> String {
    dir.join(path).to_string_lossy().into_owned()
}

fn hostile() -> anyhow::Result<String> {
    let component = root().join("tests/guests/hostile/guest.wasm");
    ensure!(component.exists(), "{} is missing; type: cargo xtask plugins", component.display());
    Ok(component.to_string_lossy().into_owned())
}

#[tokio::test]
async fn the_plugins_that_ship_pass_their_own_tests() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    for language in ["rust", "javascript"] {
        let dir = system::plugin(language)?;
        let ended = desk.plugin(&["test", &dir.to_string_lossy(), "--json"]).await?;
        let report = ended.json()?;
        let cases = report["cases"].as_array().context("cases")?;
        ensure!(ended.code == Some(0) && report["failed"] == 0 && cases.len() >= 5, "{language}: {report}");
        ensure!(cases.iter().all(|case| case["outcome"] == "same"), "{language}: {report}");
    }
    Ok(())
}

#[tokio::test]
async fn one_event_in_decisions_out_and_what_a_host_would_do() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let dir = system::plugin("rust")?;
    let (plugin, event) = (dir.to_string_lossy(), at(&dir, "events/on-loan.json"));
    let report = desk.plugin(&["run", &plugin, &event, "--json"]).await?.json()?;
    let expected: Value = serde_json::from_str(&fs::read_to_string(dir.join("expected/on-loan.json"))?)?;
    ensure!(report["answer"] == expected && report["v"] == 1, "{report}");
    let receipt = report["event"]["receipt"].as_str().context("a receipt")?;
    let key = format!("{receipt}/loan-notice/0");
    let does = json!({ "does": "perform", "decisions": [{ "becomes": "effect", "key": key }] });
    ensure!(report["host"] == does && report["event"]["wanted"] == true, "{report}");
    ensure!(report["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 65_536), "{report}");

    let elsewhere = ["run", &plugin, &event, "--set", "notice_url=https://elsewhere.example/"];
    let ended = desk.plugin(&[&elsewhere[..], &["--json"]].concat()).await?;
    let report = ended.json()?;
    ensure!(ended.code == Some(0) && report["host"]["does"] == "park", "it decided: {report}");
    ensure!(report["host"]["decisions"][0]["becomes"] == "denied", "{report}");
    let printed = desk.plugin(&elsewhere).await?.printed;
    ensure!(printed.contains("`elsewhere.example` is not granted (granted: 127.0.0.1)"), "{printed}");
    ensure!(printed.contains("tidegate plugin explain not_granted"), "{printed}");

    let refused = desk.plugin(&["run", &plugin, &event, "--set", "notice_url=", "--json"]).await?;
    let report = refused.json()?;
    ensure!(refused.code == Some(1) && report["host"]["does"] == "park", "{report}");
    ensure!(
        report["answer"]["refusal"]["park"].as_str().is_some_and(|why| why.contains("notice_url")),
        "{report}"
    );

    let other = ["--kind", "asset.create", "--source", "lab", "--received-at", "1000"];
    let report = desk.plugin(&[&["run", &plugin, &event, "--json"], &other[..]].concat()).await?.json()?;
    ensure!(report["answer"] == json!({ "decisions": [] }) && report["event"]["wanted"] == false, "{report}");
    ensure!(report["event"]["source"] == "lab" && report["event"]["received_at_ms"] == 1000, "{report}");
    Ok(())
}

#[tokio::test]
async fn a_fault_names_the_plugins_own_function_and_where_to_read_on() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let (guest, event) = (hostile()?, desk.write("panic.json", br#"{"event_type":"panic"}"#)?);
    let ended = desk.plugin(&["run", &guest, &event, "--json"]).await?;
    let fault = &ended.json()?["answer"]["fault"];
    let functions = fault["functions"].as_array().context("functions")?;
    ensure!(ended.code == Some(1) && fault["name"] == "trap", "{fault}");
    ensure!(functions.contains(&json!("hostile::panic_deep_inside")), "{fault}");
    let printed = desk.plugin(&["run", &guest, &event]).await?.printed;
    ensure!(
        printed.contains("in hostile::panic_deep_inside\n") && !printed.contains("in std::"),
        "{printed}"
    );
    ensure!(printed.contains("tidegate plugin explain trap"), "{printed}");

    let event = desk.write("allocate.json", br#"{"event_type":"allocate"}"#)?;
    let ended = desk.plugin(&["run", &guest, &event, "--json"]).await?;
    let fault = &ended.json()?["answer"]["fault"];
    ensure!(ended.code == Some(1) && fault["name"] == "memory_bytes", "{fault}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_as_expected_fails_with_a_diff_until_it_is_written_down() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let plugin = desk.copy()?;
    let expected = desk.dir.path().join("copy/expected/on-loan.json");
    let right = fs::read_to_string(&expected)?;
    fs::write(&expected, right.replace("John Do", "John Doe"))?;
    fs::remove_file(desk.dir.path().join("copy/expected/created.json"))?;

    let ended = desk.plugin(&["test", &plugin]).await?;
    ensure!(ended.code == Some(1), "{}", ended.printed);
    for part in ["differs  on-loan", "missing  created", "2 of 5", "--- expected/on-loan.json", "--update"] {
        ensure!(ended.printed.contains(part), "no {part} in {}", ended.printed);
    }
    let changed: Vec<_> = ended.printed.lines().filter(|line| line.contains("is on loan to John")).collect();
    ensure!(changed.len() == 2 && changed[0].contains("-   ") && changed[1].contains("+   "), "{changed:?}");

    let updated = desk.plugin(&["test", &plugin, "--update", "--json"]).await?.json()?;
    ensure!(updated["failed"] == 0 && fs::read_to_string(&expected)? == right, "{updated}");
    let ended = desk.plugin(&["test", &plugin]).await?;
    ensure!(ended.code == Some(0) && ended.printed.ends_with("all 5 as expected\n"), "{}", ended.printed);

    desk.write("copy/expected/gone.json", "{}")?;
    let said = desk.cli.refusal(&["plugin", "test", &plugin]).await?;
    ensure!(said.contains("expected/gone.json is expected of no event"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_fault_is_never_as_expected() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("p/plugin.wasm", fs::read(hostile()?)?)?;
    desk.write("p/plugin.toml", "name = \"p\"\nkinds = [\"*\"]\n")?;
    desk.write("p/events/panic.json", br#"{"event_type":"panic"}"#)?;
    let ended = desk.plugin(&["test", "p", "--update", "--json"]).await?;
    let report = ended.json()?;
    ensure!(ended.code == Some(1) && report["cases"][0]["outcome"] == "fault", "{report}");
    ensure!(!desk.dir.path().join("p/expected").exists(), "nothing is written");
    Ok(())
}

#[tokio::test]
async fn watching_runs_again_on_a_change_and_ends_when_told() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let plugin = desk.copy()?;
    let mut watch = system::start(desk.dir.path(), &["plugin", "test", &plugin, "--watch", "--json"])?;
    let first: Value = serde_json::from_str(&watch.line().await?)?;
    ensure!(first["failed"] == 0, "{first}");
    desk.write("copy/events/one-more.json", "{}")?;
    let second: Value = serde_json::from_str(&watch.line().await?)?;
    ensure!(second["failed"] == 1 && second["cases"].as_array().is_some_and(|it| it.len() == 6), "{second}");
    desk.write("copy/plugin.wasm", "half a build")?;
    system::until("the broken component is told of", async || {
        Ok(Some(watch.log()?).filter(|log| log.contains("not WebAssembly")))
    })
    .await?;
    watch.signal("INT").await?;
    ensure!(watch.ended().await?.success(), "{}", watch.log()?);
    Ok(())
}

#[tokio::test]
async fn checking_says_what_a_plugin_is_and_asks_for() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let dir = system::plugin("rust")?;
    let ended = desk.plugin(&["check", &dir.to_string_lossy(), "--json"]).await?;
    let report = ended.json()?;
    ensure!(ended.code == Some(0) && report["problems"] == json!([]), "{report}");
    let component = &report["component"];
    let log = json!(["tidegate:plugin/log@1.0.0"]);
    ensure!(component["imports"] == log && component["exports"] == report["contracts"], "{report}");
    // All but one that the linker adds.
    let [all, named] = ["functions", "functions_named"].map(|key| component[key].as_u64().unwrap_or(0));
    ensure!(named <= all && named + 2 > all && named > 50, "names are kept: {report}");
    ensure!(component["made_with"].to_string().contains("rustc"), "{report}");
    ensure!(
        report["manifest"]["name"] == "loan-notice" && report["limits"]["wall_time_ms"] == 200,
        "{report}"
    );
    ensure!(report["at_rest_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{report}");
    ensure!(report["compile_us"].as_u64().is_some_and(|us| us > 0), "{report}");
    Ok(())
}

#[tokio::test]
async fn checking_says_one_sentence_per_problem() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let wasi = r#"(component (import "wasi:clocks/monotonic-clock@0.3.0" (instance (export "now" (func (result u64))))))"#;
    let older = r#"(component (instance $i) (export "tidegate:plugin/handler@0.9.0" (instance $i)))"#;
    let cases = [
        ("wasi.wasm", wat::parse_str(wasi)?, "imports", "`wasi:clocks/monotonic-clock@0.3.0`"),
        ("older.wasm", wat::parse_str(older)?, "no_handler", "accepted is `tidegate:plugin/handler@1.0.0"),
        ("module.wasm", wat::parse_str("(module)")?, "core_module", "wasm-tools component new"),
        ("text.wasm", b"#!/bin/sh".to_vec(), "not_wasm", "not WebAssembly"),
    ];
    for (file, component, name, sentence) in cases {
        let path = desk.write(file, component)?;
        let ended = desk.plugin(&["check", &path, "--json"]).await?;
        let problems = ended.json()?["problems"].clone();
        ensure!(ended.code == Some(1) && problems[0]["name"] == name, "{file}: {problems}");
        ensure!(problems[0]["text"].as_str().is_some_and(|text| text.contains(sentence)), "{problems}");
        let printed = desk.plugin(&["check", &path]).await?.printed;
        ensure!(printed.contains(&format!("tidegate plugin explain {name}")), "{printed}");
        let said = desk.cli.refusal(&["plugin", "run", &path, &path]).await?;
        ensure!(said.contains(&format!("tidegate plugin explain {name}")), "{said}");
    }
    desk.copy()?;
    let manifest = "name = \"greedy\"\nkinds = [\"*\"]\n[limits]\nmemory_bytes = 999999999\n";
    desk.write("copy/plugin.toml", manifest)?;
    let ended = desk.plugin(&["check", "copy"]).await?;
    ensure!(ended.code == Some(1), "{}", ended.printed);
    ensure!(
        ended.printed.contains("memory_bytes = 999999999 is over the operator's 67108864"),
        "{}",
        ended.printed
    );
    Ok(())
}

#[tokio::test]
async fn measuring_asks_about_each_event_in_turn() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let plugin = desk.copy()?;
    let report = desk.plugin(&["bench", &plugin, "--events", "23", "--json"]).await?.json()?;
    let rows = report["rows"].as_array().context("rows")?;
    let asked: Vec<_> = rows.iter().map(|row| row["events"].as_u64()).collect();
    ensure!(asked == [23, 5, 5, 5, 4, 4].map(Some), "{report}");
    for row in rows {
        let [p50, p99, max] = ["p50_us", "p99_us", "max_us"].map(|key| row[key].as_u64());
        ensure!(p50.is_some() && p50 <= p99 && p99 <= max, "{row}");
        ensure!(row["memory_bytes"].as_u64() >= report["at_rest_bytes"].as_u64(), "{row}");
    }
    fs::remove_dir_all(desk.dir.path().join("copy/events"))?;
    let ended = desk.plugin(&["bench", &plugin, "--events", "3"]).await?;
    ensure!(ended.code == Some(0) && ended.printed.contains("of its limits"), "{}", ended.printed);
    Ok(())
}

#[tokio::test]
async fn every_trouble_is_listed_and_explained() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let listed = desk.plugin(&["explain", "--json"]).await?.printed;
    let list = desk.plugin(&["explain"]).await?.printed;
    let mut count = 0;
    for line in listed.lines() {
        let row: Value = serde_json::from_str(line)?;
        let name = row["name"].as_str().context("a name")?;
        ensure!(list.lines().any(|line| line.starts_with(name)), "{name} is listed");
        count += 1;
    }
    ensure!(count >= 20, "{listed}");
    let printed = desk.plugin(&["explain", "memory-bytes"]).await?.printed;
    for part in ["limits.memory_bytes, 67108864", "As the author:", "As the operator:"] {
        ensure!(printed.contains(part), "{printed}");
    }
    let unknown = desk.plugin(&["explain", "bad-luck"]).await?;
    ensure!(unknown.code == Some(2) && unknown.said.contains("lists all names"), "{}", unknown.said);
    Ok(())
}
