//! Collects what a plugin writes into lines, up to a limit. Knows nothing of wasm.

use crate::log::{Level, Line, Log};

/// What one call has written so far. Takes no memory until something is written.
#[derive(Debug)]
pub(super) struct Transcript {
    log: Log,
    /// Bytes that may still be kept, ends of lines included.
    room_bytes: usize,
    /// The line that each level has begun: `Info`, then `Error`.
    begun: [Vec<u8>; 2],
}

impl Transcript {
    pub(super) fn new(log_bytes: usize) -> Self {
        Self { log: Log::default(), room_bytes: log_bytes, begun: [Vec::new(), Vec::new()] }
    }

    /// Takes what was written; what there is no room for is counted.
    pub(super) fn write(&mut self, level: Level, bytes: &[u8]) {
        let (kept, left_out) = bytes.split_at(bytes.len().min(self.room_bytes));
        self.room_bytes -= kept.len();
        self.leave_out(u64::try_from(left_out.len()).unwrap_or(u64::MAX));
        let begun = &mut self.begun[Self::index(level)];
        for piece in kept.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                None => begun.extend_from_slice(piece),
                Some(end) if begun.is_empty() => self.log.lines.push(Line::new(level, end)),
                Some(end) => {
                    begun.extend_from_slice(end);
                    self.log.lines.push(Line::new(level, begun));
                    begun.clear();
                }
            }
        }
    }

    /// Counts bytes that are not kept.
    pub(super) const fn leave_out(&mut self, bytes: u64) {
        self.log.left_out_bytes = self.log.left_out_bytes.saturating_add(bytes);
    }

    /// The log; a line that has no end yet ends here.
    pub(super) fn take(&mut self) -> Log {
        for level in [Level::Info, Level::Error] {
            let begun = std::mem::take(&mut self.begun[Self::index(level)]);
            if !begun.is_empty() {
                self.log.lines.push(Line::new(level, &begun));
            }
        }
        std::mem::take(&mut self.log)
    }

    const fn index(level: Level) -> usize {
        match level {
            Level::Info => 0,
            Level::Error => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(log: &Log) -> Vec<(&str, &str)> {
        log.lines.iter().map(|line| (line.level.name(), line.text.as_str())).collect()
    }

    #[test]
    fn a_line_is_what_ends_with_a_line_feed_whatever_pieces_it_comes_in() {
        let mut transcript = Transcript::new(100);
        for (level, text) in [
            (Level::Info, "one\ntw"),
            (Level::Error, "bad"),
            (Level::Info, "o\n\n"),
            (Level::Error, " luck\nlast"),
            (Level::Info, "words"),
        ] {
            transcript.write(level, text.as_bytes());
        }
        let log = transcript.take();
        let expected = [
            ("info", "one"),
            ("info", "two"),
            ("info", ""),
            ("error", "bad luck"),
            ("info", "words"),
            ("error", "last"),
        ];
        assert_eq!(lines(&log), expected);
        assert_eq!(log.left_out_bytes, 0);
    }

    #[test]
    fn what_is_over_the_limit_is_left_out_and_counted() {
        let mut transcript = Transcript::new(10);
        transcript.write(Level::Info, b"12345\n");
        transcript.write(Level::Error, b"1234567\n");
        transcript.write(Level::Info, b"\n\n\n");
        let log = transcript.take();
        assert_eq!(lines(&log), [("info", "12345"), ("error", "1234")]);
        assert_eq!(log.left_out_bytes, 7);
    }

    #[test]
    fn with_no_room_nothing_is_kept() {
        let mut transcript = Transcript::new(0);
        transcript.write(Level::Info, b"a\n");
        let log = transcript.take();
        assert_eq!((log.lines.len(), log.left_out_bytes), (0, 2));
        assert!(!log.is_empty(), "it still says that something is missing");
    }
}
