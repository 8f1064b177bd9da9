//! The document that a registry keeps of a plugin: which of its parts is the component, which its manifest, which its
//! signature. Pure.
//!
//! What is pushed follows the layout for WebAssembly that `wkg` and others read
//! (<https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>): a configuration of its own type and a layer
//! `application/wasm`. `plugin.toml` and the signature are further layers, named by their titles, as `oras push` makes them.

use crate::workbench::anatomy::Anatomy;
use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidegate_envelope::Digest;

/// What a registry is asked for, and given.
pub const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// What describes a component.
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// What components are called, the newer name first: it is what is pushed.
const COMPONENT_TYPES: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];
const MANIFEST_TYPE: &str = "application/toml";
const SIGNATURE_TYPE: &str = "text/plain";
/// Where a part's file name stands.
const TITLE: &str = "org.opencontainers.image.title";
/// The names of the parts.
const COMPONENT: &str = "plugin.wasm";
const MANIFEST: &str = "plugin.toml";
const SIGNATURE: &str = ".minisig";
/// The same plugin has the same digest whenever it is pushed, so it does not say when that was.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The document, as far as it matters here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    config: Option<Part>,
    #[serde(default)]
    layers: Vec<Part>,
    /// What an index has in the place of layers.
    #[serde(default, skip_serializing)]
    manifests: Vec<Part>,
}

/// One thing that a registry keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    media_type: String,
    digest: String,
    /// Its length in bytes.
    pub size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// The parts that a plugin has.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The component.
    pub component: Part,
    /// `plugin.toml`.
    pub manifest: Option<Part>,
    /// The component's signature.
    pub signature: Option<Part>,
}

/// What is pushed.
#[derive(Clone, Copy, Debug)]
pub struct Pushed<'a> {
    /// The component.
    pub component: &'a [u8],
    /// The text of `plugin.toml`.
    pub manifest: &'a str,
    /// The text of the signature.
    pub signature: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described<'a> {
    created: &'a str,
    architecture: &'a str,
    os: &'a str,
    layer_digests: Vec<&'a str>,
    component: Surface<'a>,
}

#[derive(Serialize)]
struct Surface<'a> {
    exports: &'a [String],
    imports: &'a [String],
}

impl Part {
    fn of(media_type: &str, title: Option<&str>, bytes: &[u8]) -> Self {
        let annotations = title.map(|title| (TITLE.to_owned(), title.to_owned())).into_iter().collect();
        Self {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{}", Digest::of(bytes)),
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            annotations,
        }
    }

    /// What its file was called.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.annotations.get(TITLE).map(String::as_str)
    }

    /// Its SHA-256.
    ///
    /// # Errors
    /// When its digest is of another kind.
    pub fn sha256(&self) -> anyhow::Result<Digest> {
        let digest = self.digest.strip_prefix("sha256:").and_then(Digest::from_hex);
        digest.with_context(|| format!("`{}` is no SHA-256, which digests have to be here", self.digest))
    }

    fn is_titled(&self, ends: &str) -> bool {
        self.title().is_some_and(|title| title.ends_with(ends))
    }

    fn shown(&self) -> String {
        format!("{} ({})", self.title().unwrap_or("no title"), self.media_type)
    }
}

impl Document {
    /// Reads what a registry gave.
    ///
    /// # Errors
    /// When it is not JSON of this form.
    pub fn parse(text: &[u8]) -> anyhow::Result<Self> {
        serde_json::from_slice(text).context("the registry's document is not an OCI manifest")
    }

    /// What is what: the component by its type, or else by the end of its title; the others by their titles.
    ///
    /// # Errors
    /// When there is no component, or more than one; the error says what there is.
    pub fn parts(&self) -> anyhow::Result<Parts> {
        ensure!(
            self.manifests.is_empty(),
            "it is an index of {} others: name one of them by its digest, @{}",
            self.manifests.len(),
            self.manifests.first().map_or("sha256:...", |part| part.digest.as_str())
        );
        let by_type = |part: &&Part| COMPONENT_TYPES.contains(&part.media_type.as_str());
        let mut components: Vec<_> = self.layers.iter().filter(by_type).collect();
        if components.is_empty() {
            components = self.layers.iter().filter(|part| part.is_titled(".wasm")).collect();
        }
        let [component] = components[..] else {
            let all: Vec<_> = self.layers.iter().map(Part::shown).collect();
            bail!(
                "it has {} components, and a plugin has one; its layers: {}; to push a plugin, type: tidegate plugin push",
                components.len(),
                if all.is_empty() { "none".to_owned() } else { all.join(", ") }
            );
        };
        let titled = |ends| self.layers.iter().find(|part| part.is_titled(ends)).cloned();
        Ok(Parts { component: component.clone(), manifest: titled(MANIFEST), signature: titled(SIGNATURE) })
    }

    /// Its text, which its digest is of.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a document is plain data")
    }
}

impl<'a> Pushed<'a> {
    /// The document, and what must be there before it.
    #[must_use]
    pub fn document(&self) -> (Document, Vec<(Part, Vec<u8>)>) {
        let [component_type, ..] = COMPONENT_TYPES;
        let signature_title = format!("{COMPONENT}{SIGNATURE}");
        let files: [(&str, &str, Option<&'a [u8]>); 3] = [
            (component_type, COMPONENT, Some(self.component)),
            (MANIFEST_TYPE, MANIFEST, Some(self.manifest.as_bytes())),
            (SIGNATURE_TYPE, &signature_title, self.signature.map(str::as_bytes)),
        ];
        let present = files.into_iter().filter_map(|(media_type, title, bytes)| {
            let bytes = bytes?;
            Some((Part::of(media_type, Some(title), bytes), bytes.to_vec()))
        });
        let mut blobs: Vec<_> = present.collect();
        let layers: Vec<Part> = blobs.iter().map(|(part, _)| part.clone()).collect();
        let Anatomy { exports, imports, .. } = Anatomy::of(self.component);
        let described = Described {
            created: CREATED,
            architecture: "wasm",
            os: "wasip2",
            layer_digests: layers.iter().map(|part| part.digest.as_str()).collect(),
            component: Surface { exports: &exports, imports: &imports },
        };
        let described = serde_json::to_vec(&described).expect("a description is plain data");
        let config = Part::of(CONFIG_TYPE, None, &described);
        blobs.push((config.clone(), described));
        let media_type = MEDIA_TYPE.to_owned();
        let (config, manifests) = (Some(config), Vec::new());
        (Document { schema_version: 2, media_type, config, layers, manifests }, blobs)
    }
}

#[cfg(test)]
mod tests;
