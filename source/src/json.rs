//! Reading JSON a layer at a time, so that a fault in one place leaves the others as they are. Knows nothing of what
//! the JSON says.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Characters of an unknown key that an error shows: a key put where a secret belongs is not printed whole.
pub(crate) const KEY_CHARS_SHOWN: usize = 40;

/// The pairs of an object in the order they stand in, repeated keys included; `None` when the text is no object.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, &RawValue)>> {
    read(text).ok()
}

/// As [`pairs`].
///
/// # Errors
/// The reader's: where the fault is. Its text is not for showing, it may quote what it read.
pub(crate) fn read(text: &str) -> serde_json::Result<Vec<(String, &RawValue)>> {
    serde_json::from_str(text).map(|Pairs(pairs)| pairs)
}

/// The line, from 1, that a part of a text begins in.
pub(crate) fn line_of(part: &RawValue, text: &str) -> usize {
    let offset = part.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Object).map(Pairs)
    }
}
