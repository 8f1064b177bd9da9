//! Plugins in an OCI registry, as `wkg` and `oras` keep components there: read by tag or digest, and pushed. Knows nothing
//! of hosts.

mod access;
pub mod document;
pub mod reference;
mod registry;

use anyhow::{Context as _, bail, ensure};
use document::{Document, Part};
use reference::{At, Reference};
use registry::Registry;
use tidegate_envelope::Digest;

/// The largest manifest that registries must take.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;
/// The largest component that a host takes.
const COMPONENT_BYTES_MAX: usize = 48 << 20;
/// The largest `plugin.toml` and the largest signature.
const TEXT_BYTES_MAX: usize = 256 << 10;

/// A plugin as it is in a registry.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Where it is, by digest: what was read, whatever its tag says later.
    pub pinned: Reference,
    /// The component.
    pub component: Vec<u8>,
    /// The text of `plugin.toml`, where it was pushed with the component.
    pub manifest: Option<String>,
    /// The text of the component's signature, where that was pushed too.
    pub signature: Option<String>,
}

/// Reads a plugin. What a tag names is asked once; each part is checked against its digest.
///
/// # Errors
/// When the registry cannot be reached or refuses, or what is there is no plugin: says which, and what to do.
pub async fn pull(reference: &Reference) -> anyhow::Result<Artifact> {
    let mut registry = Registry::new(reference)?;
    let text = registry.document(&reference.at.to_string(), DOCUMENT_BYTES_MAX).await?;
    let found = Digest::of(&text);
    if let At::Digest(asked) = &reference.at {
        ensure!(
            *asked == found,
            "{reference}: the registry gave something else, with the digest sha256:{found}"
        );
    }
    let pinned = Reference { at: At::Digest(found), ..reference.clone() };
    let parts = Document::parse(&text).and_then(|document| document.parts());
    let parts = parts.with_context(|| format!("read {reference}"))?;
    let component = registry.blob(&parts.component, COMPONENT_BYTES_MAX).await?;
    let manifest = optional_text(&mut registry, parts.manifest).await?;
    let signature = optional_text(&mut registry, parts.signature).await?;
    Ok(Artifact { pinned, component, manifest, signature })
}

async fn optional_text(registry: &mut Registry, part: Option<Part>) -> anyhow::Result<Option<String>> {
    let Some(part) = part else { return Ok(None) };
    let bytes = registry.blob(&part, TEXT_BYTES_MAX).await?;
    let text =
        String::from_utf8(bytes).with_context(|| format!("read {}", part.title().unwrap_or_default()))?;
    Ok(Some(text))
}

/// Puts a plugin there under a tag, and gives where it is by digest.
///
/// # Errors
/// When the reference is no tag, or the registry cannot be reached or refuses.
pub async fn push(reference: &Reference, pushed: &document::Pushed<'_>) -> anyhow::Result<Reference> {
    let At::Tag(tag) = &reference.at else {
        bail!("{reference}: push to a tag, as oci://{}/{}:TAG", reference.host, reference.repository);
    };
    let mut registry = Registry::new(reference)?.pushing();
    let (document, blobs) = pushed.document();
    for (part, bytes) in blobs {
        registry.upload(&part, bytes).await?;
    }
    let text = document.text();
    registry.put_document(tag, text.clone()).await?;
    Ok(Reference { at: At::Digest(Digest::of(&text)), ..reference.clone() })
}
