//! What `tidegate plugin new` writes, and what it refuses. `author_flow.rs` goes on from there.

use anyhow::ensure;
use std::fs;
use std::path::Path;
use tidegate_tests::edge::root;
use tidegate_tests::system::{self, cli::Cli};

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
        ensure!(count(&new)? == count(&there)?, "{folder}");
    }
    let readme = fs::read_to_string(new.join("README.md"))?;
    ensure!(
        readme.starts_with("# bell\n\nA Tidegate plugin in JavaScript") && !readme.contains("../"),
        "{readme}"
    );
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
