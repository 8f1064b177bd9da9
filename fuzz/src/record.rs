//! A stored effect, from its text: what is read as one is written as the same.

use tidegate::effect::Effect;

/// Takes the text of a record.
///
/// # Panics
/// When an effect is another once it was written and read.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Effect::from_record(text) {
        Ok(effect) => {
            let again = Effect::from_record(&effect.to_record()).expect("what was written can be read");
            assert_eq!(again, effect);
            crate::plan::harmless(&effect);
        }
        Err(error) => drop(error.to_string()),
    }
}
