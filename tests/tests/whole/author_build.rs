//! `tidegate plugin build`, `test --generate` and which host `deploy` finds, where it goes another way than
//! `author_flow.rs`.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tidegate_tests::system::cli::Cli;
use tidegate_tests::system::{self, until};
use tidegate_toolchain::tools::Tools;

/// A new plugin in AssemblyScript, the language that builds fastest, and the commands in its folder.
async fn new_plugin(dir: &Path) -> anyhow::Result<(PathBuf, Cli)> {
    Cli::new(dir).output(&["plugin", "new", "bell", "--lang", "assemblyscript"]).await?;
    let bell = dir.join("bell");
    let cli = Cli::new(&bell);
    Ok((bell, cli))
}

/// Replaces `[build]` in a plugin.toml.
fn build_with(dir: &Path, build: &str) -> anyhow::Result<()> {
    let manifest = dir.join("plugin.toml");
    let text = fs::read_to_string(&manifest)?;
    let (kept, _) = text.split_once("[build]").context("there is a [build]")?;
    fs::write(&manifest, format!("{kept}[build]\n{build}\n")).context("write plugin.toml")
}

#[tokio::test]
async fn what_cannot_be_fetched_is_named_with_the_line_to_type() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let nothing = dir.path().join("nothing");
    fs::create_dir(&nothing)?;
    let nothing = nothing.to_str().context("a path is UTF-8")?;
    for (language, what, missing) in [("c", "zig 0.", "pip"), ("javascript", "componentize-qjs 0.", "npm")] {
        Cli::new(dir.path()).output(&["plugin", "new", language, "--lang", language]).await?;
        let cli = Cli::new(&dir.path().join(language)).with("TIDEGATE_TOOLS", nothing).with("PATH", nothing);
        let said = cli.refusal(&["plugin", "build"]).await?;
        ensure!(said.starts_with(&format!("fetching {what}")), "said before it is tried: {said}");
        ensure!(said.contains(&format!("with {missing}, once for this machine: ")), "{said}");
        ensure!(said.contains(" MB into ") && said.contains(nothing), "{said}");
        ensure!(said.contains("does not start") && said.contains("apt-get install"), "{said}");
        ensure!(said.contains("to fetch it by hand, type: ") && said.contains(" install "), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn without_its_own_contract_and_outside_the_repository_a_plugin_is_built_with_those_of_the_command()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (bell, cli) = new_plugin(dir.path()).await?;
    fs::remove_dir_all(bell.join("wit"))?;
    cli.output(&["plugin", "build"]).await?;
    ensure!(bell.join(".tidegate/brought/wit/plugin.wit").exists() && !bell.join("wit").exists(), "its own");
    let printed = cli.output(&["plugin", "test"]).await?;
    ensure!(printed.ends_with("bell: all 5 as expected\n"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn the_same_sources_are_not_built_again_and_a_change_is_seen() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (bell, cli) = new_plugin(dir.path()).await?;
    let first: Value = cli.json(&["plugin", "build", "--json"]).await?;
    ensure!(first["made"] == "now" && first["language"] == "assemblyscript", "{first}");
    ensure!(first["imports"] == serde_json::json!([]) && first["plugin"] == "bell", "{first}");
    let source = bell.join("notice.ts");
    // A checkout, say: the time is new, the content is not.
    fs::File::options().append(true).open(&source)?.set_modified(SystemTime::now())?;
    let output = cli.run(&["plugin", "test"]).await?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(
        said.contains("plugin.wasm is older than ./notice.ts") && said.contains("plugin build"),
        "{said}"
    );
    let second: Value = cli.json(&["plugin", "build", "--json"]).await?;
    ensure!(second["made"] == "before" && second["sha256"] == first["sha256"], "{second}");
    let output = cli.run(&["plugin", "test"]).await?;
    ensure!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&source)?;
    fs::write(&source, format!("{text}\n// Changed.\n"))?;
    let third: Value = cli.json(&["plugin", "build", "--json"]).await?;
    ensure!(third["made"] == "now", "{third}");
    Ok(())
}

#[tokio::test]
async fn any_other_language_is_a_command_of_its_own() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (bell, cli) = new_plugin(dir.path()).await?;
    fs::copy(system::plugin("rust")?.join("plugin.wasm"), dir.path().join("made-elsewhere.wasm"))?;
    build_with(&bell, "command = \"cp ../made-elsewhere.wasm plugin.wasm\"")?;
    let report: Value = cli.json(&["plugin", "build", "--json"]).await?;
    ensure!(report["made"] == "now" && report["language"] == Value::Null, "{report}");
    build_with(&bell, "command = \"echo notice.xyz:3: no such word; exit 3\"")?;
    let said = cli.refusal(&["plugin", "build"]).await?;
    ensure!(said.contains("making the component with `echo") && said.contains("\nnotice.xyz:3:"), "{said}");
    build_with(&bell, "language = \"cobol\"")?;
    let said = cli.refusal(&["plugin", "build"]).await?;
    ensure!(said.contains("no language `cobol`") && said.contains("assemblyscript"), "{said}");
    Ok(())
}

#[tokio::test]
async fn watching_builds_again_on_a_change_and_ends_when_told() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (bell, _) = new_plugin(dir.path()).await?;
    let mut watch = system::start(dir.path(), &["plugin", "build", "bell", "--watch", "--json"])?;
    let first: Value = serde_json::from_str(&watch.line().await?)?;
    ensure!(first["made"] == "now", "{first}");
    let source = bell.join("notice.ts");
    let text = fs::read_to_string(&source)?;
    fs::write(&source, format!("{text}\n)\n"))?;
    until("the mistake is told of", async || Ok(Some(watch.log()?).filter(|log| log.contains("error: "))))
        .await?;
    fs::write(&source, format!("{text}\n// Changed.\n"))?;
    let second: Value = serde_json::from_str(&watch.line().await?)?;
    ensure!(second["made"] == "now", "{second}");
    watch.signal("INT").await?;
    ensure!(watch.ended().await?.success(), "{}", watch.log()?);
    Ok(())
}

#[tokio::test]
async fn generated_events_find_no_fault_in_the_template_and_one_in_a_plugin_that_says_too_much()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (bell, cli) = new_plugin(dir.path()).await?;
    fs::copy(system::plugin("rust")?.join("plugin.wasm"), bell.join("plugin.wasm"))?;
    let generate = ["plugin", "test", "--generate", "300", "--seed", "7", "--json"];
    let report: Value = cli.json(&generate).await?;
    let count = |name: &str| report[name].as_u64().unwrap_or_default();
    ensure!(count("failed") == 0 && count("decided") > 10 && count("nothing") > 10, "{report}");
    ensure!(count("asked") + count("unwanted") == 300, "{report}");
    ensure!(count("decided") + count("nothing") + count("refused") == count("asked"), "{report}");

    let manifest = bell.join("plugin.toml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, text.replace("[limits]", "[limits]\nresult_bytes = 100"))?;
    let output = cli.run(&generate).await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let failure = &report["failures"][0];
    ensure!(output.status.code() == Some(1) && failure["fault"]["name"] == "result_bytes", "{report}");
    let event = failure["event"].as_str().context("the event is kept")?;
    let output = cli.run(&["plugin", "run", event]).await?;
    ensure!(String::from_utf8(output.stdout)?.contains("explain result_bytes"), "it fails again");
    Ok(())
}

#[tokio::test]
async fn where_no_host_runs_deploying_says_how_to_start_one() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (bell, _) = new_plugin(dir.path()).await?;
    fs::copy(system::plugin("rust")?.join("plugin.wasm"), bell.join("plugin.wasm"))?;
    let said = Cli::elsewhere(&bell, dir.path()).refusal(&["plugin", "deploy"]).await?;
    ensure!(said.contains("start one with `tidegate dev`"), "{said}");
    Ok(())
}

/// A Go plugin is started while its component is made, and nothing of that time and place may be in it.
#[tokio::test]
async fn the_same_go_plugin_has_the_same_bytes_wherever_and_whenever_it_is_built() -> anyhow::Result<()> {
    if !Tools::new()?.has(&["go"], "go")? {
        return Ok(());
    }
    let mut made = Vec::new();
    for _ in 0..2 {
        let dir = tempfile::tempdir()?;
        Cli::new(dir.path()).output(&["plugin", "new", "bell", "--lang", "go"]).await?;
        let plugin = dir.path().join("bell");
        Cli::new(&plugin).output(&["plugin", "build"]).await?;
        made.push(fs::read(plugin.join("plugin.wasm"))?);
    }
    ensure!(made[0] == made[1], "two builds differ");
    Ok(())
}
