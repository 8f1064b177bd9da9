//! From a plugin's folder to its component: what its `[build]` says, made with the tools of its language, and not
//! made again of the same. Knows nothing of compilers: that is `language.rs`.

use crate::language::{self, Job, Language};
use crate::made::{self, Ingredients};
use crate::progress::Progress;
use crate::shell::{self, Failed};
use crate::tools::{self, Tools};
use anyhow::{Context as _, Error, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

pub use made::sources;

/// Folders within the work folder that hold copies of the author's files for a compiler to see.
const COPIES: [&str; 3] = ["sources", "program/source", "modules"];

/// Where componentize-py's Python sees the first folder of sources, after which a file's name comes in its tracebacks.
const PYTHON_ROOT: &str = "/0/";

/// How a plugin's component is made: the table `[build]` of its `plugin.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// The language it is written in, one of [`language::ALL`].
    pub language: Option<String>,
    /// Its source file, from the plugin's folder. Languages whose packages name it themselves need none.
    pub source: Option<PathBuf>,
    /// Whether the component imports WASI, where the language leaves a choice. Without it there is no log, and what the
    /// language's library wants of WASI fails.
    pub wasi: Option<bool>,
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
    /// The folder of the language's SDK; those of other languages that it builds on are beside it.
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

    /// Makes the component, unless it is there and made of the same. Each thing that takes time is said before.
    ///
    /// # Errors
    /// When the table says too little, a tool is missing, or a compiler finds something: then the error is a [`Failed`],
    /// whose words name the author's files from the plugin's folder.
    pub fn run(&self, tools: &Tools, place: &Place, say: &mut dyn FnMut(Progress)) -> Result<Made> {
        let Some(language) = self.language()? else { return self.run_command(place, say) };
        fs::create_dir_all(&place.work).with_context(|| format!("make {}", place.work.display()))?;
        let source = place.dir.join(self.source.as_deref().unwrap_or(Path::new(language.source)));
        ensure!(
            source.exists(),
            "{} is not there: name the source file in plugin.toml: [build] source = \"...\"",
            source.display()
        );
        for target in language.targets {
            tools::fetch_target(target, say)?;
        }
        for tool in language.tools {
            tools.fetch(tool, say)?;
        }
        let with = if language.tools.is_empty() { "cargo".to_owned() } else { language.tools.join(" and ") };
        let making = Progress::Making { with };
        let job = Job { tools, place, source: &source, wasi: self.wasi.unwrap_or(language.wasi) };
        let made = if language.is_incremental {
            say(making);
            // Its own tool knows best what has changed.
            (language.make)(&job).map(|()| Made::Now)
        } else {
            ingredients(language, &job)?.unless_made(&place.out, &place.work.join("made"), || {
                say(making);
                (language.make)(&job)
            })
        };
        let made = made.map_err(|error| in_the_authors_words(error, place))?;
        mark(place).map(|()| made)
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

    fn run_command(&self, place: &Place, say: &mut dyn FnMut(Progress)) -> Result<Made> {
        let line = self.command.as_deref().unwrap_or_default();
        say(Progress::Making { with: format!("`{line}`") });
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&place.dir);
        shell::run_quietly(&mut command, line)?;
        ensure!(place.out.exists(), "`{line}` made no {}", place.out.display());
        mark(place).map(|()| Made::Now)
    }
}

/// Everything that goes into the component.
fn ingredients(language: &Language, job: &Job<'_>) -> Result<Ingredients> {
    let Job { tools, place, source, wasi } = job;
    let mut ingredients = Ingredients::new();
    ingredients.add("recipe", language.text);
    ingredients.add("steps", language::STEPS);
    ingredients.add("wasi", wasi.to_string());
    ingredients.add("source", source.strip_prefix(&place.dir)?.to_string_lossy().as_bytes());
    for sdk in language.sdk {
        ingredients.add_sources(&place.sdk.with_file_name(sdk))?;
    }
    for folder in [&place.contract, &place.dir] {
        ingredients.add_sources(folder)?;
    }
    for tool in language.tools {
        // Its path has its version in it.
        ingredients.add(tool, tools.ensure(tool)?.to_string_lossy().as_bytes());
    }
    Ok(ingredients)
}

/// Gives the component the time of the newest source when its own is older: a source whose time alone is new does not
/// make it old.
fn mark(place: &Place) -> Result<()> {
    let Some((_, newest)) = newest_source(&place.dir)? else { return Ok(()) };
    let out = File::options().append(true).open(&place.out);
    let out = out.with_context(|| format!("open {}", place.out.display()))?;
    if out.metadata()?.modified()? < newest {
        out.set_modified(newest).with_context(|| format!("date {}", place.out.display()))?;
    }
    Ok(())
}

/// The file of a plugin's folder that was changed last and goes into its component, with the time of the change.
///
/// # Errors
/// When the folder cannot be listed.
pub fn newest_source(dir: &Path) -> Result<Option<(PathBuf, std::time::SystemTime)>> {
    let mut newest = None;
    for path in made::sources(dir)? {
        let time = fs::metadata(&path).and_then(|found| found.modified());
        let time = time.with_context(|| format!("look at {}", path.display()))?;
        if newest.as_ref().is_none_or(|(_, than)| time > *than) {
            newest = Some((path, time));
        }
    }
    Ok(newest)
}

/// A compiler's words with the author's files in place of the copies that it saw.
fn in_the_authors_words(error: Error, place: &Place) -> Error {
    let mut failed = match error.downcast::<Failed>() {
        Ok(failed) => failed,
        Err(error) => return error,
    };
    let files = made::files(&place.dir).unwrap_or_default();
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    for copies in COPIES {
        let whole = format!("{}/", place.work.join(copies).display());
        failed.printed = failed.printed.replace(&whole, "");
        let last = Path::new(copies).file_name().unwrap_or_default().display();
        for name in &names {
            let copied = format!("{last}/{name}");
            failed.printed = failed.printed.replace(&format!("./{copied}"), name).replace(&copied, name);
        }
    }
    for root in [format!("{}/", place.dir.display()), PYTHON_ROOT.to_owned()] {
        failed.printed = failed.printed.replace(&root, "");
    }
    failed.into()
}
