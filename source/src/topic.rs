//! What an event is and what it is about, read from a few places of its JSON. Knows nothing of senders.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Bytes in the longest kind or subject; a longer one is not taken.
pub const TOPIC_BYTES_MAX: usize = 512;

/// What an event is and what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// What happened, in the sender's words.
    pub kind: Option<String>,
    /// What it happened to.
    pub subject: Option<String>,
}

impl Topic {
    /// A topic of what was found; what is empty or too long is as if it had not been found.
    #[must_use]
    pub fn new(kind: Option<String>, subject: Option<String>) -> Self {
        let usable = |text: &String| (1..=TOPIC_BYTES_MAX).contains(&text.len());
        Self { kind: kind.filter(usable), subject: subject.filter(usable) }
    }
}

/// The value of a header, by its lower-case name.
pub(crate) fn header<'a>(headers: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The texts and numbers at these paths; `None` for what is not there. Everything else is passed over without being
/// kept, so the size of the JSON does not matter. Of a key that is there twice the last one counts.
pub(crate) fn texts<const N: usize>(json: &[u8], paths: [&[&str]; N]) -> [Option<String>; N] {
    let mut found = [const { None }; N];
    let mut reader = serde_json::Deserializer::from_slice(json);
    let node = Node { wanted: paths.into_iter().enumerate().collect(), found: &mut found };
    if node.deserialize(&mut reader).and_then(|()| reader.end()).is_err() {
        return [const { None }; N];
    }
    found
}

/// One place in the JSON, and what is wanted of it: the number of each path, and its rest from here.
struct Node<'p, 'f> {
    wanted: Vec<(usize, &'p [&'p str])>,
    found: &'f mut [Option<String>],
}

impl Node<'_, '_> {
    fn take(self, text: &str) {
        for (number, rest) in self.wanted {
            if let (true, Some(found)) = (rest.is_empty(), self.found.get_mut(number)) {
                *found = Some(text.to_owned());
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.take(text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.take(&number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.take(&number.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let below = self.wanted.iter().filter_map(|(number, rest)| match rest.split_first() {
                Some((first, rest)) if *first == key => Some((*number, rest)),
                _ => None,
            });
            let wanted: Vec<_> = below.collect();
            if wanted.is_empty() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            for (number, _) in &wanted {
                if let Some(found) = self.found.get_mut(*number) {
                    *found = None;
                }
            }
            map.next_value_seed(Node { wanted, found: self.found })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_whole_numbers_are_found_by_their_paths() {
        let paths: [&[&str]; 3] = [&["type"], &["data", "id"], &["data"]];
        for (json, expected) in [
            (r#"{"type":"a","data":{"id":"b"}}"#, [Some("a"), Some("b"), None]),
            (r#"{"data":{"x":[{"id":1}],"id":675},"type":"a"}"#, [Some("a"), Some("675"), None]),
            (r#"{"data":"text","type":-5}"#, [Some("-5"), None, Some("text")]),
            (r#"{"data":{"id":18446744073709551615}}"#, [None, Some("18446744073709551615"), None]),
            (r#"{"data":{"id":1.5},"type":true}"#, [None, None, None]),
            (r#"{"data":{"id":null},"type":["a"]}"#, [None, None, None]),
            (r#"{"type":"a","type":"b"}"#, [Some("b"), None, None]),
            (r#"{"type":"a","type":{}}"#, [None, None, None]),
            (r#"{"data":{"id":"b"},"data":{}}"#, [None, None, None]),
            (r#"{"type":"a"} x"#, [None, None, None]),
            (r#"{"type":"a""#, [None, None, None]),
            (r#"["type"]"#, [None, None, None]),
            ("\"type\"", [None, None, None]),
            ("", [None, None, None]),
        ] {
            let found = texts(json.as_bytes(), paths);
            assert_eq!(found.each_ref().map(Option::as_deref), expected, "{json}");
        }
    }

    #[test]
    fn nesting_without_end_is_no_json_and_no_panic() {
        let deep = ["{\"data\":".repeat(100_000), "[".repeat(100_000)];
        for json in deep {
            assert_eq!(texts(json.as_bytes(), [&["data", "id"]]), [None]);
        }
        let deep = format!(r#"{{"x":{}{},"type":"a"}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let found = texts(deep.as_bytes(), [&["type"]]);
        assert!(found == [None] || found == [Some("a".to_owned())], "{found:?}");
    }

    #[test]
    fn an_endless_subject_is_not_taken() {
        let topic = Topic::new(Some("k".repeat(TOPIC_BYTES_MAX)), Some("s".repeat(TOPIC_BYTES_MAX + 1)));
        assert!(topic.kind.is_some() && topic.subject.is_none());
        assert_eq!(Topic::new(Some(String::new()), None), Topic::default());
    }
}
