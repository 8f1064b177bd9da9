//! The fields of a JSON object as they stand, without reading what is in them. Pure; knows nothing of what they mean.
//!
//! An event is looked at many times after it was found to be JSON (`scan`): it is not checked each time again, only where a
//! value ends is looked for.

use std::borrow::Cow;

/// A key and the spelling of its value.
pub type Field<'a> = (Cow<'a, str>, &'a str);

/// The fields of an object in their order, one that stands twice included. `None` for JSON that is no object, and mostly for
/// what is no JSON.
#[must_use]
pub fn fields(json: &str) -> Option<Vec<Field<'_>>> {
    each(json)?.collect()
}

/// As [`fields`], each cut off when its turn has come; `None` is where what follows is none.
#[must_use]
pub fn each(json: &str) -> Option<impl Iterator<Item = Option<Field<'_>>>> {
    let spelled = each_spelled(json)?;
    Some(spelled.map(|field| field.and_then(|(key, value)| Some((string(key)?, value)))))
}

fn each_spelled(json: &str) -> Option<Fields<'_>> {
    opened(json, '{', "}").map(|rest| Fields { rest })
}

/// What stands behind the opening one, with the closing one; empty when there is nothing between them.
fn opened<'a>(json: &'a str, opening: char, closing: &str) -> Option<&'a str> {
    let rest = json.trim_ascii().strip_prefix(opening)?.trim_ascii_start();
    (!rest.is_empty()).then(|| if rest == closing { "" } else { rest })
}

/// What follows behind a value and a comma; empty when the value was the last.
fn following<'a>(after: &'a str, closing: &str) -> Option<&'a str> {
    match after.strip_prefix(',') {
        Some(after) => Some(after.trim_ascii_start()).filter(|rest| !rest.is_empty()),
        None => (after == closing).then_some(""),
    }
}

/// The fields of an object, key and value as they are spelled, each cut off when its turn has come; `None` is where what
/// follows is none.
struct Fields<'a> {
    /// What follows, with the end of the object; empty behind that.
    rest: &'a str,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(&'a str, &'a str)>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        let cut = || {
            let (key, after) = first_value(rest)?;
            let (value, after) = first_value(after.strip_prefix(':')?.trim_ascii_start())?;
            self.rest = following(after, "}")?;
            Some((key, value))
        };
        (!rest.is_empty()).then(cut)
    }
}

/// The fields of two objects side by side. `None` where one of them is none, as for [`fields`].
#[must_use]
pub fn pairs<'a>(old: &'a str, new: &'a str) -> Option<Pairs<'a>> {
    Some(Pairs { old: each_spelled(old)?, new: each_spelled(new)? })
}

/// The fields of two objects that stand at the same place under the same key, as long as they do: then there is `None`.
pub struct Pairs<'a> {
    old: Fields<'a>,
    new: Fields<'a>,
}

/// A field of two objects, as it is spelled.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The key, the same in both.
    pub key: &'a str,
    /// The value in the one.
    pub old: &'a str,
    /// The value in the other.
    pub new: &'a str,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Option<Pair<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (old_rest, new_rest) = (self.old.rest, self.new.rest);
        let Some(field) = self.old.next() else {
            return self.new.next().map(|_| None);
        };
        let Some((key, old)) = field else {
            return Some(None);
        };
        let (spelled, _) = old_rest.split_at(old_rest.len() - self.old.rest.len());
        match new_rest.strip_prefix(spelled) {
            // Spelled the same, with what follows it, it ends there as it does here.
            Some(rest) if self.old.rest.is_empty() == rest.is_empty() => {
                self.new.rest = rest.trim_ascii_start();
                Some(Some(Pair { key, old, new: old }))
            }
            _ => {
                let there = self.new.next().flatten().filter(|(key_there, _)| *key_there == key);
                Some(there.map(|(_, new)| Pair { key, old, new }))
            }
        }
    }
}

/// The values of a list in their order. `None` for JSON that is no list, and mostly for what is no JSON.
#[must_use]
pub fn items(json: &str) -> Option<Items<'_>> {
    opened(json, '[', "]").map(|rest| Items { rest })
}

/// The values of a list, each cut off when its turn has come; `None` is where what follows is none.
pub struct Items<'a> {
    /// What follows, with the end of the list; empty behind that.
    rest: &'a str,
}

impl<'a> Iterator for Items<'a> {
    type Item = Option<&'a str>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        let cut = || {
            let (item, after) = first_value(rest).filter(|(item, _)| !item.is_empty())?;
            self.rest = following(after, "]")?;
            Some(item)
        };
        (!rest.is_empty()).then(cut)
    }
}

/// What a string says, borrowed where it has no escapes; `None` for what is none.
#[must_use]
pub fn string(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inside))
    }
}

/// The value that a text begins with, and what follows it and the space behind it.
fn first_value(json: &str) -> Option<(&str, &str)> {
    let bytes = json.as_bytes();
    let end = match bytes.first()? {
        b'"' => end_of_string(bytes, 0)?,
        b'{' | b'[' => end_of_nested(bytes)?,
        _ => bytes.iter().position(|byte| b",]} \t\r\n".contains(byte)).unwrap_or(bytes.len()),
    };
    let (value, rest) = json.split_at_checked(end)?;
    Some((value, rest.trim_ascii_start()))
}

/// Where the string ends that begins here.
fn end_of_string(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += json.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        match json.get(at) {
            Some(b'"') => return Some(at + 1),
            // Whatever is escaped ends nothing.
            _ => at += 2,
        }
    }
}

/// Where the object or the list ends that a text begins with.
fn end_of_nested(json: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match json.get(at)? {
            b'"' => {
                at = end_of_string(json, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn fields_are_cut_where_a_parser_cuts_them() {
        for json in [
            "{}",
            " { } ",
            r#"{"a":1}"#,
            "{ \"a\" : 1 ,\r\n\"b\"\t: [ 1, {\"c\":\"]}\"} ] , \"d\":null }",
            r#"{"a\"b":"\\","c":"\\\"","":{"x":{"y":"}"}},"\u0061":-1.5e3,"a":true}"#,
            r#"{"é":"ü","emoji":"😀","list":[[],[[]],{}]}"#,
        ] {
            let cut = fields(json).expect("it is an object");
            let cut: Vec<(String, Value)> = cut
                .into_iter()
                .map(|(key, value)| (key.into_owned(), serde_json::from_str(value).expect("it is a value")))
                .collect();
            let whole: Value = serde_json::from_str(json).expect("it is JSON");
            let whole = whole.as_object().expect("an object");
            for (key, value) in whole {
                let last = cut.iter().rfind(|(known, _)| known == key);
                assert_eq!(last.map(|(_, value)| value), Some(value), "{key} of {json}");
            }
            assert!(cut.iter().all(|(key, _)| whole.contains_key(key)), "{json}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_there_twice_in_order() {
        let found = fields(r#"{"a":1,"b":2,"a":3}"#);
        assert_eq!(found, Some(vec![("a".into(), "1"), ("b".into(), "2"), ("a".into(), "3")]));
    }

    #[test]
    fn fields_stand_side_by_side_as_long_as_their_keys_do() {
        let told = |old, new| -> Vec<Option<(&str, &str, &str)>> {
            let pairs = pairs(old, new).expect("both are objects");
            pairs.map(|pair| pair.map(|Pair { key, old, new }| (key, old, new))).collect()
        };
        let some = |key, old, new| Some((key, old, new));
        let (a, b) = (r#""a""#, r#""b""#);
        assert_eq!(told("{}", " { } "), []);
        assert_eq!(told(r#"{"a":1,"b":2}"#, r#"{"a":1,  "b":2 }"#), [some(a, "1", "1"), some(b, "2", "2")]);
        assert_eq!(told(r#"{"a":1,"b":2}"#, r#"{"a":12,"b":2}"#), [some(a, "1", "12"), some(b, "2", "2")]);
        assert_eq!(told(r#"{"a":1}"#, r#"{"a":1,"b":2}"#), [some(a, "1", "1"), None]);
        assert_eq!(told(r#"{"a":1,"b":2}"#, r#"{"a":1}"#), [some(a, "1", "1"), None]);
        assert_eq!(told(r#"{"a":1}"#, "{}"), [None]);
        assert_eq!(told(r#"{"a":1}"#, r#"{"b":1}"#), [None]);
        assert_eq!(told(r#"{"a":1,"b":2}"#, r#"{"a":1,"#), [None, None]);
        assert_eq!(told(r#"{"a":1}"#, r#"{"a":1}}"#), [None]);
    }

    #[test]
    fn items_are_cut_where_a_parser_cuts_them() {
        for json in ["[]", " [ ] ", "[1]", r#"[ 1 , "a]" ,[2,{"b":[]}], {"c":"]"},null,-1.5e3 ]"#] {
            let cut: Option<Vec<Value>> = items(json)
                .expect("it is a list")
                .map(|item| item.map(|item| serde_json::from_str(item).expect("it is a value")))
                .collect();
            assert_eq!(cut.map(Value::Array), serde_json::from_str(json).ok(), "{json}");
        }
    }

    #[test]
    fn what_is_no_list_has_no_items() {
        for text in ["", "1", "{}", "]", "x[1]"] {
            assert!(items(text).is_none(), "{text}");
        }
        for text in ["[", "[1", "[1,", "[1,]", "[1]x", "[1 2]", r#"["a]"#, "[[1]"] {
            assert!(items(text).is_none_or(|mut items| items.any(|item| item.is_none())), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for text in [
            "",
            "1",
            "[]",
            r#""a""#,
            "{",
            "}",
            r#"{"a""#,
            r#"{"a":1"#,
            r#"{"a":1}x"#,
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            "{1:2}",
            r#"{"a":"\"#,
        ] {
            assert_eq!(fields(text), None, "{text}");
        }
    }

    /// Whatever it is, it is cut or refused, and nothing panics.
    #[test]
    fn any_text_is_looked_through() {
        let mut random = fastrand::Rng::with_seed(0x7469_6465);
        let parts = ["{", "}", "[", "]", "\"", "\\", "a", ":", ",", "1", " ", "\u{e4}", "{\"a\":"];
        for _ in 0..20_000 {
            let text: String =
                (0..random.usize(0..30)).map(|_| parts[random.usize(0..parts.len())]).collect();
            let is_object = serde_json::from_str::<serde_json::Map<String, Value>>(&text).is_ok();
            assert!(!is_object || fields(&text).is_some(), "{text}");
            let is_list = serde_json::from_str::<Vec<Value>>(&text).is_ok();
            let is_cut = items(&text).is_some_and(|mut items| items.all(|item| item.is_some()));
            assert!(!is_list || is_cut, "{text}");
        }
    }
}
