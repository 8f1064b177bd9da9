//! From a plugin's folder to its component: what its `[build]` says, made with the tools of its language, and not
//! made again of the same. Knows nothing of compilers: that is `language.rs`.

use crate::language::{self, Job, Language};
use crate::made::Ingredients;
use crate::tools::Tools;
use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a plugin's component is made: the table `[build]` of its `plugin.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// The language it is written in, one of [`language::ALL`].
    pub language: Option<String>,
    /// Its source file, from the plugin's folder. Languages whose packages name it themselves need none.
    pub source: Option<PathBuf>,
    /// Whether all that the language's library asks of WASI is asked of the host, which has a virtual one; else as
    /// little as can be.
    pub wasi: bool,
    /// Instead of a language: a command for the shell that makes the component, run in the plugin's folder.
    pub command: Option<String>,
}

/// The folders that a build reads and writes.
#[derive(Clone, Debug)]
pub struct Place {
    /// The plugin's folder.
    pub dir: PathBuf,
    /// The folder of the contract's WIT.
    pub contract: PathBuf,
    /// The folder of the language's SDK.
    pub sdk: PathBuf,
    /// A folder for what is made on the way; it outlives the build.
    pub work: PathBuf,
    /// Where the component goes.
    pub out: PathBuf,
}

/// Whether a component was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was.
    Now,
    /// It was there, made of the same things.
    Before,
}

impl Build {
    /// Reads the table out of the text of a `plugin.toml`, whose other keys are not looked at.
    ///
    /// # Errors
    /// When the text is not TOML, or the table has a key that is not known.
    pub fn of(manifest: &str) -> Result<Self> {
        let mut table: toml::Table = manifest.parse().context("read plugin.toml")?;
        let Some(build) = table.remove("build") else { return Ok(Self::default()) };
        build.try_into().context("plugin.toml: build")
    }

    /// The tools it needs, by their names in `tools.toml`.
    ///
    /// # Errors
    /// When its language is not known.
    pub fn tools(&self) -> Result<&'static [&'static str]> {
        Ok(self.language()?.map_or(&[], |language| language.tools))
    }

    /// Makes the component, unless it is there and made of the same.
    ///
    /// # Errors
    /// When the table says too little, a tool is missing, or a compiler finds something: the error is what it printed.
    pub fn run(&self, tools: &Tools, place: &Place) -> Result<Made> {
        let Some(language) = self.language()? else { return self.run_command(place) };
        fs::create_dir_all(&place.work).with_context(|| format!("make {}", place.work.display()))?;
        let source = place.dir.join(self.source.as_deref().unwrap_or(Path::new(language.source)));
        ensure!(
            source.exists(),
            "{} is not there: name the source file in plugin.toml: [build] source = \"...\"",
            source.display()
        );
        let job = Job { tools, place, source: &source, wasi: self.wasi };
        if language.is_incremental {
            // Its own tool knows best what has changed.
            (language.make)(&job)?;
            return Ok(Made::Now);
        }
        let mut ingredients = Ingredients::new();
        ingredients.add("recipe", language.text);
        ingredients.add("steps", language::STEPS);
        ingredients.add("wasi", self.wasi.to_string());
        ingredients.add("source", source.strip_prefix(&place.dir)?.to_string_lossy().as_bytes());
        for folder in [&place.contract, &place.sdk, &place.dir] {
            ingredients.add_sources(folder)?;
        }
        for tool in language.tools {
            // Its path has its version in it.
            ingredients.add(tool, tools.ensure(tool)?.to_string_lossy().as_bytes());
        }
        ingredients.unless_made(&place.out, &place.work.join("made"), || (language.make)(&job))
    }

    fn language(&self) -> Result<Option<&'static Language>> {
        match (&self.language, &self.command) {
            (Some(name), None) => language::find(name).map(Some).with_context(|| {
                let known: Vec<_> = language::ALL.iter().map(|language| language.name).collect();
                format!("plugin.toml: build: no language `{name}` (known: {})", known.join(", "))
            }),
            (None, Some(_)) => Ok(None),
            _ => bail!("plugin.toml: [build] needs either `language` or `command`"),
        }
    }

    fn run_command(&self, place: &Place) -> Result<Made> {
        let line = self.command.as_deref().unwrap_or_default();
        let status = Command::new("sh").args(["-c", line]).current_dir(&place.dir).status();
        let status = status.with_context(|| format!("start `{line}`"))?;
        ensure!(status.success(), "`{line}` failed ({status})");
        ensure!(place.out.exists(), "`{line}` made no {}", place.out.display());
        Ok(Made::Now)
    }
}
