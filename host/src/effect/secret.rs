//! How a plugin names a secret that it does not hold: `{{secret:NAME}}` in the URL, in a header's value or in the body.
//! The mark is checked when the wish is, is stored as it is, and is filled in when the request is made. Knows nothing of
//! where values come from.

use super::{Denied, HostGrant};
use crate::decision;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use url::{Host, Url};

const OPENING: &[u8] = b"{{secret:";
/// Marks in one request: each may become as long as a value is.
const MARKS_MAX: usize = 16;

/// The name of a secret: lower-case letters, digits and hyphens. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretName(Arc<str>);

/// The text cannot name a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a secret: use 1 to 63 of a-z, 0-9 and -, not first or last a -")]
pub struct SecretNameError(String);

impl SecretName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// When the text is empty, too long, or has a character that a name may not have.
    pub fn new(text: &str) -> Result<Self, SecretNameError> {
        if tidegate_envelope::is_label(text) {
            Ok(Self(text.into()))
        } else {
            Err(SecretNameError(super::denied::excerpt(text)))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SecretName {
    type Error = SecretNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretName({})", self.0)
    }
}

/// A secret as the operator named it: where its value may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSecret {
    /// Its name.
    pub name: SecretName,
    /// The hosts that may be sent its value.
    pub hosts: Vec<HostGrant>,
}

/// Which secrets a plugin may name: those that the operator named and that it asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretGrants {
    /// All that the operator named.
    pub named: Arc<[NamedSecret]>,
    /// Those that the plugin's manifest asks for.
    pub asked: Vec<SecretName>,
}

impl NamedSecret {
    /// Whether the secret's value may go to this URL: its host is one of the secret's, and nobody on the way can read it.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn check(&self, url: &Url) -> Result<(), Denied> {
        if !self.hosts.iter().any(|host| host.covers(url)) {
            return Err(Denied::SecretHost {
                name: self.name.clone(),
                host: HostGrant::of(url).map_or_else(String::new, |host| host.to_string()),
                accepted: self.hosts.clone(),
            });
        }
        if is_secure(url) { Ok(()) } else { Err(Denied::SecretInClear(self.name.clone())) }
    }
}

/// Whether a secret may travel to this URL: it is `https`, or `http` to this machine.
#[must_use]
pub fn is_secure(url: &Url) -> bool {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_local)
}

/// Checks every mark of a wish whose URL was read.
pub(super) fn check(request: &decision::HttpRequest, url: &Url, grants: &SecretGrants) -> Result<(), Denied> {
    let values = request.headers.iter().map(|(_, value)| value.as_bytes());
    let texts = values.chain(request.body.as_deref()).map(|text| (text, Form::AsIs));
    let texts = texts.chain(
        [(url.path(), Form::InUrl), (url.query().unwrap_or_default(), Form::InUrl)]
            .map(|(text, form)| (text.as_bytes(), form)),
    );
    let mut count = 0;
    for (text, form) in texts {
        for mark in marks(text, form) {
            grants.find(&mark?.name)?.check(url)?;
            count += 1;
        }
    }
    if count > MARKS_MAX {
        return Err(Denied::TooLarge { limit: "secret_marks_max", actual: count, max: MARKS_MAX });
    }
    Ok(())
}

impl SecretGrants {
    fn find(&self, name: &SecretName) -> Result<&NamedSecret, Denied> {
        let Some(named) = self.named.iter().find(|named| named.name == *name) else {
            let named = self.named.iter().map(|named| named.name.clone()).collect();
            return Err(Denied::SecretUnknown { name: name.clone(), named });
        };
        if self.asked.contains(name) {
            Ok(named)
        } else {
            Err(Denied::SecretNotAsked { name: name.clone(), asked: self.asked.clone() })
        }
    }
}

/// How marks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With their braces.
    AsIs,
    /// With their braces or these percent-encoded: reading a URL does that to its path.
    InUrl,
}

/// One mark in a text.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    at: Range<usize>,
    name: SecretName,
}

/// The text with each mark replaced; `None` when it has none.
///
/// # Errors
/// When a mark is none, or the value is refused.
pub fn replace<E: From<Denied>>(
    text: &[u8],
    form: Form,
    mut value_of: impl FnMut(&SecretName) -> Result<Vec<u8>, E>,
) -> Result<Option<Vec<u8>>, E> {
    let (mut replaced, mut copied) = (Vec::new(), 0);
    for mark in marks(text, form) {
        let mark = mark?;
        replaced.extend_from_slice(&text[copied..mark.at.start]);
        replaced.extend(value_of(&mark.name)?);
        copied = mark.at.end;
    }
    if copied == 0 {
        return Ok(None);
    }
    replaced.extend_from_slice(&text[copied..]);
    Ok(Some(replaced))
}

/// The marks of a text in their order. What begins like one and is none is an error: sent as it stands, it would mean
/// something else to a later host.
fn marks(text: &[u8], form: Form) -> impl Iterator<Item = Result<Mark, Denied>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while from < text.len() {
            let start = from;
            from += 1;
            let Some(name_at) = opening(text, start, form) else { continue };
            let mark = mark(text, start, name_at, form);
            from = mark.as_ref().map_or(text.len(), |mark| mark.at.end);
            return Some(mark.ok_or(Denied::SecretMark));
        }
        None
    })
}

fn mark(text: &[u8], start: usize, name_at: usize, form: Form) -> Option<Mark> {
    let length = text[name_at..].iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'-'))?;
    let name = std::str::from_utf8(&text[name_at..name_at + length]).ok()?;
    let name = SecretName::new(name).ok()?;
    let end = brace(text, brace(text, name_at + length, b'}', form)?, b'}', form)?;
    Some(Mark { at: start..end, name })
}

/// Where the name begins, if a mark begins here.
fn opening(text: &[u8], at: usize, form: Form) -> Option<usize> {
    let word_at = brace(text, brace(text, at, b'{', form)?, b'{', form)?;
    let word = &OPENING[2..];
    text[word_at..].starts_with(word).then_some(word_at + word.len())
}

/// Where the text goes on after this brace.
fn brace(text: &[u8], at: usize, brace: u8, form: Form) -> Option<usize> {
    let rest = text.get(at..)?;
    if rest.first() == Some(&brace) {
        return Some(at + 1);
    }
    let encoded: &[u8] = if brace == b'{' { b"%7b" } else { b"%7d" };
    let is_encoded =
        form == Form::InUrl && rest.get(..3).is_some_and(|rest| rest.eq_ignore_ascii_case(encoded));
    is_encoded.then_some(at + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, form: Form) -> Result<Option<String>, Denied> {
        let value = |name: &SecretName| Ok(format!("<{name}>").into_bytes());
        replace::<Denied>(text.as_bytes(), form, value)
            .map(|filled| filled.map(|bytes| String::from_utf8(bytes).expect("text")))
    }

    #[test]
    fn marks_are_replaced_and_nothing_else_is() {
        for (text, form, expected) in [
            ("", Form::AsIs, None),
            ("plain", Form::AsIs, None),
            ("{{other:x}}", Form::AsIs, None),
            ("{{Secret:x}}", Form::AsIs, None),
            ("{secret:x}", Form::AsIs, None),
            ("{{secret:jira}}", Form::AsIs, Some("<jira>")),
            ("Bearer {{secret:jira}}", Form::AsIs, Some("Bearer <jira>")),
            ("a{{secret:a}}b{{secret:b-2}}c", Form::AsIs, Some("a<a>b<b-2>c")),
            ("{{{secret:a}}}", Form::AsIs, Some("{<a>}")),
            // A value is not looked at for marks of its own, and neither is an encoded one outside a URL.
            ("%7B%7Bsecret:a%7D%7D", Form::AsIs, None),
            ("%7B%7Bsecret:a%7D%7D", Form::InUrl, Some("<a>")),
            ("/x/%7b{secret:a}%7d/y", Form::InUrl, Some("/x/<a>/y")),
        ] {
            assert_eq!(filled(text, form), Ok(expected.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn what_begins_like_a_mark_and_is_none_is_refused() {
        for text in [
            "{{secret:",
            "{{secret:}}",
            "{{secret:a",
            "{{secret:a}",
            "{{secret:a }}",
            "{{secret:A}}",
            "{{secret:-a}}",
            "{{secret:{{secret:a}}}}",
            "{{secret:a}}{{secret:b",
        ] {
            assert_eq!(filled(text, Form::AsIs), Err(Denied::SecretMark), "{text}");
        }
    }
}
