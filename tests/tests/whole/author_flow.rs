//! From an empty folder to a plugin at work, in every language, as the README says: new, build, test, deploy, in a
//! directory that is neither the repository's nor the host's.

use anyhow::{Context as _, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use tidegate_tests::receiver::Receiver;
use tidegate_tests::sender::{Sender, loan};
use tidegate_tests::system::Dev;
use tidegate_tests::system::cli::Cli;
use tidegate_toolchain::build::Build;
use tidegate_toolchain::language;
use tidegate_toolchain::tools::Tools;

/// Types what the README says, and posts an event.
async fn from_an_empty_folder(language: &str) -> anyhow::Result<()> {
    let needed = language::find(language).context("the language is known")?.tools;
    if !Tools::new()?.has(needed, language)? {
        return Ok(());
    }
    let (host_dir, work_dir) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let receiver = Receiver::start().await?;
    let dev = Dev::start(host_dir.path()).await?;
    let start = Cli::elsewhere(work_dir.path(), host_dir.path());
    let printed = start.output(&["plugin", "new", "--lang", language, "notify"]).await?;
    ensure!(printed.contains("tidegate plugin build"), "{printed}");

    let dir = work_dir.path().join("notify");
    let here = Cli::elsewhere(&dir, host_dir.path());
    let printed = here.output(&["plugin", "build"]).await?;
    ensure!(printed.starts_with("made ./plugin.wasm: ") && printed.contains("imports "), "{printed}");
    let printed = here.output(&["plugin", "test"]).await?;
    ensure!(printed.ends_with("notify: all 5 as expected\n"), "{printed}");
    tell(&dir, &receiver.url("/notices"))?;
    let printed = here.output(&["plugin", "deploy"]).await?;
    ensure!(printed.starts_with("deployed notify "), "{printed}");

    let receipt = Sender::new(dev.ready("request_url"))?.post(&loan(1)).await?;
    let event = here.settled(receipt).await?;
    ensure!(event.plugin.as_ref().is_some_and(|plugin| plugin.as_str() == "notify"), "{event:?}");
    ensure!(event.effects.len() == 1 && receiver.notices().len() == 1, "{event:?}");
    a_mistake_is_found(&here, &dir).await
}

/// Has a new plugin's notices sent to this URL, as its author would.
fn tell(dir: &Path, url: &str) -> anyhow::Result<()> {
    let manifest = dir.join("plugin.toml");
    let text = fs::read_to_string(&manifest)?;
    let there = "http://127.0.0.1:8790/notices";
    ensure!(text.contains(there), "{text}");
    fs::write(&manifest, text.replace(there, url)).context("write plugin.toml")
}

/// The author's source is named when a compiler finds fault with it, and the component that was there stays.
async fn a_mistake_is_found(here: &Cli, dir: &Path) -> anyhow::Result<()> {
    let build = Build::of(&fs::read_to_string(dir.join("plugin.toml"))?)?;
    let source = build.source.unwrap_or(PathBuf::from("src/main.rs"));
    let text = fs::read_to_string(dir.join(&source))?;
    let component = fs::read(dir.join("plugin.wasm"))?;
    fs::write(dir.join(&source), format!("{text}\n)\n"))?;
    let said = here.refusal(&["plugin", "build"]).await?;
    let name = source.to_str().context("the source's name is UTF-8")?;
    let named: Vec<_> = said.lines().filter(|line| line.contains(name)).collect();
    ensure!(!named.iter().any(|line| line.contains(".tidegate")), "a copy is named:\n{said}");
    // Some say where the mistake is, some where they noticed.
    let end = text.lines().count();
    let is_end = |line: &str| (end..=end + 2).any(|number| line.contains(&number.to_string()));
    ensure!(named.into_iter().any(is_end), "{name}:{end} is not named in:\n{said}");
    ensure!(fs::read(dir.join("plugin.wasm"))? == component, "the component was touched");
    Ok(())
}

#[tokio::test]
async fn a_plugin_in_assemblyscript_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("assemblyscript").await
}

#[tokio::test]
async fn a_plugin_in_c_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("c").await
}

#[tokio::test]
async fn a_plugin_in_cpp_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("cpp").await
}

#[tokio::test]
async fn a_plugin_in_go_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("go").await
}

#[tokio::test]
async fn a_plugin_in_javascript_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("javascript").await
}

#[tokio::test]
async fn a_plugin_in_lua_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("lua").await
}

#[tokio::test]
async fn a_plugin_in_python_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("python").await
}

#[tokio::test]
async fn a_plugin_in_rust_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("rust").await
}

#[tokio::test]
async fn a_plugin_in_typescript_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("typescript").await
}

#[tokio::test]
async fn a_plugin_in_zig_is_at_work_after_four_commands() -> anyhow::Result<()> {
    from_an_empty_folder("zig").await
}

#[test]
fn every_language_is_tried_here() {
    let tried = include_str!("author_flow.rs");
    for language in &language::ALL {
        let call = format!("from_an_empty_folder(\"{}\")", language.name);
        assert!(tried.contains(&call), "{} is not tried", language.name);
    }
}
