//! The plugin's log: WASI's standard output and error, where the feature `log` is on. Elsewhere than in a plugin it is
//! the process's own. Knows nothing of who reads it.

#[cfg(all(target_arch = "wasm32", feature = "log"))]
mod generated {
    wit_bindgen::generate!({ path: "wit", world: "log", generate_all });
}

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
    /// As many bytes as a stream takes at once.
    /// <https://github.com/WebAssembly/WASI/blob/v0.2.0/wasip2/io/streams.wit>
    const BYTES_MAX: usize = 4096;
    let stream = match level {
        Level::Information => generated::wasi::cli::stdout::get_stdout(),
        Level::Error => generated::wasi::cli::stderr::get_stderr(),
    };
    for bytes in [text, "\n"].concat().as_bytes().chunks(BYTES_MAX) {
        // A log that takes no more is no reason to fail.
        let _ = stream.blocking_write_and_flush(bytes);
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
