//! Keeps compiled code on disk, so that a component is compiled once per machine and version of this program.
//! Knows nothing of what makes a component a plugin.

use super::SandboxConfig;
use super::admission::AdmissionError;
use super::compiler;
use super::engine::Engines;
use anyhow::Context;
use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tidegate_envelope::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Makes the folder, readable and writable by its owner alone: what lies in it is run as machine code.
pub(super) fn make_dir(dir: &Path) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).with_context(|| format!("make the folder of compiled code {}", dir.display()))
}

/// Held while something is compiled: one compiler at a time takes memory.
pub(super) type Compiling = Mutex<()>;

/// The component, compiled, once per engine: from the cache when it is there and whole. A cache that cannot be
/// written costs time, not correctness: it is logged and passed over.
pub(super) fn load_or_compile(
    engines: &Engines,
    config: &SandboxConfig,
    compiling: &Compiling,
    component: &[u8],
    digest: &Digest,
) -> Result<Vec<Component>, AdmissionError> {
    let Some(first) = engines.all().first() else {
        return Err(AdmissionError::Host("there is no engine".to_owned()));
    };
    let entry = Entry::new(&config.cache_dir, first, digest);
    let compile = || {
        // It protects nothing that could be half-done.
        let _compiling = compiling.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever compiled meanwhile may have compiled this.
        if let Some(code) = entry.find() {
            return Ok((code, Ok(())));
        }
        let code = compiler::compile(config, engines.kind(), first, component)?;
        let kept = entry.keep(&code);
        Ok((code, kept))
    };
    let (code, is_kept) = entry.find().map_or_else(compile, |code| Ok((code, Ok(()))))?;
    if let Err(error) = &is_kept {
        tracing::warn!("compiled code is not kept: {error:#}");
    }
    load(engines, &entry, &code, is_kept.is_ok())
}

/// The component from the cache, once per engine.
///
/// # Errors
/// When the cache does not have it.
pub(super) fn find(
    engines: &Engines,
    config: &SandboxConfig,
    digest: &Digest,
) -> Result<Vec<Component>, AdmissionError> {
    let gone = || AdmissionError::Host(format!("find the compiled code of component {digest}"));
    let entry = Entry::new(&config.cache_dir, engines.all().first().ok_or_else(gone)?, digest);
    load(engines, &entry, &entry.find().ok_or_else(gone)?, true)
}

/// Whether the cache seems to have it. What is damaged is found when it is loaded.
pub(super) fn is_there(engines: &Engines, config: &SandboxConfig, digest: &Digest) -> bool {
    let entry = engines.all().first().map(|engine| Entry::new(&config.cache_dir, engine, digest));
    entry.is_some_and(|entry| entry.seal.is_file() && entry.code.is_file())
}

fn load(
    engines: &Engines,
    entry: &Entry,
    code: &[u8],
    is_kept: bool,
) -> Result<Vec<Component>, AdmissionError> {
    // The kernel shares the pages of a file between the engines; each copy in memory is one engine's own.
    let load = |engine| match is_kept {
        true => map_file(engine, &entry.code),
        false => copy(engine, code),
    };
    // Sound code that an engine will not load does not fit into its pool.
    let loaded = engines.all().iter().map(load).collect::<Result<Vec<_>, _>>();
    loaded.map_err(|error| AdmissionError::NeedsTooMuch(format!("{error:#}")))
}

/// One component's files: its code, and the code's SHA-256 as text.
struct Entry {
    code: PathBuf,
    seal: PathBuf,
}

impl Entry {
    fn new(dir: &Path, engine: &Engine, digest: &Digest) -> Self {
        // Another version, another processor or another setting is another file.
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        let name = format!("{digest}-{:016x}", settings.finish());
        Self { code: dir.join(format!("{name}.cwasm")), seal: dir.join(format!("{name}.sha256")) }
    }

    /// The code, when it is there and all of it.
    fn find(&self) -> Option<Vec<u8>> {
        let seal = fs::read_to_string(&self.seal).ok()?;
        let code = fs::read(&self.code).ok()?;
        if Digest::of(&code).to_string() == seal {
            return Some(code);
        }
        tracing::warn!("compiled code in {} is damaged, compiling again", self.code.display());
        None
    }

    /// Each file appears whole or not at all; the seal comes last.
    fn keep(&self, code: &[u8]) -> anyhow::Result<()> {
        write_whole(&self.code, code)?;
        write_whole(&self.seal, Digest::of(code).to_string().as_bytes())
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let dir = path.parent().context("find the folder of compiled code")?;
    // A name of its own for each writer, on the same file system as the target.
    let draft = dir.join(format!(".{}-{:?}.part", std::process::id(), std::thread::current().id()));
    fs::write(&draft, bytes).with_context(|| format!("write {}", draft.display()))?;
    fs::rename(&draft, path).with_context(|| format!("move compiled code to {}", path.display()))
}

#[expect(unsafe_code, reason = "wasmtime cannot check that compiled code is its own")]
fn map_file(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: this program wrote the file, into a folder of its own; its hash was right a moment ago; and it is
    // only ever replaced by a rename, never written in place.
    unsafe { Component::deserialize_file(engine, path) }
}

#[expect(unsafe_code, reason = "wasmtime cannot check that compiled code is its own")]
fn copy(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: this program has just compiled these bytes, with an engine of the same settings.
    unsafe { Component::deserialize(engine, code) }
}
