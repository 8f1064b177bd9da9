//! A plugin: a name, one immutable version of its component, and what its manifest asks for. Knows nothing
//! of how a component is run.

mod asked;

pub use asked::{ArrivalAsked, LimitsAsked, RetryAsked};

use crate::effect::secret::{NamedSecret, SecretGrants, SecretName};
use crate::effect::{Grants, HostGrant};
use crate::event::{Arrival, Event};
use crate::limits::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tidegate_toolchain::build::Build;

/// The name of a plugin: lower-case letters, digits and hyphens. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginName(Arc<str>);

/// The text cannot name a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a plugin: use 1 to 63 of a-z, 0-9 and -, not first or last a -")]
pub struct PluginNameError(String);

impl PluginName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// When the text is empty, too long, or has a character that a name may not have.
    pub fn new(text: &str) -> Result<Self, PluginNameError> {
        if tidegate_envelope::is_label(text) {
            Ok(Self(text.into()))
        } else {
            Err(PluginNameError(text.chars().take(80).collect()))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PluginName {
    type Error = PluginNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<PluginName> for String {
    fn from(name: PluginName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginName({})", self.0)
    }
}

/// One immutable version of a plugin: the SHA-256 of its component and of what its manifest says, as 64
/// hexadecimal digits. The same component with other settings is another version. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version(Arc<str>);

impl Version {
    /// The version of this component under this manifest.
    #[must_use]
    pub fn of(component: &[u8], manifest: &Manifest) -> Self {
        use sha2::{Digest as _, Sha256};
        let manifest = serde_json::to_vec(manifest).expect("a manifest is plain data");
        let mut hash = Sha256::new();
        hash.update(Sha256::digest(component));
        hash.update(&manifest);
        let digest: [u8; 32] = hash.finalize().into();
        Self(tidegate_envelope::Digest::from_bytes(digest).to_string().into())
    }

    /// The version as it was stored.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// All 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits: enough for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({})", self.short())
    }
}

/// What a plugin says of itself, in `plugin.toml`. Deploying it grants what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name.
    pub name: PluginName,
    /// The component's file, relative to the manifest.
    #[serde(default = "default_component")]
    pub component: String,
    /// The kinds of event it wants; `*` wants all.
    pub kinds: Vec<String>,
    /// The hosts it asks to reach, each with or without a port.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The secrets it asks for, by the names that the operator gave them. It never holds one: it writes
    /// `{{secret:NAME}}` into a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub secrets: Vec<SecretName>,
    /// The kinds of event it asks to emit; `*` is any. The host's own are never among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emits: Vec<String>,
    /// Beside first arrivals, those it wants to be asked about: `stale`, `conflict`, `after-delete`, `echo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrivals: Vec<ArrivalAsked>,
    /// Of `hosts`, those that are its sender's: what it writes there comes back as an event, which is an echo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes_back_to: Vec<String>,
    /// When it is asked again, where it wants that sooner or less often than the operator.
    #[serde(default, skip_serializing_if = "RetryAsked::is_default")]
    pub retry: RetryAsked,
    /// Names and values it is given with each event.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Limits of one call, where it asks for less than the operator allows.
    #[serde(default)]
    pub limits: LimitsAsked,
    /// How its component is made. No part of a version: what was made is.
    #[serde(default, skip_serializing)]
    #[schemars(with = "serde_json::Value")]
    pub build: Build,
}

fn default_component() -> String {
    "plugin.wasm".to_owned()
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, a key is unknown, missing or of a wrong type: the text names the key and its line.
    #[error("plugin.toml: {0}")]
    Malformed(#[from] toml::de::Error),
    /// A host it asks for is none.
    #[error("plugin.toml: hosts: {0}")]
    Host(#[from] crate::effect::GrantError),
    /// It wants no kind, so it would never be asked.
    #[error("plugin.toml: kinds: name at least one kind, or \"*\" for all")]
    NoKinds,
    /// A limit is over what the operator allows.
    #[error(
        "plugin.toml: limits: {name} = {asked} is over the operator's {allowed}; lower it, or raise `limits.{name}` in tidegate.toml"
    )]
    Limit {
        /// The limit's name.
        name: &'static str,
        /// What the manifest asks for.
        asked: u64,
        /// What the operator's configuration allows.
        allowed: u64,
    },
}

impl Manifest {
    /// Reads `plugin.toml`.
    ///
    /// # Errors
    /// When the text is not a manifest; the error says which key, on which line.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text)?;
        if manifest.kinds.is_empty() {
            return Err(ManifestError::NoKinds);
        }
        manifest.grants(&Arc::default())?;
        manifest.writes_back_to()?;
        Ok(manifest)
    }

    /// What deploying this manifest grants where the operator named these secrets.
    ///
    /// # Errors
    /// When a host is none.
    pub fn grants(&self, named: &Arc<[NamedSecret]>) -> Result<Grants, crate::effect::GrantError> {
        let hosts = self.hosts.iter().map(|host| HostGrant::parse(host)).collect::<Result<_, _>>()?;
        let secrets = SecretGrants { named: Arc::clone(named), asked: self.secrets.clone() };
        Ok(Grants { hosts, secrets })
    }

    /// Of the hosts it reaches, those that are its sender's.
    ///
    /// # Errors
    /// When a host is none.
    pub fn writes_back_to(&self) -> Result<Vec<HostGrant>, crate::effect::GrantError> {
        self.writes_back_to.iter().map(|host| HostGrant::parse(host)).collect()
    }

    /// Whether the plugin wants events of this kind.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.iter().any(|wanted| wanted == "*" || wanted == kind)
    }

    /// Whether the plugin is asked about this event.
    #[must_use]
    pub fn is_for(&self, event: &Event) -> bool {
        let audience = event.cause.as_ref().and_then(|cause| cause.audience.as_ref());
        audience.is_none_or(|audience| *audience == self.name)
            && self.wants(&event.kind)
            && match event.arrival {
                Arrival::First => true,
                Arrival::Duplicate(_) => false,
                Arrival::Stale => self.arrivals.contains(&ArrivalAsked::Stale),
                Arrival::Conflict => self.arrivals.contains(&ArrivalAsked::Conflict),
                Arrival::AfterDelete => self.arrivals.contains(&ArrivalAsked::AfterDelete),
                Arrival::Echo => self.arrivals.contains(&ArrivalAsked::Echo),
            }
    }

    /// The limits it runs under: what it asks for, the operator's where it asks for nothing.
    ///
    /// # Errors
    /// Names the first limit that is over the operator's.
    pub fn limits(&self, allowed: &Limits) -> Result<Limits, ManifestError> {
        let bytes_or_count = |name, asked: Option<usize>, allowed: usize| {
            let widen = |n| u64::try_from(n).unwrap_or(u64::MAX);
            lower(name, asked.map(widen), widen(allowed)).map(|n| usize::try_from(n).unwrap_or(allowed))
        };
        let asked = &self.limits;
        Ok(Limits {
            wall_time_ms: lower("wall_time_ms", asked.wall_time_ms, allowed.wall_time_ms)?,
            fuel: fuel(asked.fuel, allowed.fuel)?,
            memory_bytes: bytes_or_count("memory_bytes", asked.memory_bytes, allowed.memory_bytes)?,
            memory_growths: bytes_or_count("memory_growths", asked.memory_growths, allowed.memory_growths)?,
            table_elements: bytes_or_count("table_elements", asked.table_elements, allowed.table_elements)?,
            result_bytes: bytes_or_count("result_bytes", asked.result_bytes, allowed.result_bytes)?,
            hostcall_bytes: bytes_or_count("hostcall_bytes", asked.hostcall_bytes, allowed.hostcall_bytes)?,
            decisions: bytes_or_count("decisions", asked.decisions, allowed.decisions)?,
            log_bytes: bytes_or_count("log_bytes", asked.log_bytes, allowed.log_bytes)?,
        })
    }
}

fn lower(name: &'static str, asked: Option<u64>, allowed: u64) -> Result<u64, ManifestError> {
    match asked {
        Some(asked) if asked > allowed => Err(ManifestError::Limit { name, asked, allowed }),
        asked => Ok(asked.unwrap_or(allowed)),
    }
}

/// Fuel is the one limit that an operator may leave open: 0 is no limit, on either side.
fn fuel(asked: Option<u64>, allowed: u64) -> Result<u64, ManifestError> {
    match asked.filter(|asked| *asked > 0) {
        Some(asked) if allowed == 0 => Ok(asked),
        asked => lower("fuel", asked, allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "name = \"loan-notice\"\nkinds = [\"asset.update\"]\n";

    #[test]
    fn a_minimal_manifest_is_enough() {
        let manifest = Manifest::parse(MINIMAL).expect("a valid manifest");
        assert_eq!(manifest.component.as_str(), "plugin.wasm");
        assert_eq!(manifest.limits(&Limits::default()).expect("it asks for none"), Limits::default());
        assert!(manifest.wants("asset.update") && !manifest.wants("asset.create"));
    }

    #[test]
    fn a_typo_names_the_key_and_its_line() {
        let error =
            Manifest::parse(&format!("{MINIMAL}hots = []\n")).expect_err("`hots` is no key").to_string();
        assert!(error.contains("hots") && error.contains("line 3"), "{error}");
    }

    #[test]
    fn a_version_is_its_component_and_its_manifest() {
        let manifest = Manifest::parse(MINIMAL).expect("a valid manifest");
        let mut other = manifest.clone();
        other.settings.insert("notice_url".into(), "http://a/".into());
        let versions =
            [Version::of(b"a", &manifest), Version::of(b"b", &manifest), Version::of(b"a", &other)];
        assert_eq!(versions[0], Version::of(b"a", &manifest));
        assert!(versions[0] != versions[1] && versions[0] != versions[2]);
    }

    #[test]
    fn a_manifest_cannot_raise_a_limit() {
        let text = format!("{MINIMAL}[limits]\nwall_time_ms = 60000\n");
        let manifest = Manifest::parse(&text).expect("well formed");
        let error = manifest.limits(&Limits::default()).expect_err("over the limit").to_string();
        assert!(error.contains("wall_time_ms = 60000"), "{error}");
    }

    #[test]
    fn a_limit_that_is_not_asked_for_is_the_operators() {
        let manifest = Manifest::parse(&format!("{MINIMAL}[limits]\ndecisions = 3\n")).expect("well formed");
        for wall_time_ms in [50, 5_000] {
            let allowed = Limits { wall_time_ms, ..Limits::default() };
            let limits = manifest.limits(&allowed).expect("none is over the operator's");
            assert_eq!(limits, Limits { decisions: 3, ..allowed });
        }
    }

    #[test]
    fn fuel_is_counted_when_the_plugin_or_the_operator_asks_for_it_and_the_less_of_both_counts() {
        let limits = |asked: &str, allowed| {
            let manifest = Manifest::parse(&format!("{MINIMAL}[limits]\n{asked}\n")).expect("well formed");
            manifest.limits(&Limits { fuel: allowed, ..Limits::default() }).map(|limits| limits.fuel)
        };
        assert_eq!(limits("", 0).expect("nobody asks"), 0);
        assert_eq!(limits("fuel = 7", 0).expect("the plugin asks"), 7);
        assert_eq!(limits("", 9).expect("the operator asks"), 9);
        assert_eq!(limits("fuel = 0", 9).expect("the operator asks"), 9);
        assert_eq!(limits("fuel = 7", 9).expect("both ask"), 7);
        let error = limits("fuel = 10", 9).expect_err("over the operator's").to_string();
        assert!(error.contains("fuel = 10"), "{error}");
    }
}
