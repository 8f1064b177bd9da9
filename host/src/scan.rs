//! One strict pass over a body's JSON that finds what two readers could understand differently, and refuses nothing.
//! Pure; knows nothing of what the JSON means.

use crate::finding::{self, Finding};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The largest integer that every reader of JSON keeps exact: 2^53
/// (<https://www.rfc-editor.org/rfc/rfc8259#section-6>).
const EXACT_MAX: u64 = 1 << 53;

/// 2^63: an integer that does not fit in 64 bits is read as a float from here on, on either side of zero.
const FLOAT_FROM: f64 = 9_223_372_036_854_775_808.0;

/// Objects and lists inside one another that are looked through: what the least patient of the usual readers takes
/// (<https://learn.microsoft.com/dotnet/api/system.text.json.jsonserializeroptions.maxdepth>).
const DEPTH_MAX: usize = 64;

/// Keys for which there is room from the start: those of an asset's event and of what is in it.
const KEYS_USUAL: usize = 16;

/// Characters of a key that a finding quotes.
const QUOTED_CHARS_MAX: usize = 40;

/// A body as text that can be read as JSON where anything can, and what is odd about it.
#[derive(Debug)]
pub struct Scanned<'a> {
    /// The text to read; what stands before and after the JSON value, and what is no text, is gone from it.
    pub text: Cow<'a, str>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Whether it is JSON at all.
    pub is_json: bool,
}

/// The JSON text of a body; `None` when it is not JSON.
#[must_use]
pub fn json_of(body: &[u8]) -> Option<Cow<'_, str>> {
    let scanned = scan(body);
    scanned.is_json.then_some(scanned.text)
}

/// Looks through a body.
#[must_use]
pub fn scan(body: &[u8]) -> Scanned<'_> {
    let mut findings = Vec::new();
    let bytes = match body.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => {
            findings.push(Finding::new(finding::BOM, "a byte order mark stands before the JSON"));
            rest
        }
        None => body,
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            findings.push(Finding::new(finding::NOT_UTF8, error.to_string()));
            String::from_utf8_lossy(bytes)
        }
    };
    let error = match walk(&text, &mut findings) {
        Ok(end) => return Scanned { text: first(text, end), findings, is_json: true },
        Err(error) => error,
    };
    let mended = without_lone_surrogates(&text);
    let is_mended = mended != text;
    let text = if is_mended { Cow::Owned(mended) } else { text };
    if is_mended {
        findings.push(Finding::new(finding::LONE_SURROGATE, "an escape of half a character"));
        if let Ok(end) = walk(&text, &mut findings) {
            return Scanned { text: first(text, end), findings, is_json: true };
        }
    }
    // What is JSON by its grammar and could not be walked through has a number like 1e999.
    if let Ok(end) = end_of_value(&text) {
        let detail = "a number is beyond what a reader keeps; what follows it was not looked through";
        findings.push(Finding::new(finding::BIG_INTEGER, detail));
        findings.extend(trailing(&text, end));
        return Scanned { text: first(text, end), findings, is_json: true };
    }
    findings.push(Finding::new(finding::NOT_JSON, error.to_string()));
    Scanned { text, findings, is_json: false }
}

/// Where the first JSON value of a text ends, going by the grammar alone, however deep it is nested.
fn end_of_value(text: &str) -> Result<usize, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(value) => value.map(|_| values.byte_offset()),
        None => Err(serde::de::Error::custom("there is no value")),
    }
}

fn trailing(text: &str, end: usize) -> Option<Finding> {
    let rest = text.get(end..)?.trim_ascii();
    let detail = || format!("{} bytes follow the JSON value", rest.len());
    (!rest.is_empty()).then(|| Finding::new(finding::TRAILING, detail()))
}

/// The text up to this byte.
fn first(text: Cow<'_, str>, end: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or(text)),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// Walks through the first JSON value of a text and tells where it ends. What it finds it adds, once of each kind.
fn walk(text: &str, findings: &mut Vec<Finding>) -> Result<usize, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut walk = Walk { keys: Vec::with_capacity(KEYS_USUAL), ..Walk::default() };
    (&mut walk).deserialize(&mut reader)?;
    let end = match reader.end() {
        Ok(()) => text.len(),
        Err(_) => end_of_value(text)?,
    };
    findings.extend(trailing(text, end));
    findings.extend(walk.is_too_deep.then(|| {
        Finding::new(
            finding::TOO_DEEP,
            format!("nested more than {DEPTH_MAX} deep; not looked through there"),
        )
    }));
    findings.extend(
        walk.duplicate.map(|key| Finding::new(finding::DUPLICATE_KEY, format!("`{key}` stands twice"))),
    );
    findings.extend(walk.inexact.map(|number| {
        Finding::new(finding::BIG_INTEGER, format!("{number} is beyond what every reader keeps exact"))
    }));
    Ok(end)
}

/// What a walk has come across: the first of each kind.
#[derive(Default)]
struct Walk<'de> {
    /// The keys so far of each object that it is inside of, the innermost last.
    keys: Vec<Cow<'de, str>>,
    /// How many objects and lists it is inside of.
    depth: usize,
    is_too_deep: bool,
    duplicate: Option<String>,
    inexact: Option<String>,
}

impl<'de> DeserializeSeed<'de> for &mut Walk<'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if number > EXACT_MAX && self.inexact.is_none() {
            self.inexact = Some(number.to_string());
        }
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        if number.unsigned_abs() > EXACT_MAX && self.inexact.is_none() {
            self.inexact = Some(number.to_string());
        }
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        // An integer beyond 64 bits comes here too.
        if number.abs() >= FLOAT_FROM && self.inexact.is_none() {
            self.inexact = Some(format!("{number:e}"));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.depth == DEPTH_MAX {
            self.is_too_deep = true;
            return IgnoredAny.visit_seq(seq).map(drop);
        }
        self.depth += 1;
        while seq.next_element_seed(&mut *self)?.is_some() {}
        self.depth -= 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.depth == DEPTH_MAX {
            self.is_too_deep = true;
            return IgnoredAny.visit_map(map).map(drop);
        }
        self.depth += 1;
        let first = self.keys.len();
        while let Some(key) = map.next_key_seed(Key)? {
            self.keys.push(key);
            map.next_value_seed(&mut *self)?;
        }
        self.depth -= 1;
        let keys = self.keys.get_mut(first..).unwrap_or_default();
        // Sorted once and not searched for each key: an object may have a hundred thousand.
        keys.sort_unstable();
        if let Some([key, ..]) = keys.windows(2).find(|pair| pair[0] == pair[1])
            && self.duplicate.is_none()
        {
            self.duplicate = Some(key.chars().take(QUOTED_CHARS_MAX).collect());
        }
        self.keys.truncate(first);
        Ok(())
    }
}

/// A key, borrowed where it stands unescaped.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// The text with each escape of half a character replaced by U+FFFD's: JSON lets it stand, Unicode does not.
fn without_lone_surrogates(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let taken = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end),
        };
        mended.push_str(escape.get(..taken).unwrap_or(escape));
        rest = escape.get(taken..).unwrap_or_default();
    }
    mended.push_str(rest);
    mended
}

/// The UTF-16 unit that a text begins with as `\uXXXX`.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::scan;

    /// The codes of what is found in a body, and whether it is read as JSON.
    fn codes(body: &[u8]) -> (Vec<String>, bool) {
        let scanned = scan(body);
        (scanned.findings.into_iter().map(|finding| finding.code.into_owned()).collect(), scanned.is_json)
    }

    #[test]
    fn what_readers_understand_differently_is_found() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        let (deep, too_deep, endless) = (nested(64), nested(65), nested(100_000));
        let deep_inside = format!(r#"{{"id":1,"x":{}}}"#, nested(64));
        for (body, found, is_json) in [
            (&br#"{"a":1,"b":[{"a":2}]}"#[..], &[][..], true),
            (br#"{"id":9007199254740992}"#, &[], true),
            (br#"{"a":1,"a":2}"#, &["duplicate-key"], true),
            (br#"{"a":1,"\u0061":2}"#, &["duplicate-key"], true),
            (br#"[{"x":[{"y":1,"z":2,"y":3}]}]"#, &["duplicate-key"], true),
            (br#"{"id":9007199254740993}"#, &["big-integer"], true),
            (br#"{"id":-9007199254740993}"#, &["big-integer"], true),
            (br#"{"id":123456789012345678901234567890}"#, &["big-integer"], true),
            (br#"{"price":0.1,"big":1e9}"#, &[], true),
            (b"\xef\xbb\xbf{}", &["bom"], true),
            (b"{} x", &["trailing"], true),
            (b"{}{}", &["trailing"], true),
            (b"{} \r\n", &[], true),
            (b"{\"name\":\"\xff\"}", &["not-utf8"], true),
            (br#"{"name":"\ud800"}"#, &["lone-surrogate"], true),
            (br#"{"name":"\udc00\ud800x"}"#, &["lone-surrogate"], true),
            (br#"{"name":"\ud83d\ude00 \\ud800"}"#, &[], true),
            (br#"{"a":1,"a":"\udfff"}"#, &["lone-surrogate", "duplicate-key"], true),
            (br#"{"id":-9223372036854775809}"#, &["big-integer"], true),
            (br#"{"id":1e18}"#, &[], true),
            (br#"{"id":1,"x":-1e999} x"#, &["big-integer", "trailing"], true),
            (br#"{"id":1,"x":1e999,"y":"\ud800"}"#, &["lone-surrogate", "big-integer"], true),
            (br#"{"id":1,"x":1e999,}"#, &["not-json"], false),
            (deep.as_bytes(), &[], true),
            (too_deep.as_bytes(), &["too-deep"], true),
            (deep_inside.as_bytes(), &["too-deep"], true),
            (endless.as_bytes(), &["too-deep"], true),
            (&endless.as_bytes()[1..], &["trailing", "too-deep"], true),
            (&endless.as_bytes()[..150_000], &["not-json"], false),
            (b"675 ", &[], true),
            (b"675x", &["not-json"], false),
            (b" ", &["not-json"], false),
            (b"{", &["not-json"], false),
            (b"\xff", &["not-utf8", "not-json"], false),
            (b"", &["not-json"], false),
            (b"{\"a\":NaN}", &["not-json"], false),
        ] {
            let text = String::from_utf8_lossy(body);
            assert_eq!(codes(body), (found.iter().map(ToString::to_string).collect(), is_json), "{text:.60}");
        }
    }

    #[test]
    fn the_text_can_be_read_where_the_body_could_not() {
        for (body, text) in [
            (&b"\xef\xbb\xbf{\"a\":1} tail"[..], "{\"a\":1}"),
            (b"{\"a\":\"\xff\"}", "{\"a\":\"\u{fffd}\"}"),
            (br#"{"a":"\ud800\u0041"}"#, r#"{"a":"\ufffd\u0041"}"#),
        ] {
            let scanned = scan(body);
            assert_eq!(scanned.text, text);
            assert!(serde_json::from_str::<serde_json::Value>(&scanned.text).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_scanned() {
        let mut random = fastrand::Rng::with_seed(0x7469_6465);
        let parts =
            ["{", "}", "[", "]", "\"", "\\", "\\u", "d800", "dc00", "a", ":", ",", "1", "e9", " ", "\u{e4}"];
        for _ in 0..20_000 {
            let mut body: Vec<u8> =
                (0..random.usize(0..30)).flat_map(|_| parts[random.usize(0..parts.len())].bytes()).collect();
            if random.u8(0..4) == 0 {
                body.push(random.u8(..));
            }
            let scanned = scan(&body);
            let read = serde_json::from_str::<serde::de::IgnoredAny>(&scanned.text).is_ok();
            assert_eq!(read, scanned.is_json, "{:?}", String::from_utf8_lossy(&body));
        }
    }
}
