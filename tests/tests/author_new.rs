//! From an empty folder to a plugin of one's own: `tidegate plugin new`, then what the language's tools make of it.

use anyhow::{Context as _, ensure};
use std::fs;
use std::path::Path;
use tidegate_tests::edge::root;
use tidegate_tests::system::{self, cli::Cli};
use tokio::process::Command;

/// Builds a new Rust plugin as its README says, with the libraries that are there: what the plugins of this repository
/// are built with.
async fn build_rust(dir: &Path) -> anyhow::Result<()> {
    let target = root().join("target/guests/rust");
    let output = Command::new("cargo")
        .args(["build", "--release", "--offline", "--locked", "--target", "wasm32-unknown-unknown"])
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .await
        .context("start cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let module = fs::read(target.join("wasm32-unknown-unknown/release/door_bell.wasm"))?;
    // What `wasm-tools component new` does.
    let component = wit_component::ComponentEncoder::default().module(&module)?.encode()?;
    fs::write(dir.join("plugin.wasm"), component).context("write the component")
}

#[tokio::test]
async fn a_new_rust_plugin_builds_under_its_own_name_and_passes_its_tests() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::new(dir.path());
    let printed = cli.output(&["plugin", "new", "door-bell", "--lang", "rust"]).await?;
    ensure!(printed.contains("release/door_bell.wasm -o plugin.wasm"), "{printed}");
    build_rust(&dir.path().join("door-bell")).await?;
    let printed = cli.output(&["plugin", "test", "door-bell"]).await?;
    ensure!(printed.ends_with("door-bell: all 5 as expected\n"), "{printed}");
    cli.output(&["plugin", "check", "door-bell"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_new_javascript_plugin_is_its_template_with_the_contract_beside_it() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::new(dir.path());
    cli.output(&["plugin", "new", "bell", "--lang", "javascript"]).await?;
    let (new, there) = (dir.path().join("bell"), system::plugin("javascript")?);
    ensure!(
        fs::read(new.join("wit/plugin.wit"))? == fs::read(root().join("wit/v1/plugin.wit"))?,
        "the contract"
    );
    for path in ["plugin.js", "events/on-loan.json", "expected/on-loan.json"] {
        ensure!(fs::read(new.join(path))? == fs::read(there.join(path))?, "{path}");
    }
    for folder in ["events", "expected"] {
        let count = |dir: &Path| fs::read_dir(dir.join(folder)).map(Iterator::count);
        ensure!(count(&new)? == count(&there)?, "the program is older than {folder}: touch host/build.rs");
    }
    let readme = fs::read_to_string(new.join("README.md"))?;
    ensure!(readme.contains("--wit wit --js plugin.js") && !readme.contains(".."), "{readme}");
    ensure!(!new.join("plugin.wasm").exists(), "nothing of a build is in a template");
    fs::copy(there.join("plugin.wasm"), new.join("plugin.wasm"))?;
    let printed = cli.output(&["plugin", "test", "bell"]).await?;
    ensure!(printed.ends_with("bell: all 5 as expected\n"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_not_empty_and_a_name_that_is_none_are_refused() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cli = Cli::new(dir.path());
    fs::create_dir(dir.path().join("mine"))?;
    fs::write(dir.path().join("mine/notes.txt"), "mine")?;
    for (name, why) in [("mine", "mine is not empty"), ("3d", "a letter"), ("a_b", "cannot name a plugin")] {
        let said = cli.refusal(&["plugin", "new", name, "--lang", "rust"]).await?;
        ensure!(said.contains(why), "{name}: {said}");
    }
    ensure!(
        fs::read_dir(dir.path().join("mine"))?.count() == 1 && !dir.path().join("a_b").exists(),
        "untouched"
    );
    let unknown = cli.run(&["plugin", "new", "x", "--lang", "cobol"]).await?;
    let said = String::from_utf8_lossy(&unknown.stderr);
    ensure!(
        unknown.status.code() == Some(2) && said.contains("possible values") && said.contains("rust"),
        "{said}"
    );
    Ok(())
}
