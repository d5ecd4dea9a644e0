//! A task's output on disk: one process writes it, any number follow it.
//!
//! The current file is `log`; older ones are `log.1` (the youngest of them), `log.2`, …
//! A file has one record a line:
//!
//! ```text
//! 2026-11-22T08:33:59.123456789Z stdout the text
//! ```
//!
//! The stream is `stdout`, `stderr` or `note` (of the keeper itself); a `+` behind it says
//! that the text is not followed by a newline: it goes on in the stream's next record, or
//! the stream ended there. In the text, a backslash is written `\\`, a newline `\n` and a
//! byte that is not UTF-8 `\xHH`; everything else stands for itself, so that the file can be read
//! and searched as it is.

mod reader;
mod writer;

use std::fmt::Write as _;

use time::UtcDateTime;

use crate::stamp;
pub use reader::{Follow, LogError, Options, Records, records};
pub use writer::LogWriter;

/// The most bytes of output that one record holds; longer lines are cut.
pub const MAX_RECORD: usize = 16 * 1024;

/// One line of output, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When the keeper had read the line's end.
    pub at: UtcDateTime,
    /// Where the line was written to.
    pub stream: Stream,
    /// The line without its newline, at most [`MAX_RECORD`] bytes.
    pub bytes: Vec<u8>,
    /// Whether there was no newline behind these bytes.
    pub partial: bool,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The workload's standard output.
    Stdout,
    /// The workload's standard error.
    Stderr,
    /// The keeper, about the log itself.
    Note,
}

impl Stream {
    const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::Note];

    /// The word that stands for the stream in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Note => "note",
        }
    }
}

impl Record {
    /// The record as a line of a log file, with its newline.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = stamp::format(self.at);
        line.push(' ');
        line.push_str(self.stream.name());
        line.push_str(if self.partial { "+ " } else { " " });
        for chunk in self.bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => line.push_str("\\\\"),
                    '\n' => line.push_str("\\n"),
                    other => line.push(other),
                }
            }
            for byte in chunk.invalid() {
                let _ = write!(line, "\\x{byte:02x}"); // a String takes everything
            }
        }
        line.push('\n');
        line.into_bytes()
    }

    /// Reads a line of a log file, without its newline. `None` if it is no record.
    #[must_use]
    pub fn from_line(line: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(line).ok()?.splitn(3, ' ');
        let at = stamp::parse(parts.next()?).ok()?;
        let word = parts.next()?;
        let (name, partial) = match word.strip_suffix('+') {
            Some(name) => (name, true),
            None => (word, false),
        };
        let stream = Stream::ALL.into_iter().find(|s| s.name() == name)?;
        Some(Self { at, stream, bytes: unescape(parts.next()?)?, partial })
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let (byte, length) = match escape.as_bytes().first()? {
            b'\\' => (b'\\', 1),
            b'n' => (b'\n', 1),
            b'x' => (u8::from_str_radix(escape.get(1..3)?, 16).ok()?, 3),
            _ => return None,
        };
        bytes.push(byte);
        rest = escape.get(length..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

/// The name of the `n`th rotated file, or of the current one for 0.
fn file_name(n: u32) -> String {
    match n {
        0 => "log".to_owned(),
        n => format!("log.{n}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    fn check(bytes: &[u8], partial: bool, text: &str) {
        let record = Record {
            at: UtcDateTime::UNIX_EPOCH,
            stream: Stream::Stderr,
            bytes: bytes.to_vec(),
            partial,
        };
        let line = String::from_utf8(record.to_line()).unwrap();
        assert_eq!(line, format!("1970-01-01T00:00:00.000000000Z {text}\n"));
        assert_eq!(Record::from_line(line.trim_end_matches('\n').as_bytes()), Some(record));
    }

    #[test]
    fn text_stands_for_itself() {
        check("a  b ü\t".as_bytes(), false, "stderr a  b ü\t");
    }

    #[test]
    fn an_empty_line_is_a_record() {
        check(b"", false, "stderr ");
    }

    #[test]
    fn a_partial_line_is_marked() {
        check(b"$ ", true, "stderr+ $ ");
    }

    #[test]
    fn backslash_newline_and_other_bytes_are_escaped() {
        check(b"\\x00\n\xff\xc3", false, "stderr \\\\x00\\n\\xff\\xc3");
    }

    #[test]
    fn every_byte_survives() {
        let all: Vec<u8> = (0..=255).collect();
        let record =
            Record { at: UtcDateTime::now(), stream: Stream::Stdout, bytes: all, partial: true };
        let line = record.to_line();
        let (newline, text) = line.split_last().unwrap();
        assert_eq!(*newline, b'\n');
        assert!(!text.contains(&b'\n'));
        assert_eq!(Record::from_line(text), Some(record));
    }

    #[test]
    fn what_is_no_record_is_not_taken_for_one() {
        for line in ["", "x", "1970-01-01T00:00:00.000000000Z stdin x"] {
            assert_eq!(Record::from_line(line.as_bytes()), None);
        }
        let bad = b"1970-01-01T00:00:00.000000000Z stdout a\\q";
        assert_eq!(Record::from_line(bad), None);
    }
}
