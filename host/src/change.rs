//! What differs between two states of a subject. Pure; runs once per event.
//!
//! Nothing is made of a text but its keys: what is spelled the same is the same, and only where the spelling differs does
//! it look closer. Then space, the order of keys and the escapes of a string do not count, and digits do: `1` and `1.0`
//! differ, for a change too many is looked at and found to be nothing, and one too few is lost. (It also keeps integers of
//! any length apart.) Of a key that stands twice in an object the last one counts.

use crate::json::{self, Field, Items, Pair};
use std::collections::BTreeMap;

/// How many pointers there are at most: with more, everything is said to have changed.
pub const POINTERS_MAX: usize = 256;
/// How many bytes they have together at most: below one long key there is room for many.
pub const POINTERS_BYTES_MAX: usize = 16 * 1024;
/// How many objects and lists deep it looks; further down, what is spelled differently differs.
pub const DEPTH_MAX: usize = 8;
/// How many fields an object has at most that is compared in place first.
const FIELDS_FEW: usize = 64;

/// JSON pointers (RFC 6901) to what differs between two JSON texts: in the order of the newer one, what is gone from an
/// object at that object's end. Empty when they are equal.
///
/// Objects are compared key by key; anything else, lists too, is the same or is not, and so is what is an object on one
/// side only. `[""]`, the pointer to everything, when not both can be read as objects, or when the pointers would be more
/// than [`POINTERS_MAX`] or longer than [`POINTERS_BYTES_MAX`].
#[must_use]
pub fn changed(previous: &str, json: &str) -> Vec<String> {
    let mut pointers = Pointers::default();
    match pointers.compare(previous.trim_ascii(), json.trim_ascii(), 0) {
        Ok(()) => pointers.found,
        Err(TooMuch) => vec![String::new()],
    }
}

/// More has changed than the pointers have room for.
struct TooMuch;

#[derive(Default)]
struct Pointers {
    found: Vec<String>,
    bytes: usize,
    /// The pointer to what is compared.
    at: String,
}

impl Pointers {
    fn compare(&mut self, old: &str, new: &str, depth: usize) -> Result<(), TooMuch> {
        if old == new {
            return Ok(());
        }
        if depth < DEPTH_MAX {
            if let Some(differing) = differing(old, new) {
                return self.compare_pairs(&differing, depth);
            }
            if let (Some(old), Some(new)) = (json::fields(old), json::fields(new)) {
                return self.compare_objects(&old, &new, depth);
            }
        }
        if is_same(old, new, depth) { Ok(()) } else { self.push() }
    }

    fn compare_pairs(&mut self, pairs: &[Pair<'_>], depth: usize) -> Result<(), TooMuch> {
        pairs.iter().try_for_each(|Pair { key, old, new }| {
            self.below(key, |pointers| pointers.compare(old, new, depth + 1))
        })
    }

    fn compare_objects(&mut self, old: &[Field<'_>], new: &[Field<'_>], depth: usize) -> Result<(), TooMuch> {
        let (mut old_values, mut new_values) = (last_values(old), last_values(new));
        for (key, _) in new {
            // The first time a key is met it is taken out, with the last of its values.
            let Some(new) = new_values.remove(key.as_ref()) else { continue };
            let old = old_values.remove(key.as_ref());
            self.below(key, |pointers| match old {
                Some(old) => pointers.compare(old, new, depth + 1),
                None => pointers.push(),
            })?;
        }
        for (key, _) in old {
            if old_values.remove(key.as_ref()).is_some() {
                self.below(key, Self::push)?;
            }
        }
        Ok(())
    }

    /// Does something at this key of the object that is compared. What it costs does not grow with the keys above it.
    fn below(
        &mut self,
        key: &str,
        then: impl FnOnce(&mut Self) -> Result<(), TooMuch>,
    ) -> Result<(), TooMuch> {
        let above = self.at.len();
        self.at.push('/');
        if key.contains(['~', '/']) {
            self.at.push_str(&key.replace('~', "~0").replace('/', "~1"));
        } else {
            self.at.push_str(key);
        }
        let done = then(self);
        self.at.truncate(above);
        done
    }

    fn push(&mut self) -> Result<(), TooMuch> {
        self.bytes += self.at.len();
        if self.found.len() == POINTERS_MAX || self.bytes > POINTERS_BYTES_MAX {
            return Err(TooMuch);
        }
        self.found.push(self.at.clone());
        Ok(())
    }
}

/// Whether two JSON texts say the same.
fn is_same(old: &str, new: &str, depth: usize) -> bool {
    if old == new {
        return true;
    }
    if depth == DEPTH_MAX {
        return false;
    }
    match (old.as_bytes().first(), new.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => is_same_object(old, new, depth + 1),
        (Some(b'['), Some(b'[')) => match (json::items(old), json::items(new)) {
            (Some(old), Some(new)) => is_same_list(old, new, depth + 1),
            _ => false,
        },
        // Without an escape in either a string has one spelling.
        (Some(b'"'), Some(b'"')) if old.contains('\\') || new.contains('\\') => {
            match (json::string(old), json::string(new)) {
                (Some(old), Some(new)) => old == new,
                _ => false,
            }
        }
        _ => false,
    }
}

fn is_same_object(old: &str, new: &str, depth: usize) -> bool {
    if let Some(differing) = differing(old, new) {
        return differing.iter().all(|Pair { old, new, .. }| is_same(old, new, depth));
    }
    let (Some(old), Some(new)) = (json::fields(old), json::fields(new)) else { return false };
    let (old, new) = (last_values(&old), last_values(&new));
    old.len() == new.len()
        && new.iter().all(|(key, new)| old.get(key).is_some_and(|old| is_same(old, new, depth)))
}

/// Looks no further than to the first that differs.
fn is_same_list(mut old: Items<'_>, mut new: Items<'_>, depth: usize) -> bool {
    loop {
        match (old.next(), new.next()) {
            (None, None) => return true,
            (Some(Some(old)), Some(Some(new))) if is_same(old, new, depth) => {}
            _ => return false,
        }
    }
}

/// What differs between two objects that have the same keys in the same order, as two states of an asset mostly do: then no
/// key need be looked up. `None` when they have not, when a key is spelled with an escape, and when one that stands twice
/// differs, for the last one counts.
fn differing<'a>(old: &'a str, new: &'a str) -> Option<Vec<Pair<'a>>> {
    let mut keys = Vec::with_capacity(16);
    let mut differing = Vec::new();
    for pair in json::pairs(old, new)? {
        let pair = pair?;
        let key = pair.key.strip_prefix('"')?.strip_suffix('"').filter(|key| !key.contains('\\'))?;
        if keys.len() == FIELDS_FEW {
            return None;
        }
        keys.push(key);
        if pair.old != pair.new {
            differing.push(Pair { key, ..pair });
        }
    }
    let stands_once = |key: &str| keys.iter().filter(|it| **it == key).count() == 1;
    differing.iter().all(|pair| stands_once(pair.key)).then_some(differing)
}

/// The last value of each key.
fn last_values<'f>(fields: &'f [Field<'_>]) -> BTreeMap<&'f str, &'f str> {
    fields.iter().map(|(key, value)| (key.as_ref(), *value)).collect()
}

#[cfg(test)]
mod tests;
