//! A plugin's log: what it wrote to its standard output and error in one call, as lines. Knows nothing of wasm, and not
//! of the host's own log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lines of one call, in the order in which they were finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Log {
    /// The lines, up to `log_bytes` of what was written.
    pub lines: Vec<Line>,
    /// Bytes that were written after the limit, and are not here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out_bytes: u64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Where it was written to.
    pub level: Level,
    /// What was written, without the end of the line. What a terminal would obey is spelled out (`\u{1b}`), and so is what
    /// is not UTF-8 (`U+FFFD`).
    pub text: String,
}

/// How a line was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Written to standard output.
    Info,
    /// Written to standard error: an uncaught exception and a panic's text are among them.
    Error,
}

impl Log {
    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.left_out_bytes == 0
    }

    /// The lines as people are shown them, with their level in front, and what is said of those that are left out.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        let lines = self.lines.iter().map(|line| match line.level {
            Level::Info => line.text.clone(),
            Level::Error => format!("error: {}", line.text),
        });
        let left_out = (self.left_out_bytes > 0)
            .then(|| format!("({} more bytes are left out: `log_bytes` is the limit)", self.left_out_bytes));
        lines.chain(left_out)
    }
}

impl Level {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Error => "error",
        }
    }
}

impl Line {
    /// A line of these bytes, made harmless.
    #[must_use]
    pub fn new(level: Level, bytes: &[u8]) -> Self {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let mut text = String::with_capacity(bytes.len());
        for letter in String::from_utf8_lossy(bytes).chars() {
            match letter {
                letter if is_obeyed(letter) => text.extend(letter.escape_unicode()),
                letter => text.push(letter),
            }
        }
        Self { level, text }
    }
}

/// Whether a terminal does something else with it than to show it: control characters, and those that turn the
/// direction of what follows (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
fn is_obeyed(letter: char) -> bool {
    (letter.is_control() && letter != '\t')
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_harmless_on_a_terminal() {
        let lines: [(&[u8], &str); 6] = [
            (b"plain\ttext", "plain\ttext"),
            (b"\x1b[2Jgone\x07", "\\u{1b}[2Jgone\\u{7}"),
            (b"over\rwritten\r", "over\\u{d}written"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            ("gro\u{df}e \u{202e}elif".as_bytes(), "gro\u{df}e \\u{202e}elif"),
        ];
        for (bytes, text) in lines {
            assert_eq!(Line::new(Level::Info, bytes).text, text);
        }
    }

    #[test]
    fn what_people_are_shown_names_errors_and_what_is_missing() {
        let lines = vec![Line::new(Level::Info, b"a"), Line::new(Level::Error, b"b")];
        let log = Log { lines, left_out_bytes: 7 };
        let shown: Vec<_> = log.shown().collect();
        assert_eq!(shown, ["a", "error: b", "(7 more bytes are left out: `log_bytes` is the limit)"]);
        assert!(Log::default().is_empty() && Log::default().shown().next().is_none());
    }
}
