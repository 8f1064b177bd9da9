//! Which plugins and guests this repository has, and where their components go. Knows nothing of how a
//! component is made: that is `language.rs`.

use crate::language::{self, Job};
use crate::made::Ingredients;
use crate::tools::Tools;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder under `plugins`: the loan notice in one language.
struct Plugin {
    /// The folder's name, which is the language's.
    name: &'static str,
    /// The tools it is made with, by their names in `tools.toml`.
    tools: &'static [&'static str],
    /// Makes the component.
    make: fn(&Job<'_>) -> Result<()>,
    /// The source of what makes it: when that changes, it is made again.
    recipe: &'static str,
}

const PLUGINS: [Plugin; 7] = [
    Plugin {
        name: "javascript",
        tools: &["componentize-qjs"],
        make: language::script::make_of_javascript,
        recipe: include_str!("language/script.rs"),
    },
    Plugin {
        name: "typescript",
        tools: &["node", "typescript", "componentize-qjs"],
        make: language::script::make_of_typescript,
        recipe: concat!(include_str!("language/script.rs"), include_str!("language/types.rs")),
    },
    Plugin {
        name: "python",
        tools: &["componentize-py"],
        make: language::python::make,
        recipe: include_str!("language/python.rs"),
    },
    Plugin {
        name: "c",
        tools: &["zig"],
        make: language::c::make_of_c,
        recipe: include_str!("language/c.rs"),
    },
    Plugin {
        name: "cpp",
        tools: &["zig"],
        make: language::c::make_of_cpp,
        recipe: include_str!("language/c.rs"),
    },
    Plugin {
        name: "zig",
        tools: &["zig"],
        make: language::c::make_of_zig,
        recipe: include_str!("language/c.rs"),
    },
    Plugin { name: "go", tools: &["go"], make: language::go::make, recipe: include_str!("language/go.rs") },
];

/// The folder under `plugins` whose sources are Rust: cargo itself knows what has changed.
const RUST: &str = "rust";

/// The folders under `tests/guests` that are not text; all are Rust.
const GUESTS: [&str; 1] = ["hostile"];

/// Builds every plugin and every guest of the tests, in the repository at `root`. Returns the components' paths;
/// those that would be made of the same things again are not.
pub(crate) fn build_all(root: &Path, tools: &Tools) -> Result<Vec<PathBuf>> {
    let mut components = build_plugins(root, tools, &[])?;
    components.extend(build_guests(root)?);
    Ok(components)
}

/// Builds the plugins in these languages, or in all when none is named: each folder gets its `plugin.wasm`.
pub(crate) fn build_plugins(root: &Path, tools: &Tools, languages: &[String]) -> Result<Vec<PathBuf>> {
    let known = || std::iter::once(RUST).chain(PLUGINS.iter().map(|plugin| plugin.name));
    if let Some(unknown) = languages.iter().find(|language| known().all(|known| known != **language)) {
        bail!("there is no plugin in {unknown}; there are: {}", known().collect::<Vec<_>>().join(", "));
    }
    let is_chosen = |name: &str| languages.is_empty() || languages.iter().any(|language| language == name);
    let mut components = Vec::new();
    if is_chosen(RUST) {
        let dir = root.join("plugins").join(RUST);
        let out = dir.join("plugin.wasm");
        language::rust::make(root, &dir, &out)?;
        components.push(out);
    }
    for plugin in PLUGINS.iter().filter(|plugin| is_chosen(plugin.name)) {
        components.push(build(root, tools, plugin)?);
    }
    Ok(components)
}

/// Builds the guests of the tests: each folder gets its `guest.wasm`.
pub(crate) fn build_guests(root: &Path) -> Result<Vec<PathBuf>> {
    let mut components = Vec::new();
    for name in GUESTS {
        let dir = root.join("tests/guests").join(name);
        let out = dir.join("guest.wasm");
        language::rust::make(root, &dir, &out)?;
        components.push(out);
    }
    Ok(components)
}

fn build(root: &Path, tools: &Tools, plugin: &Plugin) -> Result<PathBuf> {
    let dir = root.join("plugins").join(plugin.name);
    let work = root.join("target/guests").join(plugin.name);
    fs::create_dir_all(&work).with_context(|| format!("make {}", work.display()))?;
    let contract = root.join("wit/v1");
    let out = dir.join("plugin.wasm");
    let mut ingredients = Ingredients::new();
    ingredients.add("recipe", plugin.recipe);
    ingredients.add("steps", language::STEPS);
    ingredients.add_sources(&contract)?;
    ingredients.add_sources(&dir)?;
    for tool in plugin.tools {
        // Its path has its version in it.
        ingredients.add(tool, tools.ensure(tool)?.to_string_lossy().as_bytes());
    }
    ingredients.unless_made(&out, &work.join("made"), || {
        eprintln!("+ plugins/{}", plugin.name);
        let job = Job { root, tools, contract: &contract, dir: &dir, work: &work, out: &out };
        (plugin.make)(&job).with_context(|| format!("build the plugin in {}", plugin.name))
    })?;
    Ok(out)
}
