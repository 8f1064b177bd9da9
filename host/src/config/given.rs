//! The lists of tables in `tidegate.toml`, read into what they mean: secrets by name, targets by host.

use super::{Config, ExecutorSection, PluginsSection, SecretSection, TargetSection};
use crate::effect::HostGrant;
use crate::effect::secret::{NamedSecret, SecretName};
use crate::outbox::TargetRules;
use crate::signature::{Trust, TrustedKey};
use crate::target::TargetLimits;
use anyhow::{Context as _, ensure};
use std::path::PathBuf;
use tidegate_envelope::Digest;

/// A secret and where its value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenSecret {
    /// Its name, and where it may go.
    pub named: NamedSecret,
    /// The variable of the environment that holds its value.
    pub env: String,
}

/// What stands in `[[secrets]]`.
///
/// # Errors
/// Says which entry does not fit, and what would.
pub fn secrets(config: &Config) -> anyhow::Result<Vec<GivenSecret>> {
    let mut secrets: Vec<GivenSecret> = Vec::new();
    for section in &config.secrets {
        let secret = secret(section).with_context(|| format!("[[secrets]] name = \"{}\"", section.name))?;
        ensure!(
            secrets.iter().all(|other| other.named.name != secret.named.name),
            "[[secrets]] name = \"{}\": it is named twice",
            section.name
        );
        secrets.push(secret);
    }
    Ok(secrets)
}

fn secret(section: &SecretSection) -> anyhow::Result<GivenSecret> {
    let name = SecretName::new(&section.name)?;
    ensure!(!section.hosts.is_empty(), "hosts: name the hosts that its value may go to");
    ensure!(!section.env.is_empty(), "env: name the variable of the environment that holds its value");
    let hosts = section.hosts.iter().map(|host| HostGrant::parse(host)).collect::<Result<_, _>>()?;
    Ok(GivenSecret { named: NamedSecret { name, hosts }, env: section.env.clone() })
}

/// Who we are to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenCertificate {
    /// The target.
    pub host: HostGrant,
    /// The file of the certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// The file of its key, PEM.
    pub key: PathBuf,
}

/// What stands in `[plugins]`.
///
/// # Errors
/// Says which key or digest is none.
pub fn trust(section: &PluginsSection) -> anyhow::Result<Trust> {
    let key = |text: &String| {
        TrustedKey::parse(text).with_context(|| {
            format!("plugins.trusted_keys: `{text}` is no key of minisign's: it is the second line of minisign.pub, RW...")
        })
    };
    let digest = |text: &String| {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        Digest::from_hex(digits).with_context(|| {
            format!("plugins.digests: `{text}` is no SHA-256: it has 64 hexadecimal digits, as `sha256sum plugin.wasm` prints")
        })
    };
    ensure!(
        !section.signatures_required || !section.trusted_keys.is_empty(),
        "plugins.signatures_required: name the keys whose signatures count in plugins.trusted_keys"
    );
    Ok(Trust {
        keys: section.trusted_keys.iter().map(key).collect::<anyhow::Result<_>>()?,
        is_required: section.signatures_required,
        digests: section.digests.iter().map(digest).collect::<anyhow::Result<_>>()?,
    })
}

/// What stands in `[[targets]]`, under what `[executor]` says of all of them.
///
/// # Errors
/// Says which entry does not fit, and what would.
pub fn targets(config: &Config) -> anyhow::Result<(TargetRules, Vec<GivenCertificate>)> {
    let usual = usual(&config.executor);
    let (mut known, mut certificates) = (Vec::new(), Vec::new());
    for section in &config.targets {
        let (host, limits, certificate) =
            target(section, usual).with_context(|| format!("[[targets]] host = \"{}\"", section.host))?;
        known.push((host, limits));
        certificates.extend(certificate);
    }
    Ok((TargetRules { usual, known }, certificates))
}

fn target(
    section: &TargetSection,
    usual: TargetLimits,
) -> anyhow::Result<(HostGrant, TargetLimits, Option<GivenCertificate>)> {
    let host = HostGrant::parse(&section.host)?;
    let limits = TargetLimits {
        in_flight_max: section.in_flight_max.unwrap_or(usual.in_flight_max),
        requests_per_second: section.requests_per_second.unwrap_or(usual.requests_per_second),
        ..usual
    };
    ensure!(limits.in_flight_max > 0, "in_flight_max must be at least 1");
    let files = (&section.client_certificate_file, &section.client_key_file);
    let certificate = match files {
        (certificate, key) if certificate.as_os_str().is_empty() && key.as_os_str().is_empty() => None,
        (certificate, key) => {
            ensure!(
                !certificate.as_os_str().is_empty() && !key.as_os_str().is_empty(),
                "client_certificate_file and client_key_file go together: set both or none"
            );
            let (certificate, key) = (certificate.clone(), key.clone());
            Some(GivenCertificate { host: host.clone(), certificate, key })
        }
    };
    Ok((host, limits, certificate))
}

const fn usual(executor: &ExecutorSection) -> TargetLimits {
    TargetLimits {
        in_flight_max: executor.target_in_flight_max,
        requests_per_second: executor.target_requests_per_second,
        failures_max: executor.target_failures_max,
        pause_ms: executor.target_pause_ms,
        pause_ms_max: executor.target_pause_ms_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> anyhow::Result<Config> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("write it");
        Config::load(Some(file.path()), [("TIDEGATE_SECRET_JIRA".to_owned(), "hush".to_owned())].into_iter())
    }

    #[test]
    fn secrets_and_targets_are_read() {
        let config = load(
            "[executor]\ntarget_requests_per_second = 9\n\
             [[secrets]]\nname = \"jira\"\nhosts = [\"a.example\"]\nenv = \"TIDEGATE_SECRET_JIRA\"\n\
             [[targets]]\nhost = \"a.example:8443\"\nin_flight_max = 2\n\
             client_certificate_file = \"c.pem\"\nclient_key_file = \"k.pem\"\n",
        )
        .expect("loads");
        let secrets = secrets(&config).expect("reads");
        assert_eq!(
            (secrets[0].named.name.as_str(), secrets[0].env.as_str()),
            ("jira", "TIDEGATE_SECRET_JIRA")
        );
        let (rules, certificates) = targets(&config).expect("reads");
        assert_eq!((rules.usual.in_flight_max, rules.usual.requests_per_second), (16, 9));
        assert_eq!((rules.known[0].1.in_flight_max, rules.known[0].1.requests_per_second), (2, 9));
        assert_eq!(certificates[0].key, PathBuf::from("k.pem"));
    }

    #[test]
    fn what_does_not_fit_has_an_address() {
        for (text, parts) in [
            ("[[secrets]]\nname = \"J\"\n", &["[[secrets]] name = \"J\"", "a-z"][..]),
            ("[[secrets]]\nname = \"j\"\n", &["name = \"j\"", "hosts"]),
            ("[[secrets]]\nname = \"j\"\nhosts = [\"a.example\"]\n", &["name = \"j\"", "env"]),
            ("[[secrets]]\nname = \"j\"\nhosts = [\"*\"]\nenv = \"X\"\n", &["name = \"j\"", "wildcards"]),
            ("[[secrets]]\nname = \"j\"\nvalue = \"x\"\n", &["value", "line 3"]),
            (
                "[[secrets]]\nname = \"j\"\nhosts = [\"a\"]\nenv = \"X\"\n\
                 [[secrets]]\nname = \"j\"\nhosts = [\"a\"]\nenv = \"X\"\n",
                &["twice"],
            ),
            ("[[targets]]\nin_flight_max = 1\n", &["[[targets]] host = \"\""]),
            ("[[targets]]\nhost = \"a\"\nin_flight_max = 0\n", &["host = \"a\"", "at least 1"]),
            ("[[targets]]\nhost = \"a\"\nclient_key_file = \"k\"\n", &["host = \"a\"", "both or none"]),
            ("[executor]\ntarget_pause_ms = 70000\n", &["executor.target_pause_ms_max"]),
        ] {
            let error = format!("{:#}", load(text).expect_err(text));
            for part in parts {
                assert!(error.contains(part), "`{error}` should say `{part}`");
            }
        }
    }
}
