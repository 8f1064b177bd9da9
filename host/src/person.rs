//! Recognises a person in what was recorded: by the id that the sender gives who has an asset on loan, and by names. Pure;
//! knows nothing of where it was recorded.

use crate::scan;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use serde_json::Value;

/// What names the person who has an asset on loan, in the sender's words.
const LOANEE: &str = "loanee";
/// JSON may stand in a text of JSON, and that in base64: looked into so many times.
const NESTED_MAX: usize = 4;
/// A shorter text is taken for no base64.
const BASE64_BYTES_MIN: usize = 16;
/// Bytes after the word in which a loanee's object ends, when nothing but bytes is left of a row.
const RAW_BYTES_MAX: usize = 600;

/// Who is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The loanee's id, as text.
    pub id: Option<String>,
    /// Names, each as it is written.
    pub names: Vec<String>,
}

impl Person {
    /// Whether these bytes name the person: a `loanee` with the id, whatever JSON type that has, or a name within any text.
    /// A name counts as whole words and as it is written.
    #[must_use]
    pub fn is_named_in(&self, bytes: &[u8]) -> bool {
        self.is_named(bytes, NESTED_MAX)
    }

    fn is_named(&self, bytes: &[u8], depth: usize) -> bool {
        let text = scan::json_of(bytes);
        if let Some(value) = text.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
            return self.is_in(&value, depth);
        }
        self.names.iter().any(|name| is_word(bytes, name.as_bytes())) || !self.ids_at(bytes).is_empty()
    }

    fn is_in(&self, value: &Value, depth: usize) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| {
                (is_loanee(key) && self.has_id(value))
                    || self.is_in_text(key, depth)
                    || self.is_in(value, depth)
            }),
            Value::Array(list) => list.iter().any(|value| self.is_in(value, depth)),
            Value::String(text) => self.is_in_text(text, depth),
            _ => false,
        }
    }

    fn has_id(&self, value: &Value) -> bool {
        let Some(id) = &self.id else { return false };
        match value {
            Value::Object(map) => map.get("id").is_some_and(|value| is_scalar(value, id)),
            Value::Array(list) => list.iter().any(|value| self.has_id(value)),
            value => is_scalar(value, id),
        }
    }

    fn is_in_text(&self, text: &str, depth: usize) -> bool {
        if self.names.iter().any(|name| is_word(text.as_bytes(), name.as_bytes())) {
            return true;
        }
        let plain = percent_encoding::percent_decode_str(&text.replace('+', " ")).collect::<Vec<u8>>();
        if self.names.iter().any(|name| is_word(&plain, name.as_bytes())) {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        if text.trim_start().starts_with(['{', '[']) && self.is_named(text.as_bytes(), depth) {
            return true;
        }
        text.len() >= BASE64_BYTES_MIN
            && STANDARD.decode(text).is_ok_and(|bytes| self.is_named(&bytes, depth))
    }

    /// The names that a body gives the person with this id.
    #[must_use]
    pub fn names_in(&self, body: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        let text = scan::json_of(body);
        if let Some(value) = text.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
            self.learn(&value, &mut names);
        }
        names
    }

    fn learn(&self, value: &Value, names: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let name = value.get("name").and_then(Value::as_str).map(str::trim);
                    if let Some(name) =
                        name.filter(|name| !name.is_empty() && is_loanee(key) && self.has_id(value))
                    {
                        names.push(name.to_owned());
                    }
                    self.learn(value, names);
                }
            }
            Value::Array(list) => list.iter().for_each(|value| self.learn(value, names)),
            _ => {}
        }
    }

    /// Where the person stands in bytes of which nobody knows what they are, such as a file: a name as it is or with JSON's
    /// escapes, a loanee's object with the id.
    #[must_use]
    pub fn places_in(&self, bytes: &[u8]) -> Vec<usize> {
        let mut places = self.ids_at(bytes);
        for name in &self.names {
            let escaped = escaped(name);
            let forms = [name.as_str(), &escaped];
            let forms = if escaped == *name { &forms[..1] } else { &forms };
            for form in forms {
                places.extend(words(bytes, form.as_bytes()));
            }
        }
        places
    }

    fn ids_at(&self, bytes: &[u8]) -> Vec<usize> {
        let Some(id) = &self.id else { return Vec::new() };
        let found = memmem::find_iter(bytes, LOANEE.as_bytes());
        found.filter(|at| is_raw_loanee(bytes.get(*at..).unwrap_or_default(), id)).collect()
    }
}

fn is_loanee(key: &str) -> bool {
    key.to_ascii_lowercase().contains(LOANEE)
}

fn is_scalar(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text.trim() == id,
        Value::Number(number) => number.to_string() == id,
        _ => false,
    }
}

/// Whether what follows the word is an object with this id, escaped or not.
fn is_raw_loanee(bytes: &[u8], id: &str) -> bool {
    let compact = bytes.iter().take(RAW_BYTES_MAX).filter(|byte| !b" \t\r\n\\\"".contains(byte));
    let compact: Vec<u8> = compact.copied().collect();
    let Some(object) = compact.strip_prefix(b"loanee:{") else { return false };
    let object = object.split(|byte| *byte == b'}').next().unwrap_or_default();
    object.split(|byte| *byte == b',').any(|field| field == [b"id:", id.as_bytes()].concat())
}

/// A text as JSON writes it when it keeps to ASCII.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out
}

fn is_word(bytes: &[u8], word: &[u8]) -> bool {
    words(bytes, word).next().is_some()
}

/// Where a word stands with no letter or digit right before or after it.
fn words<'a>(bytes: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let found = memmem::find_iter(bytes, word);
    found.filter(move |at| {
        !word.is_empty()
            && !is_part(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !is_part(bytes.get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        Person { id: Some("142".into()), names: vec!["John Do".into()] }
    }

    fn by_id() -> Person {
        Person { names: Vec::new(), ..person() }
    }

    #[test]
    fn an_id_is_a_loanees_and_whole() {
        for (body, named) in [
            (r#"{"loanee":{"id":142,"name":"x"}}"#, true),
            (r#"{"loanee":{"id":"142"}}"#, true),
            (r#"{"event":{"loanee":{"name":"x", "id" : 142}}}"#, true),
            (r#"{"loanee_id":142}"#, true),
            (r#"{"loanee":142}"#, true),
            (r#"{"old":[{"loanee":{"id":142}}]}"#, true),
            (r#"{"loanee":{"id":1420}}"#, false),
            (r#"{"id":142,"loanee":null}"#, false),
            (r#"{"location":{"id":142}}"#, false),
            (r#"{"loanee":{"id":7},"note":"142"}"#, false),
            (r#"no json, "loanee": {"name": "x", "id": 142}"#, true),
            (r#"no json, "loanee": {"id": 14}, "id": 142"#, false),
        ] {
            assert_eq!(by_id().is_named_in(body.as_bytes()), named, "{body}");
        }
    }

    #[test]
    fn a_name_is_found_in_any_text_as_whole_words() {
        for (body, named) in [
            (r#"{"text":"lent to John Do."}"#, true),
            (r#"{"John Do":1}"#, true),
            (r#"{"url":"https://a.example/?q=John%20Do"}"#, true),
            (r#"{"url":"https://a.example/?q=John+Do&x=1"}"#, true),
            (r#"{"text":"John Down"}"#, false),
            (r#"{"text":"john do"}"#, false),
            ("plain John Do text", true),
        ] {
            assert_eq!(person().is_named_in(body.as_bytes()), named, "{body}");
        }
    }

    #[test]
    fn json_within_texts_and_base64_is_looked_into() {
        let body = r#"{"loanee":{"id":142}}"#;
        let text = serde_json::json!({ "body": { "encoding": "text", "content": body } }).to_string();
        let base64 = serde_json::json!({ "body": STANDARD.encode(body) }).to_string();
        let both = serde_json::json!({ "body": STANDARD.encode(&text) }).to_string();
        for outer in [&text, &base64, &both] {
            assert!(by_id().is_named_in(outer.as_bytes()), "{outer}");
        }
    }

    #[test]
    fn names_are_learned_of_the_person_only() {
        let body = br#"{"loanee":{"id":142,"name":"John Do"},"other":{"loanee":{"id":7,"name":"Jane"}}}"#;
        assert_eq!(by_id().names_in(body), ["John Do"]);
    }

    #[test]
    fn bytes_of_a_file_are_looked_through() {
        let bytes = b"\0\x01{\"loanee\": {\"id\": 142, \"name\": \"J\"}}\0xx\\\"loanee\\\":{\\\"id\\\":\\\"142\\\"}John Do\0";
        assert_eq!(person().places_in(bytes).len(), 3);
        assert!(person().places_in(b"\"loanee\":{\"id\":7},\"id\":142 John Done").is_empty());
        let umlaut = Person { id: None, names: vec!["Jörg".into()] };
        assert_eq!(umlaut.places_in("Jörg J\\u00f6rg".as_bytes()).len(), 2);
    }
}
