//! Versions and what is at work of each plugin, as they are kept. Knows nothing of SQL.

use crate::drift::Drift;
use crate::plugin::{Manifest, PluginName, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_envelope::{Digest, Receipt};

/// A version as it is recorded: once, and never changed.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// The version.
    pub version: Version,
    /// What its manifest says.
    pub manifest: Manifest,
    /// The component's bytes.
    pub component: Vec<u8>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// When, in milliseconds since the Unix epoch.
    pub made_at_ms: u64,
}

/// Where a version comes from, as far as somebody said so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Provenance {
    /// Who brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// What they say about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The file or the reference it was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The key whose signature of it was right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// A version as it is kept, without its component's bytes.
#[derive(Clone, Debug)]
pub struct KeptVersion {
    /// The version.
    pub version: Version,
    /// What its manifest says.
    pub manifest: Manifest,
    /// The component's SHA-256; `None` when an older Tidegate recorded it.
    pub component_sha256: Option<Digest>,
    /// The component's length.
    pub component_bytes: u64,
    /// Where it comes from.
    pub provenance: Provenance,
    /// When it was recorded, in milliseconds since the Unix epoch.
    pub made_at_ms: u64,
    /// Whether it may be asked.
    pub state: VersionState,
}

/// Whether a version may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// It may.
    Usable,
    /// The host took it out of work because it did badly: what waits for it is asked of the active one.
    Withdrawn,
    /// A person did not want it any more.
    Retired,
}

/// An event about which another version would have said otherwise than the one that decided.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DriftRow {
    /// The event's receipt.
    pub receipt: Receipt,
    /// What it is about.
    pub subject: String,
    /// The version on trial: a shadow, or a canary.
    pub version: Version,
    /// How it differs.
    pub drift: Drift,
    /// When that was found, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Which versions of one plugin to list; the newest first.
#[derive(Clone, Debug)]
pub struct VersionQuery {
    /// The plugin.
    pub plugin: PluginName,
    /// Only those that begin like this.
    pub prefix: Option<String>,
    /// At most so many.
    pub rows_max: usize,
}
