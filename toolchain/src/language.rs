//! Makes components, language by language: a file for each compiler, and here what they share. Knows nothing of
//! which plugins there are.
//!
//! Where a language's library insists on WASI's first preview, the module is joined to `language/null-wasi.wat`: it
//! answers each call with "nothing there", and what is written goes on to WASI 0.2, where it is the plugin's log. A
//! component whose module neither writes nor ends itself imports nothing.

mod assembly;
mod c;
mod go;
mod lua;
mod python;
mod rust;
mod script;
mod started;
#[cfg(test)]
mod types;

use crate::build::Place;
use crate::made;
use crate::tools::Tools;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use wasm_encoder::Section as _;
use wasmparser::Payload;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// The world every plugin is of.
const WORLD: &str = "plugin";

/// The stand-in for WASI's first preview.
const NULL_WASI: &str = include_str!("language/null-wasi.wat");

/// The types of what that imports.
const NULL_WASI_TYPES: &str = include_str!("language/null-wasi.wit");

/// The text of the steps that are shared: when it changes, every component is made again.
pub(crate) const STEPS: &str = concat!(
    include_str!("language.rs"),
    include_str!("language/null-wasi.wat"),
    include_str!("language/null-wasi.wit")
);

/// No target but the machine's own, or one that the tools bring.
const NONE: &[&str] = &[];

/// A language, and how its components are made.
pub struct Language {
    /// What it is called, which in this repository is its plugin's folder.
    pub name: &'static str,
    /// The tools it needs, by their names in `tools.toml`.
    pub tools: &'static [&'static str],
    /// The targets that its compiler needs, as rustup calls them.
    pub(crate) targets: &'static [&'static str],
    /// The folders of `sdk` that it uses, its own and those of languages it builds on; one that is not there is not
    /// used.
    pub sdk: &'static [&'static str],
    /// Whether its components import WASI, when a plugin does not say.
    pub(crate) wasi: bool,
    /// The source file when a plugin does not name one.
    pub(crate) source: &'static str,
    pub(crate) make: fn(&Job<'_>) -> Result<()>,
    /// The source of what makes it: when that changes, components are made again.
    pub(crate) text: &'static str,
    /// Whether its own tool knows what has changed, and is asked each time.
    pub(crate) is_incremental: bool,
}

/// The languages, in the order of their names.
pub static ALL: [Language; 10] = [
    Language {
        name: "assemblyscript",
        tools: &["node", "assemblyscript"],
        targets: NONE,
        sdk: &["assemblyscript"],
        wasi: false,
        source: "plugin.ts",
        make: assembly::make,
        text: include_str!("language/assembly.rs"),
        is_incremental: false,
    },
    Language {
        name: "c",
        tools: &["zig"],
        targets: NONE,
        sdk: &["c"],
        wasi: false,
        source: "plugin.c",
        make: c::make_of_c,
        text: include_str!("language/c.rs"),
        is_incremental: false,
    },
    Language {
        name: "cpp",
        tools: &["zig"],
        targets: NONE,
        sdk: &["cpp"],
        wasi: false,
        source: "plugin.cpp",
        make: c::make_of_cpp,
        text: include_str!("language/c.rs"),
        is_incremental: false,
    },
    Language {
        name: "go",
        tools: &["go"],
        targets: NONE,
        sdk: &["go"],
        wasi: false,
        source: "plugin.go",
        make: go::make,
        text: concat!(
            include_str!("language/go.rs"),
            include_str!("language/bridge.go"),
            include_str!("language/started.rs")
        ),
        is_incremental: false,
    },
    Language {
        name: "javascript",
        tools: &["componentize-qjs"],
        targets: NONE,
        sdk: &["javascript"],
        wasi: true,
        source: "plugin.js",
        make: script::make_of_javascript,
        text: include_str!("language/script.rs"),
        is_incremental: false,
    },
    Language {
        name: "lua",
        tools: &["zig"],
        targets: NONE,
        sdk: &["lua"],
        wasi: false,
        source: "plugin.lua",
        make: lua::make,
        text: concat!(include_str!("language/lua.rs"), include_str!("language/c.rs")),
        is_incremental: false,
    },
    Language {
        name: "python",
        tools: &["componentize-py"],
        targets: NONE,
        sdk: &["python"],
        wasi: true,
        source: "plugin.py",
        make: python::make,
        text: include_str!("language/python.rs"),
        is_incremental: false,
    },
    Language {
        name: "rust",
        tools: &[],
        targets: &["wasm32-unknown-unknown"],
        sdk: &["rust"],
        wasi: false,
        source: "Cargo.toml",
        make: rust::make,
        text: include_str!("language/rust.rs"),
        is_incremental: true,
    },
    Language {
        name: "typescript",
        tools: &["node", "typescript", "componentize-qjs"],
        targets: NONE,
        sdk: &["javascript", "typescript"],
        wasi: true,
        source: "plugin.ts",
        make: script::make_of_typescript,
        text: include_str!("language/script.rs"),
        is_incremental: false,
    },
    Language {
        name: "zig",
        tools: &["zig"],
        targets: NONE,
        sdk: &["zig"],
        wasi: false,
        source: "plugin.zig",
        make: c::make_of_zig,
        text: include_str!("language/c.rs"),
        is_incremental: false,
    },
];

/// Where this is 1 in the environment, a language is passed over whose tools the machine cannot have.
pub const OPTIONAL: &str = "TIDEGATE_LANGUAGES_OPTIONAL";

/// Whether [`OPTIONAL`] says that a language may be missing.
#[must_use]
pub fn may_be_missing() -> bool {
    std::env::var_os(OPTIONAL).is_some_and(|value| value == "1")
}

/// The language of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Language> {
    ALL.iter().find(|language| language.name == name)
}

/// One component to make.
pub(crate) struct Job<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) place: &'a Place,
    /// The source file.
    pub(crate) source: &'a Path,
    /// Whether its library may ask WASI.
    pub(crate) wasi: bool,
}

impl Job<'_> {
    /// Writes the bindings of a generator into a folder.
    fn write_bindings(&self, mut generator: Box<dyn WorldGenerator>, dir: &Path) -> Result<()> {
        let (mut resolve, world) = self.contract()?;
        let mut files = Files::default();
        generator.generate(&mut resolve, world, &mut files).context("generate bindings")?;
        for (name, bytes) in files.iter() {
            let path = dir.join(name);
            let parent = path.parent().context("a file is in a folder")?;
            fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
            fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    /// Writes the component of a core module that may import WASI's first preview and may lack its types.
    fn write_component(&self, module: &Path, types: Types) -> Result<()> {
        self.write_encoded(&read(module)?, &stand_in()?, types)
    }

    /// As `write_component`, of a module whose start has been run where that can be.
    fn write_component_started(&self, module: &Path, types: Types) -> Result<()> {
        let (module, stand_in) = (read(module)?, stand_in()?);
        match started::start(&module, &stand_in).context("run the module's start")? {
            Some(started) => self.write_encoded(&started.module, &started.stand_in, types),
            None => self.write_encoded(&module, &stand_in, types),
        }
    }

    fn write_encoded(&self, module: &[u8], stand_in: &[u8], types: Types) -> Result<()> {
        let mut bytes = without_debug_information(module)?;
        if let Types::Missing(encoding) = types {
            let (resolve, world) = self.contract()?;
            embed_component_metadata(&mut bytes, &resolve, world, encoding, false)?;
        }
        let component = ComponentEncoder::default()
            .validate(true)
            .module(&bytes)?
            .adapter("wasi_snapshot_preview1", &with_its_types(stand_in)?)?
            .encode()?;
        fs::write(&self.place.out, component).with_context(|| format!("write {}", self.place.out.display()))
    }

    /// Puts a whole component in its place: whoever reads it meanwhile has the one before.
    fn take(&self, draft: &Path) -> Result<()> {
        let out = &self.place.out;
        fs::rename(draft, out).with_context(|| format!("move the component to {}", out.display()))
    }

    fn contract(&self) -> Result<(Resolve, WorldId)> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(&self.place.contract)?;
        let world = resolve.select_world(&[package], Some(WORLD))?;
        Ok((resolve, world))
    }
}

/// The stand-in for WASI's first preview.
fn stand_in() -> Result<Vec<u8>> {
    wat::parse_str(NULL_WASI).context("assemble null-wasi.wat")
}

/// The stand-in as a module that says which types it imports.
fn with_its_types(stand_in: &[u8]) -> Result<Vec<u8>> {
    let mut module = stand_in.to_vec();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("null-wasi.wit", NULL_WASI_TYPES)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    Ok(module)
}

/// A module without its DWARF, which would be most of it. The names of its functions stay: a fault shows them.
fn without_debug_information(module: &[u8]) -> Result<Vec<u8>> {
    let mut kept = wasm_encoder::Module::HEADER.to_vec();
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        let payload = payload.context("read the module")?;
        let is_debug =
            matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(".debug"));
        if let Some((id, range)) = payload.as_section().filter(|_| !is_debug) {
            let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
            wasm_encoder::RawSection { id, data: &module[range] }.append_to(&mut kept);
        }
    }
    Ok(kept)
}

/// Whether a core module says which world it is of.
enum Types {
    /// Its bindings have put them into it.
    InModule,
    /// They are to be put in, for text in this encoding.
    Missing(StringEncoding),
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

/// Copies the files of a folder that end like this; the folder they come to has no others afterwards.
fn copy(from: &Path, to: &Path, extensions: &[&str]) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("empty {}", to.display()))?;
    }
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for path in made::files(from)? {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if extensions.contains(&&*extension) {
            let name = path.file_name().context("a file has a name")?;
            fs::copy(&path, to.join(name)).with_context(|| format!("copy {}", path.display()))?;
        }
    }
    Ok(())
}

/// Writes files into a folder, by name.
fn write<'a>(to: &Path, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<()> {
    for (name, bytes) in files {
        let path = to.join(name);
        let parent = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
