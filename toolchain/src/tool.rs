//! Where a tool of `tools.toml` is on this machine. Installs nothing: `cargo xtask tools --install` does.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::path::PathBuf;

/// The text of `tools.toml`.
pub(crate) const PINNED: &str = include_str!("../../tools.toml");

/// One pinned tool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// What it is called here.
    pub name: String,
    /// Its npm package; a tool has this, `pypi` or `debian`.
    pub npm: Option<String>,
    /// Its PyPI package.
    pub pypi: Option<String>,
    /// Its Debian package: for programs that nobody puts elsewhere.
    pub debian: Option<String>,
    /// Its exact version; `newest` of a Debian package that Debian keeps nothing older of.
    pub version: String,
    /// Names of programs on the PATH that are as good, where one is there.
    #[serde(default)]
    pub programs: Vec<String>,
    /// Of a Debian package: the program in it that is started with the libraries that this machine lacks, which come with
    /// it; `file` is then `run`.
    pub with_libraries: Option<String>,
    /// The file that is used, from the tool's folder.
    pub file: PathBuf,
    /// What it takes on the disk, in megabytes, about.
    pub megabytes: Option<u32>,
}

/// The registry a tool comes from, with its package there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// npm.
    Npm(&'a str),
    /// Python's.
    PyPi(&'a str),
    /// Debian's, unpacked without being installed.
    Debian(&'a str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    tool: Vec<Tool>,
}

/// Reads the text of a `tools.toml`.
///
/// # Errors
/// When it is not well-formed, or a tool has no origin or two.
pub fn parse(text: &str) -> anyhow::Result<Vec<Tool>> {
    let list: List = toml::from_str(text).context("read tools.toml")?;
    for tool in &list.tool {
        tool.origin()?;
    }
    Ok(list.tool)
}

/// The file of an installed tool, by the `tools.toml` that this program was built with.
///
/// # Errors
/// When it is not there; the error says what to type.
pub fn find(name: &str) -> anyhow::Result<PathBuf> {
    let tools = parse(PINNED)?;
    let tool = of(&tools, name)?;
    let path = tool.path()?;
    if !path.exists() {
        bail!(
            "{name} {} is not at {}; type: cargo xtask tools --install (or set {} to a copy of it)",
            tool.version,
            path.display(),
            tool.variable()
        );
    }
    Ok(path)
}

/// The tool of this name.
pub(crate) fn of<'a>(tools: &'a [Tool], name: &str) -> anyhow::Result<&'a Tool> {
    let tool = tools.iter().find(|tool| tool.name == name);
    tool.with_context(|| format!("tools.toml has no `{name}`"))
}

impl Tool {
    /// Where it comes from.
    ///
    /// # Errors
    /// When `tools.toml` names no registry for it, or several.
    pub fn origin(&self) -> anyhow::Result<Origin<'_>> {
        match (&self.npm, &self.pypi, &self.debian) {
            (Some(package), None, None) => Ok(Origin::Npm(package)),
            (None, Some(package), None) => Ok(Origin::PyPi(package)),
            (None, None, Some(package)) => Ok(Origin::Debian(package)),
            _ => bail!("tools.toml: `{}` needs one of `npm`, `pypi` and `debian`", self.name),
        }
    }

    /// The environment variable that names another copy.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("TIDEGATE_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// The folder it is installed in: a per-user cache, keyed by version, so that it survives clones.
    ///
    /// # Errors
    /// When the environment names no home.
    pub fn dir(&self) -> anyhow::Result<PathBuf> {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = variable("TIDEGATE_TOOLS")
            .or_else(|| variable("XDG_CACHE_HOME"))
            .or_else(|| Some(variable("HOME")?.join(".cache")))
            .context("no place for tools: set HOME or TIDEGATE_TOOLS")?;
        Ok(base.join("tidegate/tools").join(format!("{}-{}", self.name, self.version)))
    }

    /// The file that is used, whether or not it is there: what the environment names, what was installed here, or what the
    /// machine has.
    ///
    /// # Errors
    /// As [`Tool::dir`].
    pub fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = std::env::var_os(self.variable()).filter(|path| !path.is_empty()) {
            return Ok(path.into());
        }
        let own = self.dir()?.join(&self.file);
        Ok(if own.exists() { own } else { self.on_path().unwrap_or(own) })
    }

    /// A program of the machine's that is as good.
    fn on_path(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        let mut places =
            self.programs.iter().flat_map(|name| std::env::split_paths(&path).map(move |dir| dir.join(name)));
        places.find(|place| place.is_file())
    }
}
