//! Secrets' values: put into a request at the last moment, and taken out of what comes back. Knows nothing of who asks
//! for them, nor of where they are kept.

use crate::effect::secret::{Form, NamedSecret, SecretName, replace};
use crate::effect::{Denied, GrantedRequest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use std::sync::Arc;
use url::Url;

/// A shorter value could not be told from other text where it must be taken out.
const BYTES_MIN: usize = 8;
/// A longer one would make a request much larger than its plugin was allowed.
const BYTES_MAX: usize = 8 << 10;
/// What stands where a secret stood.
const TAKEN_OUT: &str = "[secret]";
/// What is encoded in a URL: all but what RFC 3986 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A secret's value: visible ASCII, with spaces inside. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Arc<str>);

/// The text cannot be a secret's value. It is not repeated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it cannot be a secret: use {BYTES_MIN} to {BYTES_MAX} bytes of visible ASCII, with spaces inside only, no line breaks"
)]
pub struct SecretValueError;

impl SecretValue {
    /// Checks and takes a value.
    ///
    /// # Errors
    /// When it is too short to be recognised, too long, or has a character that a header cannot have.
    pub fn new(text: &str) -> Result<Self, SecretValueError> {
        let is_visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let fits = (BYTES_MIN..=BYTES_MAX).contains(&text.len());
        if is_visible && fits && text.trim() == text { Ok(Self(text.into())) } else { Err(SecretValueError) }
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// The operator's secrets with their values. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<[(NamedSecret, SecretValue)]>);

impl Secrets {
    /// These secrets.
    #[must_use]
    pub fn new(secrets: Vec<(NamedSecret, SecretValue)>) -> Self {
        Self(secrets.into())
    }

    /// Their names and hosts: what plans are checked against.
    #[must_use]
    pub fn named(&self) -> Arc<[NamedSecret]> {
        self.0.iter().map(|(named, _)| named.clone()).collect()
    }

    fn value(&self, name: &SecretName, url: &Url) -> Result<&SecretValue, Denied> {
        let found = self.0.iter().find(|(named, _)| named.name == *name);
        let (named, value) = found.ok_or_else(|| Denied::SecretUnknown {
            name: name.clone(),
            named: self.0.iter().map(|(named, _)| named.name.clone()).collect(),
        })?;
        named.check(url)?;
        Ok(value)
    }

    /// The request as it is sent: every mark replaced by its value, if its host is still one of the secret's.
    pub(super) fn fill(&self, request: &GrantedRequest) -> Result<Filled, Denied> {
        let granted = request.url();
        let mut used: Vec<SecretValue> = Vec::new();
        let mut value_of = |name: &SecretName, shape: fn(&str) -> String| {
            let value = self.value(name, granted)?;
            if !used.contains(value) {
                used.push(value.clone());
            }
            Ok(shape(&value.0).into_bytes())
        };
        let as_it_is: fn(&str) -> String = str::to_owned;
        let mut url = granted.clone();
        if let Some(path) =
            replace(granted.path().as_bytes(), Form::InUrl, |name| value_of(name, percent_encoded))?
        {
            url.set_path(&ascii(path));
        }
        let query = granted.query().unwrap_or_default();
        if let Some(query) = replace(query.as_bytes(), Form::InUrl, |name| value_of(name, percent_encoded))? {
            url.set_query(Some(&ascii(query)));
        }
        let mut headers = HeaderMap::with_capacity(request.headers().len() + 1);
        for (name, value) in request.headers() {
            let filled = replace(value.as_bytes(), Form::AsIs, |name| value_of(name, as_it_is))?;
            headers.append(name, filled.map_or_else(|| value.clone(), sensitive));
        }
        let mut body = request.body().cloned();
        if let Some(marked) = request.body() {
            let filled = replace(marked, Form::AsIs, |name| value_of(name, as_it_is))?;
            body = filled.map(Bytes::from).or(body);
        }
        Ok(Filled { url, headers, body, redactor: Redactor::new(&used) })
    }
}

/// A request with its secrets in it: shown to nobody but its target.
pub(super) struct Filled {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// Takes out of the response what was put into the request.
    pub(super) redactor: Redactor,
}

/// Marked as sensitive: neither a debug line nor HTTP/2's table of headers keeps it.
fn sensitive(bytes: Vec<u8>) -> HeaderValue {
    let value = HeaderValue::from_maybe_shared(Bytes::from(bytes));
    let mut value = value.expect("a header's value and a secret's are visible ASCII");
    value.set_sensitive(true);
    value
}

fn ascii(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a URL and a percent-encoded value are ASCII")
}

/// All but unreserved characters (RFC 3986, section 2.3) percent-encoded: a value cannot end a path or a parameter.
fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Takes secrets out of texts, in the forms in which servers repeat what they were sent.
#[derive(Default)]
pub(super) struct Redactor {
    /// The longest first: one may hold another.
    forms: Vec<Vec<u8>>,
}

impl Redactor {
    fn new(used: &[SecretValue]) -> Self {
        let mut forms: Vec<Vec<u8>> = used.iter().flat_map(|value| forms_of(&value.0)).collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// Whether nothing is ever taken out.
    pub(super) fn is_idle(&self) -> bool {
        self.forms.is_empty()
    }

    /// The text without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        if self.is_idle() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.bytes(text.as_bytes(), End::Whole)).into_owned()
    }

    /// The bytes without secrets. Where they were cut, what may be the beginning of a secret at their end goes, too.
    pub(super) fn bytes(&self, bytes: &[u8], end: End) -> Vec<u8> {
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            if let Some(form) = self.forms.iter().find(|form| starts_with(rest, form)) {
                clean.extend_from_slice(TAKEN_OUT.as_bytes());
                rest = &rest[form.len()..];
            } else if end == End::Cut && self.forms.iter().any(|form| starts_with(form, rest)) {
                break;
            } else {
                clean.push(*first);
                rest = after;
            }
        }
        clean
    }
}

/// Whether bytes end where they ended, or where they were cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    Cut,
}

/// Percent-encoding may be in either case, and so may what is around it: case is not compared.
fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn forms_of(value: &str) -> Vec<Vec<u8>> {
    let json = serde_json::Value::from(value).to_string();
    // Some writers of JSON escape slashes, and some of HTML what could be a tag.
    let json = json[1..json.len() - 1].to_owned();
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    [
        value.to_owned(),
        percent_encoded(value),
        percent_encoded(value).replace("%20", "+"),
        json.replace('/', "\\/"),
        json,
        html.replace('\'', "&#39;"),
        html.replace('\'', "&#x27;"),
        STANDARD.encode(value),
        STANDARD_NO_PAD.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ]
    .map(String::into_bytes)
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "hush/\"hush\" 'n <b>";

    fn redactor() -> Redactor {
        Redactor::new(&[
            SecretValue::new(VALUE).expect("a value"),
            SecretValue::new("hush/\"hush\"").expect("a value"),
        ])
    }

    #[test]
    fn a_value_can_be_recognised_and_sent() {
        for text in ["12345678", "Basic dXNlcjpwYXNz", "a b c d e f", "{{secret:a}}"] {
            let value = SecretValue::new(text).expect(text);
            assert_eq!(format!("{value:?}"), "SecretValue(..)");
        }
        for text in [
            "",
            "1234567",
            " 12345678",
            "12345678\n",
            "1234\r\n5678",
            "1234\t5678",
            "12345678é",
            &"x".repeat(8193),
        ] {
            assert_eq!(SecretValue::new(text), Err(SecretValueError), "{text:?}");
        }
    }

    #[test]
    fn a_secret_is_taken_out_in_every_form_in_which_servers_repeat_it() {
        for (form, clean) in [
            (format!("you sent {VALUE}!"), "you sent [secret]!"),
            ("hush/\"hush\"".to_owned(), "[secret]"),
            (format!("{{\"sent\":{}}}", serde_json::Value::from(VALUE)), "{\"sent\":\"[secret]\"}"),
            ("hush\\/\\\"hush\\\" 'n <b>".to_owned(), "[secret]"),
            ("/hush%2F%22hush%22%20%27n%20%3Cb%3E?".to_owned(), "/[secret]?"),
            ("/hush%2f%22hush%22+%27n+%3cb%3e?".to_owned(), "/[secret]?"),
            ("<p>hush/&quot;hush&quot; &#39;n &lt;b&gt;</p>".to_owned(), "<p>[secret]</p>"),
            (format!("Basic {}", STANDARD.encode(VALUE)), "Basic [secret]"),
            ("nothing of it".to_owned(), "nothing of it"),
        ] {
            assert_eq!(redactor().text(&form), clean, "{form}");
        }
    }

    #[test]
    fn half_a_secret_does_not_stand_at_the_end_of_what_was_cut() {
        let redactor = Redactor::new(&[SecretValue::new("abcdefga").expect("a value")]);
        for (text, whole, cut) in [
            ("", "", ""),
            ("xyz", "xyz", "xyz"),
            ("xyzabcdefg", "xyzabcdefg", "xyz"),
            ("xyza", "xyza", "xyz"),
            ("abx", "abx", "abx"),
            // A whole one whose end may be the beginning of another.
            ("xxabcdefga", "xx[secret]", "xx[secret]"),
        ] {
            let clean = |end| String::from_utf8(redactor.bytes(text.as_bytes(), end)).expect("text");
            assert_eq!((clean(End::Whole).as_str(), clean(End::Cut).as_str()), (whole, cut), "{text}");
        }
    }
}
