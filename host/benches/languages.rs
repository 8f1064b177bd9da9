//! The same plugin in every language: how large it is, how long it takes to compile, what a call costs in a fresh
//! instance (as the sandbox asks) and in one that was used before (as it never does), what 64 instances hold at once, and what a
//! neighbour that spins costs. Prints a table in Markdown and a line of JSON per figure; needs `cargo xtask plugins`.

#[path = "sandbox/bare.rs"]
#[expect(dead_code, reason = "a used instance is the sandbox's own here")]
mod bare;
#[path = "languages/figures.rs"]
mod figures;
#[path = "languages/neighbour.rs"]
mod neighbour;
#[path = "languages/timing.rs"]
mod timing;

use bare::{root, sample};
use figures::Figures;
use std::fs;
use std::path::PathBuf;

/// The folders of plugins that have a component, by the names of their languages.
fn languages() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("plugins"))? {
        let folder = entry?.path();
        if folder.join("plugin.toml").exists() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, folder.join("plugin.wasm")));
        }
    }
    found.sort();
    Ok(found)
}

fn main() -> anyhow::Result<()> {
    let event = sample();
    let mut all = Vec::new();
    for (language, path) in languages()? {
        eprintln!("measuring: {language}");
        all.push(Figures::measure(language, &path, &event)?);
    }
    all.sort_by(|one, other| one.fresh_us.percentile(50).total_cmp(&other.fresh_us.percentile(50)));
    println!("{}", figures::HEAD);
    all.iter().for_each(|figures| println!("{}", figures.row()));
    all.iter().for_each(Figures::print_json);
    for language in ["rust", "javascript", "go"] {
        eprintln!("measuring: {language} beside a plugin that spins");
        neighbour::measure(language, &event)?.print_json();
    }
    Ok(())
}
