//! The plugin's log, where the feature `log` is on. Elsewhere than in a plugin it is the process's own output. Knows nothing
//! of who reads it.

/// A line of information.
pub fn log(text: impl AsRef<str>) {
    write(Level::Information, text.as_ref());
}

/// A line about an error.
pub fn log_error(text: impl AsRef<str>) {
    write(Level::Error, text.as_ref());
}

enum Level {
    Information,
    Error,
}

#[cfg(all(target_arch = "wasm32", feature = "log"))]
fn write(level: Level, text: &str) {
    use crate::contract::log;
    let level = match level {
        Level::Information => log::Level::Info,
        Level::Error => log::Level::Error,
    };
    for piece in [text, "\n"].concat().as_bytes().chunks(8) {
        let number = piece.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        log::write(level, number);
    }
}

#[cfg(all(target_arch = "wasm32", not(feature = "log")))]
fn write(_: Level, _: &str) {}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, text: &str) {
    match level {
        Level::Information => println!("{text}"),
        Level::Error => eprintln!("{text}"),
    }
}
