//! Remembers what a component was made of, so that it is not made again of the same. Knows nothing of languages.

use crate::build::Made;
use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Files beside a plugin's sources that do not go into its component.
const NOT_SOURCES: [&str; 7] = [
    "plugin.wasm",
    "plugin.wasm.minisig",
    "mirror.wasm",
    "guest.wasm",
    "plugin.toml",
    "README.md",
    "Cargo.lock",
];

/// Folders beside a plugin's sources that do not go into its component: its cases, and what builds leave. Nor does any
/// whose name starts with a dot.
const NOT_SOURCE_DIRS: [&str; 8] =
    ["events", "expected", "target", "node_modules", "__pycache__", "build", "dist", "zig-out"];

/// Folders within folders, beyond which nothing is a source.
const DEPTH_MAX: usize = 8;

/// Everything that goes into a component, as it is hashed.
pub(crate) struct Ingredients(Sha256);

impl Ingredients {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds some text or bytes; `name` keeps two neighbours apart.
    pub(crate) fn add(&mut self, name: &str, bytes: impl AsRef<[u8]>) {
        self.0.update(format!("{name} {}\n", bytes.as_ref().len()));
        self.0.update(bytes);
    }

    /// Adds every file of a folder that goes into a component, by name and content; a folder that is not there has none.
    pub(crate) fn add_sources(&mut self, dir: &Path) -> Result<()> {
        if !dir.exists() {
            return Ok(());
        }
        for path in sources(dir)? {
            let name = path.strip_prefix(dir)?.to_string_lossy().into_owned();
            self.add(&name, fs::read(&path).with_context(|| format!("read {}", path.display()))?);
        }
        Ok(())
    }

    /// Calls `make` unless `out` is what it made of the same ingredients; `note` is the file that remembers.
    pub(crate) fn unless_made(
        self,
        out: &Path,
        note: &Path,
        make: impl FnOnce() -> Result<()>,
    ) -> Result<Made> {
        let of = hex::encode(self.0.finalize());
        let line = |out: &Path| {
            Ok::<_, anyhow::Error>(format!("{of} {}\n", hex::encode(Sha256::digest(read(out)?))))
        };
        if fs::read_to_string(note).is_ok_and(|noted| line(out).is_ok_and(|line| noted == line)) {
            return Ok(Made::Before);
        }
        make()?;
        fs::write(note, line(out)?).with_context(|| format!("write {}", note.display()))?;
        Ok(Made::Now)
    }
}

/// The files of a folder that go into a component, in order of their paths; of a plugin's, those of its own copies of
/// contract and SDK too.
///
/// # Errors
/// When the folder cannot be listed.
pub fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    walk(dir, DEPTH_MAX, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry.with_context(|| format!("list {}", dir.display()))?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth > 0 && !NOT_SOURCE_DIRS.contains(&name.as_str()) {
                walk(&path, depth - 1, found)?;
            }
        } else if path.is_file() && !NOT_SOURCES.contains(&name.as_str()) {
            found.push(path);
        }
    }
    Ok(())
}

/// The files directly in a folder, in order of their names.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let path = entry.with_context(|| format!("list {}", dir.display()))?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}
