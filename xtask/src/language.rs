//! Makes components, language by language: a file for each compiler, and here what they share. Knows nothing of
//! which plugins there are.
//!
//! Every plugin's component imports nothing; a guest of the tests may want WASI. Where a language's library insists on
//! it, the module is joined to `language/null-wasi.wat`, which answers each call with "nothing there".

pub(crate) mod assembly;
pub(crate) mod c;
pub(crate) mod go;
pub(crate) mod python;
pub(crate) mod rust;
pub(crate) mod script;
mod types;

use crate::made;
use crate::tools::Tools;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use wasm_encoder::Section as _;
use wasmparser::Payload;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// The world every plugin is of.
const WORLD: &str = "plugin";

/// The stand-in for WASI.
const NULL_WASI: &str = include_str!("language/null-wasi.wat");

/// The text of the steps that are shared: when it changes, every component is made again.
pub(crate) const STEPS: &str = concat!(include_str!("language.rs"), include_str!("language/null-wasi.wat"));

/// One component to make.
pub(crate) struct Job<'a> {
    /// The repository.
    pub(crate) root: &'a Path,
    pub(crate) tools: &'a Tools,
    /// The folder of the contract's WIT.
    pub(crate) contract: &'a Path,
    /// The folder of the sources.
    pub(crate) dir: &'a Path,
    /// The name of the source file, without what says the language.
    pub(crate) stem: &'a str,
    /// A folder for what is made on the way; it outlives the build.
    pub(crate) work: &'a Path,
    /// Where the component goes.
    pub(crate) out: &'a Path,
}

impl Job<'_> {
    /// The source file.
    fn source(&self, extension: &str) -> PathBuf {
        self.dir.join(self.stem).with_extension(extension)
    }

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
        let mut bytes = without_debug_information(&read(module)?)?;
        if let Types::Missing(encoding) = types {
            let (resolve, world) = self.contract()?;
            embed_component_metadata(&mut bytes, &resolve, world, encoding, false)?;
        }
        let null = wat::parse_str(NULL_WASI).context("assemble null-wasi.wat")?;
        let component = ComponentEncoder::default()
            .validate(true)
            .module(&bytes)?
            .adapter("wasi_snapshot_preview1", &null)?
            .encode()?;
        fs::write(self.out, component).with_context(|| format!("write {}", self.out.display()))
    }

    fn contract(&self) -> Result<(Resolve, WorldId)> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(self.contract)?;
        let world = resolve.select_world(&[package], Some(WORLD))?;
        Ok((resolve, world))
    }
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
