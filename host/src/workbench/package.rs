//! A plugin as it lies on an author's disk: a component, and the manifest beside it. Knows nothing of running it.

use crate::plugin::{LimitsAsked, Manifest, PluginName, RetryAsked};
use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tidegate_toolchain::build::{self, Build};

/// What is kept beside the component, for people and tools.
const MANIFEST: &str = "plugin.toml";

/// Where a plugin's parts are.
#[derive(Clone, Debug)]
pub struct Package {
    /// The directory with the manifest.
    pub dir: PathBuf,
    /// The component's file.
    pub component: PathBuf,
    /// What the manifest says; `None` when there is none beside the component.
    pub manifest: Option<Manifest>,
}

impl Package {
    /// Finds the parts: of a directory with a `plugin.toml`, or of a component by itself. Does not read the component.
    ///
    /// # Errors
    /// When there is nothing there, a directory has no manifest, or a manifest is malformed.
    pub fn find(path: &Path) -> anyhow::Result<Self> {
        ensure!(path.exists(), "there is no {}: name a plugin's directory or its component", path.display());
        let is_dir = path.is_dir();
        let dir = if is_dir { path } else { path.parent().unwrap_or(Path::new("")) };
        let file = dir.join(MANIFEST);
        let manifest = if is_dir || file.exists() { Some(read_manifest(&file)?) } else { None };
        let component = match &manifest {
            Some(manifest) if is_dir => dir.join(&manifest.component),
            _ => path.to_owned(),
        };
        Ok(Self { dir: dir.to_owned(), component, manifest })
    }

    /// The manifest.
    ///
    /// # Errors
    /// When there is none.
    pub fn manifest(&self) -> anyhow::Result<&Manifest> {
        self.manifest.as_ref().with_context(|| {
            format!(
                "read {}: a plugin is described by a {MANIFEST} beside its component",
                self.dir.join(MANIFEST).display()
            )
        })
    }

    /// The manifest; for a component that has none, one that wants every kind, may reach nothing and sets nothing.
    ///
    /// # Errors
    /// When the manifest does not say what the component is called: its file's name cannot name a plugin.
    pub fn manifest_or_usual(&self) -> anyhow::Result<Manifest> {
        if let Some(manifest) = &self.manifest {
            return Ok(manifest.clone());
        }
        let stem = self.component.file_stem().unwrap_or_default().to_string_lossy();
        let name = stem.to_lowercase().replace(['_', '.', ' '], "-");
        Ok(Manifest {
            name: PluginName::new(&name).context("name a plugin after its component")?,
            component: stem.into_owned(),
            kinds: vec!["*".to_owned()],
            hosts: Vec::new(),
            secrets: Vec::new(),
            emits: Vec::new(),
            arrivals: Vec::new(),
            writes_back_to: Vec::new(),
            retry: RetryAsked::default(),
            settings: BTreeMap::new(),
            limits: LimitsAsked::default(),
            build: Build::default(),
        })
    }

    /// Sets some of the plugin's settings over its manifest, each as `NAME=VALUE`.
    ///
    /// # Errors
    /// When one is not of that form, or there is no manifest to set it in.
    pub fn set(&mut self, settings: &[String]) -> anyhow::Result<()> {
        for setting in settings {
            let (name, value) = self::setting(setting)?;
            let manifest = self.manifest.as_mut().context("--set: there is no plugin.toml to set it over")?;
            manifest.settings.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// Where the manifest is, or would be.
    #[must_use]
    pub fn manifest_file(&self) -> PathBuf {
        self.dir.join(MANIFEST)
    }

    /// The text of the component's signature, which stands beside it; `None` when it is not signed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn signature(&self) -> anyhow::Result<Option<String>> {
        let mut path = self.component.clone().into_os_string();
        path.push(".minisig");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", PathBuf::from(path).display())),
        }
    }

    /// The component's bytes.
    ///
    /// # Errors
    /// When it is not there: it was not built.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        fs::read(&self.component).with_context(|| {
            format!("read the component {}: type `tidegate plugin build` first", self.component.display())
        })
    }

    /// The source that was changed last, when that was after the component was made.
    #[must_use]
    pub fn newer_source(&self) -> Option<PathBuf> {
        self.manifest.as_ref()?.build.language.as_ref()?;
        let made = fs::metadata(&self.component).and_then(|found| found.modified()).ok()?;
        let (source, changed) = build::newest_source(&self.dir).ok()??;
        (changed > made).then_some(source)
    }
}

/// A setting that is written as `NAME=VALUE`.
///
/// # Errors
/// When it is not.
pub fn setting(text: &str) -> anyhow::Result<(&str, &str)> {
    text.split_once('=').with_context(|| format!("--set {text}: write NAME=VALUE"))
}

/// The text of a manifest's file.
///
/// # Errors
/// When it is not there.
pub fn manifest_text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| {
        format!("read {}: a plugin is described by a {MANIFEST} beside its component", path.display())
    })
}

fn read_manifest(path: &Path) -> anyhow::Result<Manifest> {
    Manifest::parse(&manifest_text(path)?).with_context(|| format!("read {}", path.display()))
}
