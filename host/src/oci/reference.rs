//! Where a plugin is in a registry: `oci://HOST/REPOSITORY:TAG` or `@sha256:DIGEST`. Pure.

use std::fmt;
use std::str::FromStr;
use tidegate_envelope::Digest;
use url::Url;

/// Before each reference, so that none is taken for a file.
pub const SCHEME: &str = "oci://";
/// Characters of the longest tag.
const TAG_CHARS_MAX: usize = 128;
/// Characters of the longest repository's name that registries must take.
const REPOSITORY_CHARS_MAX: usize = 255;

/// Where a plugin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry, with its port where it has one.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// Which of the plugins there.
    pub at: At,
}

/// Which artifact of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// What this tag names now.
    Tag(String),
    /// This one.
    Digest(Digest),
}

/// Why a text is no reference.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {why}; write oci://HOST/REPOSITORY:TAG or oci://HOST/REPOSITORY@sha256:DIGEST")]
pub struct ReferenceError {
    text: String,
    why: &'static str,
}

impl Reference {
    /// The registry's base URL: plain HTTP on this machine alone.
    ///
    /// # Errors
    /// When the host is none.
    pub fn base(&self) -> Result<Url, url::ParseError> {
        let host = &self.host;
        let plain = Url::parse(&format!("http://{host}/"))?;
        if crate::effect::secret::is_secure(&plain) {
            Ok(plain)
        } else {
            Url::parse(&format!("https://{host}/"))
        }
    }

    /// What the Docker configuration has this registry's credentials under.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.host
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |why| ReferenceError { text: text.to_owned(), why };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it does not begin with oci://"))?;
        let (host, rest) = rest.split_once('/').ok_or_else(|| wrong("it has no repository"))?;
        let (named, digest) =
            rest.split_once('@').map_or((rest, None), |(named, digest)| (named, Some(digest)));
        let (repository, tag) = named.split_once(':').map_or((named, None), |(name, tag)| (name, Some(tag)));
        if !is_host(host) {
            return Err(wrong("the registry's host is none"));
        }
        if !is_repository(repository) {
            return Err(wrong("a repository's name has a to z, 0 to 9, and between them . _ - and /"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag has letters, digits, and after the first also . _ and -"));
        }
        let at = match (digest, tag) {
            (Some(digest), _) => {
                let digest = digest.strip_prefix("sha256:").and_then(Digest::from_hex);
                At::Digest(digest.ok_or_else(|| wrong("a digest is sha256: and 64 hexadecimal digits"))?)
            }
            (None, Some(tag)) => At::Tag(tag.to_owned()),
            (None, None) => return Err(wrong("it does not say which version")),
        };
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), at })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if matches!(self.at, At::Tag(_)) { ':' } else { '@' };
        write!(f, "{SCHEME}{}/{}{between}{}", self.host, self.repository, self.at)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => write!(f, "sha256:{digest}"),
        }
    }
}

/// A host, perhaps with a port, and nothing else that a URL may have.
fn is_host(host: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    host.chars().all(is_plain) && Url::parse(&format!("https://{host}/")).is_ok_and(|url| url.has_host())
}

fn is_repository(name: &str) -> bool {
    let is_letter = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        let inner = |c: char| is_letter(&c) || "._-".contains(c);
        part.chars().all(inner)
            && part.chars().next().as_ref().is_some_and(is_letter)
            && part.chars().last().as_ref().is_some_and(is_letter)
    };
    name.len() <= REPOSITORY_CHARS_MAX && name.split('/').all(is_part)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= TAG_CHARS_MAX
        && tag.starts_with(is_word)
        && tag.chars().all(|c| is_word(c) || c == '.' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_is_read_and_written_the_same() {
        for (text, base) in [
            ("oci://registry.example/you/loan-notice:1.2.0", "https://registry.example/"),
            ("oci://127.0.0.1:5000/loan-notice:latest", "http://127.0.0.1:5000/"),
            ("oci://localhost:5000/a/b__c/d:V_1", "http://localhost:5000/"),
            ("oci://[::1]:5000/a:1", "http://[::1]:5000/"),
            ("oci://127.0.0.1.example/a:1", "https://127.0.0.1.example/"),
            (&format!("oci://r.example:8443/a/b@sha256:{HEX}"), "https://r.example:8443/"),
        ] {
            let reference: Reference = text.parse().expect(text);
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.base().expect("a URL").as_str(), base, "{text}");
        }
    }

    #[test]
    fn a_digest_wins_over_the_tag_beside_it() {
        let reference: Reference = format!("oci://r.example/a:1@sha256:{HEX}").parse().expect("a reference");
        assert_eq!(reference.to_string(), format!("oci://r.example/a@sha256:{HEX}"));
    }

    #[test]
    fn what_is_no_reference_is_refused_with_its_reason() {
        for (text, word) in [
            ("registry.example/you/a:1", "oci://"),
            ("oci://registry.example", "repository"),
            ("oci://registry.example/you/a", "which version"),
            ("oci://you@registry.example/a:1", "host"),
            ("oci:///a:1", "host"),
            ("oci://registry.example/You/a:1", "a to z"),
            ("oci://registry.example/../a:1", "a to z"),
            ("oci://registry.example/a?b:1", "a to z"),
            ("oci://registry.example/a:-1", "tag"),
            ("oci://registry.example/a:1/../2", "tag"),
            ("oci://registry.example/a@sha256:12", "64 hexadecimal"),
            ("oci://registry.example/a@sha512:12", "64 hexadecimal"),
        ] {
            let error = text.parse::<Reference>().expect_err(text).to_string();
            assert!(error.contains(word), "`{error}` should say `{word}`");
        }
    }
}
