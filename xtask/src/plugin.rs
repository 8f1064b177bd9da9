//! Which plugins and guests this repository has, and where their components go. Knows nothing of how a
//! component is made: that is `component.rs`.

use crate::component::{build_javascript_component, build_rust_component};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The folders under `plugins` whose sources are Rust.
const RUST_PLUGINS: [&str; 1] = ["rust"];

/// The folders under `plugins` whose sources are JavaScript.
const JAVASCRIPT_PLUGINS: [&str; 1] = ["javascript"];

/// The folders under `tests/guests`; all are Rust.
const GUESTS: [&str; 1] = ["hostile"];

/// Builds every plugin and every guest of the tests, in the repository at `root`. `componentize` is the
/// command of componentize-qjs. Returns the components' paths; those whose sources did not change are not made again.
pub(crate) fn build_all(root: &Path, componentize: &Path) -> Result<Vec<PathBuf>> {
    let mut components = build_plugins(root, componentize)?;
    components.extend(build_guests(root)?);
    Ok(components)
}

/// Builds what is under `plugins`: each folder gets its `plugin.wasm`.
pub(crate) fn build_plugins(root: &Path, componentize: &Path) -> Result<Vec<PathBuf>> {
    let mut components = Vec::new();
    for name in RUST_PLUGINS {
        let dir = root.join("plugins").join(name);
        let out = dir.join("plugin.wasm");
        build_rust_component(root, &dir, &out)?;
        components.push(out);
    }
    for name in JAVASCRIPT_PLUGINS {
        let dir = root.join("plugins").join(name);
        let out = dir.join("plugin.wasm");
        build_javascript_component(&root.join("wit/v1"), &dir, componentize, &out)?;
        components.push(out);
    }
    Ok(components)
}

/// Builds the guests of the tests: each folder gets its `guest.wasm`.
pub(crate) fn build_guests(root: &Path) -> Result<Vec<PathBuf>> {
    let mut components = Vec::new();
    for name in GUESTS {
        let dir = root.join("tests/guests").join(name);
        let out = dir.join("guest.wasm");
        build_rust_component(root, &dir, &out)?;
        components.push(out);
    }
    Ok(components)
}
