//! Which plugins and guests this repository has, and where their components go. Knows nothing of how a
//! component is made: that is the crate `toolchain`.

use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use tidegate_toolchain::build::{Build, Place};
use tidegate_toolchain::language;
use tidegate_toolchain::progress::Progress;
use tidegate_toolchain::tools::Tools;

/// The plugins that the documentation plays with, and that need no toolchain but Rust's and npm's.
pub(crate) const USUAL: [&str; 2] = ["rust", "javascript"];

/// No language named: all of them.
const NONE: &[&str] = &[];

/// The folders under `tests/guests` that are no text, with their languages and sources; the nosy ones import WASI.
const GUESTS: [(&str, &str, &str); 14] = [
    ("actor", "rust", "Cargo.toml"),
    ("chatty-c", "c", "guest.c"),
    ("chatty-cpp", "cpp", "guest.cpp"),
    ("chatty-go", "go", "guest.go"),
    ("chatty-lua", "lua", "guest.lua"),
    ("chatty-zig", "zig", "guest.zig"),
    ("hostile", "rust", "Cargo.toml"),
    ("hostile-go", "go", "guest.go"),
    ("hostile-javascript", "javascript", "guest.js"),
    ("hostile-lua", "lua", "guest.lua"),
    ("hostile-python", "python", "guest.py"),
    ("nosy", "rust", "Cargo.toml"),
    ("nosy-javascript", "javascript", "guest.js"),
    ("nosy-python", "python", "guest.py"),
];

/// Builds every plugin and every guest of the tests, in the repository at `root`. Returns the components' paths;
/// those that would be made of the same things again are not.
pub(crate) fn build_all(root: &Path, tools: &Tools) -> Result<Vec<PathBuf>> {
    let mut components = build_plugins(root, tools, NONE)?;
    components.extend(build_mirrors(root, tools, NONE)?);
    components.extend(build_guests(root, tools)?);
    Ok(components)
}

/// Builds the plugins in these languages, or in all when none is named: each folder gets its `plugin.wasm`.
pub(crate) fn build_plugins(
    root: &Path,
    tools: &Tools,
    languages: &[impl AsRef<str>],
) -> Result<Vec<PathBuf>> {
    let known = || language::ALL.iter().map(|language| language.name);
    let mut chosen = languages.iter().map(AsRef::as_ref);
    if let Some(unknown) = chosen.find(|language| known().all(|known| known != *language)) {
        bail!("there is no plugin in {unknown}; there are: {}", known().collect::<Vec<_>>().join(", "));
    }
    let is_chosen = |name: &str| languages.is_empty() || languages.iter().any(|it| it.as_ref() == name);
    let mut components = Vec::new();
    for name in known().filter(|name| is_chosen(name)) {
        let dir = root.join("plugins").join(name);
        let build = read_build(&dir.join("plugin.toml"))?;
        components.extend(make(root, tools, &build, &dir, "plugin.wasm")?);
    }
    Ok(components)
}

/// Builds the mirrors of the contract in these languages, or in all when none is named: each folder of
/// `tests/contract` gets its `mirror.wasm`.
pub(crate) fn build_mirrors(
    root: &Path,
    tools: &Tools,
    languages: &[impl AsRef<str>],
) -> Result<Vec<PathBuf>> {
    let parent = root.join("tests/contract");
    let mut dirs = Vec::new();
    for entry in fs::read_dir(&parent).with_context(|| format!("list {}", parent.display()))? {
        dirs.push(entry.with_context(|| format!("list {}", parent.display()))?.path());
    }
    dirs.sort();
    let mut components = Vec::new();
    for dir in dirs {
        let is_chosen =
            languages.is_empty() || languages.iter().any(|language| dir.ends_with(language.as_ref()));
        let manifest = dir.join("plugin.toml");
        if is_chosen && manifest.exists() {
            components.extend(make(root, tools, &read_build(&manifest)?, &dir, "mirror.wasm")?);
        }
    }
    Ok(components)
}

/// What a manifest says of how its component is made.
fn read_build(manifest: &Path) -> Result<Build> {
    let text = fs::read_to_string(manifest).with_context(|| format!("read {}", manifest.display()))?;
    Build::of(&text).with_context(|| manifest.display().to_string())
}

/// Builds a copy of the plugin in Rust that was made to be changed.
pub(crate) fn build_copy(root: &Path, tools: &Tools, dir: &Path) -> Result<()> {
    let build = Build { language: Some("rust".to_owned()), ..Build::default() };
    make(root, tools, &build, dir, "plugin.wasm").map(drop)
}

/// Builds the guests of the tests: each folder gets its `guest.wasm`.
fn build_guests(root: &Path, tools: &Tools) -> Result<Vec<PathBuf>> {
    let mut components = Vec::new();
    for (folder, ..) in GUESTS {
        components.extend(build_guest(root, tools, folder)?);
    }
    Ok(components)
}

/// Builds one of them.
pub(crate) fn build_guest(root: &Path, tools: &Tools, folder: &str) -> Result<Option<PathBuf>> {
    let guest = GUESTS.iter().find(|(name, ..)| *name == folder);
    let (_, language, source) = guest.with_context(|| format!("there is no guest {folder}"))?;
    let build = Build {
        language: Some((*language).to_owned()),
        source: Some(source.into()),
        wasi: Some(folder.starts_with("nosy")),
        ..Build::default()
    };
    make(root, tools, &build, &root.join("tests/guests").join(folder), "guest.wasm")
}

/// Builds one component. `None` when a tool it needs cannot be had, and may be missing.
fn make(root: &Path, tools: &Tools, build: &Build, dir: &Path, name: &str) -> Result<Option<PathBuf>> {
    let shown = dir.strip_prefix(root).unwrap_or(dir).display();
    if !tools.has(build.tools()?, &shown.to_string())? {
        return Ok(None);
    }
    let folder = dir.file_name().context("a plugin's folder has a name")?.to_string_lossy();
    let work = if name == "mirror.wasm" { format!("mirror-{folder}") } else { folder.into_owned() };
    let place = Place {
        dir: dir.to_owned(),
        contract: root.join("wit/v1"),
        sdk: root.join("sdk").join(build.language.as_deref().unwrap_or_default()),
        work: root.join("target/guests").join(work),
        out: dir.join(name),
    };
    let mut say = |progress: Progress| eprintln!("+ {shown}: {progress}");
    build.run(tools, &place, &mut say).with_context(|| format!("build {shown}"))?;
    Ok(Some(place.out))
}
