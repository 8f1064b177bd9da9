//! A plugin as it is read from where it is: files here, or a registry. Knows nothing of what is done with it.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tidegate::admin::plugins::DeployRequest;
use tidegate::deploy::{By, Role};
use tidegate::oci;
use tidegate::oci::reference::{Reference, SCHEME};
use tidegate::plugin::{Manifest, PluginName};
use tidegate::store::versions::Provenance;
use tidegate::workbench::package::{self, Package};

/// Where a plugin is.
#[derive(clap::Args)]
pub(super) struct OriginArgs {
    /// A plugin's directory (with plugin.toml); a component whose plugin.toml stands beside it; or a plugin in an OCI
    /// registry, as oci://HOST/REPOSITORY:TAG or oci://HOST/REPOSITORY@sha256:DIGEST.
    #[arg(default_value = ".", value_name = "PLUGIN")]
    path: String,
    /// Take this plugin.toml instead of the plugin's own; for a component in a registry that has none with it.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// What is set over a plugin's manifest.
#[derive(clap::Args, Default)]
pub(super) struct OverArgs {
    /// Sets one of the plugin's settings over its manifest, as NAME=VALUE. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Grants a host over its manifest, as HOST or HOST:PORT. May be given several times.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
}

/// A plugin, read.
pub(super) struct Brought {
    /// Its name.
    pub(super) plugin: PluginName,
    /// The text of its manifest, which is one.
    pub(super) manifest: String,
    /// Its component.
    pub(super) component: Vec<u8>,
    /// The text of the component's signature, where there is one.
    pub(super) signature: Option<String>,
    /// Where it was, so that it can be found again: a path, or a reference by digest.
    pub(super) origin: Option<String>,
}

impl OverArgs {
    /// Whether nothing is set.
    pub(super) const fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.hosts.is_empty()
    }
}

impl OriginArgs {
    /// Reads it. What is in a registry is fetched; who one is to it, the Docker configuration says.
    ///
    /// # Errors
    /// When it is not there, or is no plugin.
    pub(super) async fn read(&self) -> anyhow::Result<Brought> {
        read(&self.path, self.manifest.as_deref()).await
    }
}

/// Whether a text names a plugin that is read, and not one that a host has.
pub(super) fn is_one(text: &str) -> bool {
    text.starts_with(SCHEME) || Path::new(text).exists()
}

/// Reads the plugin at this path or reference, perhaps with this manifest's file in the place of its own.
///
/// # Errors
/// As [`OriginArgs::read`].
pub(super) async fn read(path: &str, manifest: Option<&Path>) -> anyhow::Result<Brought> {
    let manifest = manifest.map(read_manifest).transpose()?;
    if path.starts_with(SCHEME) {
        return from_registry(&path.parse()?, manifest).await;
    }
    let package = Package::find(Path::new(path))?;
    super::warn_of_newer_source(&package);
    from_files(&package, manifest)
}

/// Reads a plugin from its files, or with this manifest in the place of its own.
pub(super) fn from_files(package: &Package, manifest: Option<String>) -> anyhow::Result<Brought> {
    let manifest = match manifest {
        Some(manifest) => manifest,
        None => read_manifest(&package.manifest_file())?,
    };
    Ok(Brought {
        plugin: Manifest::parse(&manifest)?.name,
        manifest,
        component: package.read()?,
        signature: package.signature()?,
        origin: std::path::absolute(&package.component).ok().map(|path| path.display().to_string()),
    })
}

async fn from_registry(reference: &Reference, manifest: Option<String>) -> anyhow::Result<Brought> {
    let artifact = oci::pull(reference).await?;
    let manifest = manifest.or(artifact.manifest).with_context(|| {
        format!(
            "{reference} has no plugin.toml with the component: name one here with --manifest FILE, or have it pushed with \
             both, as `tidegate plugin push` does"
        )
    })?;
    let plugin = Manifest::parse(&manifest).with_context(|| format!("read {reference}"))?.name;
    let origin = Some(artifact.pinned.to_string());
    Ok(Brought { plugin, manifest, component: artifact.component, signature: artifact.signature, origin })
}

fn read_manifest(path: &Path) -> anyhow::Result<String> {
    let text = package::manifest_text(path)?;
    Manifest::parse(&text).with_context(|| format!("read {}", path.display()))?;
    Ok(text)
}

impl Brought {
    /// As it travels to a host.
    ///
    /// # Errors
    /// When a setting is not of the form NAME=VALUE.
    pub(super) fn request(self, over: &OverArgs, role: Role, by: By) -> anyhow::Result<DeployRequest> {
        let setting =
            |text: &String| package::setting(text).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = over.settings.iter().map(setting).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        let who = Some(by.who.clone()).filter(|who| !who.is_empty());
        let provenance = Provenance { who, note: by.why.clone(), origin: self.origin, signed_by: None };
        Ok(DeployRequest {
            manifest: self.manifest,
            settings,
            hosts: over.hosts.clone(),
            component: STANDARD.encode(self.component),
            signature: self.signature,
            provenance,
            role,
            by,
        })
    }
}
