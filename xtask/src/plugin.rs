//! Which plugins and guests this repository has, and where their components go. Knows nothing of how a
//! component is made: that is `language.rs`.

use crate::language::{self, Job};
use crate::made::Ingredients;
use crate::tools::Tools;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// One component that is not Rust: a folder, and how what is in it is made.
struct Source {
    /// The folder, which for a plugin is its language.
    folder: &'static str,
    /// The name of its source file, without what says the language.
    stem: &'static str,
    recipe: &'static Recipe,
}

/// How the components of a language are made.
struct Recipe {
    /// The tools it is made with, by their names in `tools.toml`.
    tools: &'static [&'static str],
    make: fn(&Job<'_>) -> Result<()>,
    /// The source of what makes it: when that changes, components are made again.
    text: &'static str,
}

const JAVASCRIPT: Recipe = Recipe {
    tools: &["componentize-qjs"],
    make: language::script::make_of_javascript,
    text: include_str!("language/script.rs"),
};
const JAVASCRIPT_WITH_WASI: Recipe = Recipe {
    tools: &["componentize-qjs"],
    make: language::script::make_with_wasi,
    text: include_str!("language/script.rs"),
};
const TYPESCRIPT: Recipe = Recipe {
    tools: &["node", "typescript", "componentize-qjs"],
    make: language::script::make_of_typescript,
    text: concat!(include_str!("language/script.rs"), include_str!("language/types.rs")),
};
const PYTHON: Recipe = Recipe {
    tools: &["componentize-py"],
    make: language::python::make,
    text: include_str!("language/python.rs"),
};
const PYTHON_WITH_WASI: Recipe = Recipe {
    tools: &["componentize-py"],
    make: language::python::make_with_wasi,
    text: include_str!("language/python.rs"),
};
const GO: Recipe = Recipe { tools: &["go"], make: language::go::make, text: include_str!("language/go.rs") };
const C: Recipe =
    Recipe { tools: &["zig"], make: language::c::make_of_c, text: include_str!("language/c.rs") };
const CPP: Recipe =
    Recipe { tools: &["zig"], make: language::c::make_of_cpp, text: include_str!("language/c.rs") };
const ZIG: Recipe =
    Recipe { tools: &["zig"], make: language::c::make_of_zig, text: include_str!("language/c.rs") };

const ASSEMBLYSCRIPT: Recipe = Recipe {
    tools: &["node", "assemblyscript"],
    make: language::assembly::make,
    text: include_str!("language/assembly.rs"),
};

/// The folders under `plugins`, each the loan notice in one language; `RUST` is the other.
const PLUGINS: [Source; 8] = [
    Source { folder: "javascript", stem: "plugin", recipe: &JAVASCRIPT },
    Source { folder: "typescript", stem: "notice", recipe: &TYPESCRIPT },
    Source { folder: "python", stem: "notice", recipe: &PYTHON },
    Source { folder: "go", stem: "notice", recipe: &GO },
    Source { folder: "c", stem: "notice", recipe: &C },
    Source { folder: "cpp", stem: "notice", recipe: &CPP },
    Source { folder: "zig", stem: "notice", recipe: &ZIG },
    Source { folder: "assemblyscript", stem: "notice", recipe: &ASSEMBLYSCRIPT },
];

/// Where a language is passed over whose tools this machine cannot have; the tests read it too.
const OPTIONAL: &str = "TIDEGATE_LANGUAGES_OPTIONAL";

/// The plugins that the documentation plays with, and that need no toolchain but Rust's and npm's.
pub(crate) const USUAL: [&str; 2] = [RUST, "javascript"];

/// No language named: all of them.
const NONE: &[&str] = &[];

/// The folder under `plugins` whose sources are Rust: cargo itself knows what has changed.
const RUST: &str = "rust";

/// The folders under `tests/guests` that are not text; `RUST_GUEST` and `NOSY_RUST_GUEST` are the others.
const GUESTS: [Source; 5] = [
    Source { folder: "hostile-javascript", stem: "guest", recipe: &JAVASCRIPT },
    Source { folder: "hostile-python", stem: "guest", recipe: &PYTHON },
    Source { folder: "nosy-javascript", stem: "guest", recipe: &JAVASCRIPT_WITH_WASI },
    Source { folder: "nosy-python", stem: "guest", recipe: &PYTHON_WITH_WASI },
    Source { folder: "hostile-go", stem: "guest", recipe: &GO },
];

/// The folder under `tests/guests` whose sources are Rust.
const RUST_GUEST: &str = "hostile";

/// The one that asks WASI.
const NOSY_RUST_GUEST: &str = "nosy";

/// Builds every plugin and every guest of the tests, in the repository at `root`. Returns the components' paths;
/// those that would be made of the same things again are not.
pub(crate) fn build_all(root: &Path, tools: &Tools) -> Result<Vec<PathBuf>> {
    let mut components = build_plugins(root, tools, NONE)?;
    components.extend(build_guests(root, tools)?);
    Ok(components)
}

/// Builds the plugins in these languages, or in all when none is named: each folder gets its `plugin.wasm`.
pub(crate) fn build_plugins(
    root: &Path,
    tools: &Tools,
    languages: &[impl AsRef<str>],
) -> Result<Vec<PathBuf>> {
    let known = || std::iter::once(RUST).chain(PLUGINS.iter().map(|plugin| plugin.folder));
    let mut chosen = languages.iter().map(AsRef::as_ref);
    if let Some(unknown) = chosen.find(|language| known().all(|known| known != *language)) {
        bail!("there is no plugin in {unknown}; there are: {}", known().collect::<Vec<_>>().join(", "));
    }
    let is_chosen = |name: &str| languages.is_empty() || languages.iter().any(|it| it.as_ref() == name);
    let mut components = Vec::new();
    if is_chosen(RUST) {
        let dir = root.join("plugins").join(RUST);
        let out = dir.join("plugin.wasm");
        language::rust::make(root, &dir, &out)?;
        components.push(out);
    }
    for plugin in PLUGINS.iter().filter(|plugin| is_chosen(plugin.folder)) {
        let dir = root.join("plugins").join(plugin.folder);
        components.extend(build(root, tools, plugin, &dir, "plugin.wasm")?);
    }
    Ok(components)
}

/// Builds the guests of the tests: each folder gets its `guest.wasm`.
pub(crate) fn build_guests(root: &Path, tools: &Tools) -> Result<Vec<PathBuf>> {
    let dir = root.join("tests/guests");
    let out = dir.join(RUST_GUEST).join("guest.wasm");
    language::rust::make(root, &dir.join(RUST_GUEST), &out)?;
    let nosy = dir.join(NOSY_RUST_GUEST).join("guest.wasm");
    language::rust::make_with_wasi(root, &dir.join(NOSY_RUST_GUEST), &nosy)?;
    let mut components = vec![out, nosy];
    for guest in &GUESTS {
        components.extend(build(root, tools, guest, &dir.join(guest.folder), "guest.wasm")?);
    }
    Ok(components)
}

/// Builds one component. `None` when a tool it needs cannot be had, and `OPTIONAL` says that this may be.
fn build(root: &Path, tools: &Tools, source: &Source, dir: &Path, name: &str) -> Result<Option<PathBuf>> {
    let Recipe { tools: needed, make, text } = source.recipe;
    let work = root.join("target/guests").join(source.folder);
    fs::create_dir_all(&work).with_context(|| format!("make {}", work.display()))?;
    let contract = root.join("wit/v1");
    let out = dir.join(name);
    let mut ingredients = Ingredients::new();
    ingredients.add("recipe", text);
    ingredients.add("steps", language::STEPS);
    ingredients.add_sources(&contract)?;
    ingredients.add_sources(dir)?;
    for tool in *needed {
        match tools.ensure(tool) {
            // Its path has its version in it.
            Ok(path) => ingredients.add(tool, path.to_string_lossy().as_bytes()),
            Err(error) if std::env::var_os(OPTIONAL).is_some_and(|value| value == "1") => {
                eprintln!("passed over: {}: {error:#}", dir.strip_prefix(root).unwrap_or(dir).display());
                return Ok(None);
            }
            Err(error) => {
                let dir = dir.strip_prefix(root).unwrap_or(dir).display();
                return Err(error.context(format!("build {dir} (or set {OPTIONAL}=1 to do without)")));
            }
        }
    }
    ingredients.unless_made(&out, &work.join("made"), || {
        eprintln!("+ {}", dir.strip_prefix(root).unwrap_or(dir).display());
        let job = Job { root, tools, contract: &contract, dir, stem: source.stem, work: &work, out: &out };
        make(&job).with_context(|| format!("build {}", dir.display()))
    })?;
    Ok(Some(out))
}
