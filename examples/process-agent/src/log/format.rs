//! Encodes and decodes records.

use std::io::Write as _;

use time::UtcDateTime;

use super::record::{Head, Record, Stream};
use crate::stamp;

/// The largest number of output bytes in a record. Longer lines are split.
pub const MAX_RECORD: usize = 16 * 1024;

/// The longest line of a file that can be a record, without its newline. The text takes at most
/// four bytes for each byte of output.
pub(super) const MAX_LINE: usize = stamp::LENGTH + 32 + 4 * MAX_RECORD;

impl Record {
    /// Encodes the record as a line of a log file, with its newline.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.bytes.len() + 64);
        Encoder::default().encode(self.head(), &self.bytes, &mut line);
        line
    }

    /// Decodes a line of a log file, without its newline. `None` if it is not a record.
    #[must_use]
    pub fn from_line(line: &[u8]) -> Option<Self> {
        let (head, text) = decode(line)?;
        let mut bytes = Vec::with_capacity(text.len());
        unescape(text, &mut bytes)?;
        Some(Self::new(head, bytes))
    }
}

/// Encodes records as lines. It caches the text of the last time, because many records have the
/// same time.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    stamp: Option<(UtcDateTime, String)>,
}

impl Encoder {
    /// Appends the encoded record, with its newline, to `lines`.
    pub(super) fn encode(&mut self, head: Head, bytes: &[u8], lines: &mut Vec<u8>) {
        let stamp = match self.stamp.take() {
            Some((at, text)) if at == head.at => text,
            _ => stamp::format(head.at),
        };
        lines.extend_from_slice(stamp.as_bytes());
        self.stamp = Some((head.at, stamp));
        lines.extend_from_slice(if head.continues { b" +" } else { b" " });
        lines.extend_from_slice(head.stream.name().as_bytes());
        lines.extend_from_slice(if head.partial { b"+ " } else { b" " });
        for chunk in bytes.utf8_chunks() {
            escape(chunk.valid().as_bytes(), lines);
            for byte in chunk.invalid() {
                let _ = write!(lines, "\\x{byte:02x}"); // never fails for a Vec
            }
        }
        lines.push(b'\n');
    }
}

fn escape(mut text: &[u8], line: &mut Vec<u8>) {
    while let Some((plain, special, rest)) = split(text, memchr::memchr2(b'\\', b'\n', text)) {
        line.extend_from_slice(plain);
        line.extend_from_slice(if special == b'\n' { b"\\n" } else { b"\\\\" });
        text = rest;
    }
    line.extend_from_slice(text);
}

/// Decodes the head of a line without its newline. Also returns the text, which is still escaped.
/// `None` if the line is not a record.
pub(super) fn decode(line: &[u8]) -> Option<(Head, &[u8])> {
    if line.len() > MAX_LINE {
        return None;
    }
    let (time, rest) = line.split_at_checked(stamp::LENGTH)?;
    let rest = rest.strip_prefix(b" ")?;
    let (continues, rest) = after(rest, b"+");
    let (stream, rest) = [Stream::Stdout, Stream::Stderr, Stream::Note]
        .into_iter()
        .find_map(|stream| Some((stream, rest.strip_prefix(stream.name().as_bytes())?)))?;
    let (partial, rest) = after(rest, b"+");
    let text = rest.strip_prefix(b" ")?;
    Some((Head { at: stamp::parse(time)?, stream, continues, partial }, text))
}

/// Decodes the lines of a block one after the other. The head of a line is often the same as in the
/// line before, and then it is only compared. A block without a backslash is searched for one only
/// once.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    last: Option<(Head, &'a [u8])>,
    is_plain: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(block: &'a [u8]) -> Self {
        Self { last: None, is_plain: memchr::memchr(b'\\', block).is_none() }
    }

    /// Works like [`unescape`]. The text must be from this block.
    pub(super) fn unescape(&self, text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
        if !self.is_plain || text.len() > MAX_RECORD {
            return unescape(text, bytes);
        }
        bytes.extend_from_slice(text);
        Some(())
    }

    /// Works like [`decode`].
    pub(super) fn decode(&mut self, line: &'a [u8]) -> Option<(Head, &'a [u8])> {
        if let Some((head, prefix)) = self.last
            && line.len() <= MAX_LINE
            && let Some(text) = line.strip_prefix(prefix)
        {
            return Some((head, text));
        }
        let (head, text) = decode(line)?;
        self.last = Some((head, line.get(..line.len() - text.len())?));
        Some((head, text))
    }
}

/// Returns whether `line` begins with `mark`, and the rest.
fn after<'a>(line: &'a [u8], mark: &[u8]) -> (bool, &'a [u8]) {
    line.strip_prefix(mark).map_or((false, line), |rest| (true, rest))
}

/// Decodes an escaped text and appends it to `bytes`. `None` if the text is not valid. Then the
/// caller must remove what was appended.
pub(super) fn unescape(mut text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let before = bytes.len();
    while let Some((plain, _, rest)) = split(text, memchr::memchr(b'\\', text)) {
        bytes.extend_from_slice(plain);
        let (byte, rest) = match *rest {
            [b'\\', ref rest @ ..] => (b'\\', rest),
            [b'n', ref rest @ ..] => (b'\n', rest),
            [b'x', high, low, ref rest @ ..] => (hex(high)? << 4 | hex(low)?, rest),
            _ => return None,
        };
        bytes.push(byte);
        text = rest;
    }
    bytes.extend_from_slice(text);
    (bytes.len() - before <= MAX_RECORD).then_some(())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Splits a text into the part before `at`, the byte there, and the rest.
fn split(text: &[u8], at: Option<usize>) -> Option<(&[u8], u8, &[u8])> {
    let (plain, rest) = text.split_at_checked(at?)?;
    let (special, rest) = rest.split_first()?;
    Some((plain, *special, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stderr(bytes: &[u8]) -> Record {
        Record {
            at: UtcDateTime::UNIX_EPOCH,
            stream: Stream::Stderr,
            continues: false,
            partial: false,
            bytes: bytes.to_vec(),
        }
    }

    #[track_caller]
    fn check(record: Record, text: &str) {
        let line = String::from_utf8(record.to_line()).unwrap();
        assert_eq!(line, format!("1970-01-01T00:00:00.000000000Z {text}\n"));
        assert_eq!(Record::from_line(line.trim_end_matches('\n').as_bytes()), Some(record));
    }

    #[test]
    fn ordinary_text_is_not_escaped() {
        check(stderr("a  b ü\t".as_bytes()), "stderr a  b ü\t");
    }

    #[test]
    fn an_empty_line_is_a_record() {
        check(stderr(b""), "stderr ");
    }

    #[test]
    fn the_pieces_of_a_line_are_marked() {
        check(Record { partial: true, ..stderr(b"$ ") }, "stderr+ $ ");
        check(Record { continues: true, partial: true, ..stderr(b"l") }, "+stderr+ l");
        check(Record { continues: true, ..stderr(b"s") }, "+stderr s");
    }

    #[test]
    fn backslash_newline_and_other_bytes_are_escaped() {
        check(stderr(b"\\x00\n\xff\xc3"), "stderr \\\\x00\\n\\xff\\xc3");
    }

    #[test]
    fn a_line_that_is_not_a_record_is_refused() {
        let time = "1970-01-01T00:00:00.000000000Z";
        for end in ["stdin x", "stdout", "stdout++ x", "stdout a\\q", "stdout \\x+f", "stdout \\x1"]
        {
            assert_eq!(Record::from_line(format!("{time} {end}").as_bytes()), None, "{end}");
        }
        for time in ["", "x", "1970-02-30T00:00:00.000000000Z", "1970-01-01T00:00:60.000000000Z"] {
            assert_eq!(Record::from_line(format!("{time} stdout x").as_bytes()), None, "{time}");
        }
    }

    #[test]
    fn a_line_with_too_much_output_is_not_a_record() {
        let mut record = stderr(&[0xff; MAX_RECORD]);
        let text = |record: &Record| record.to_line().strip_suffix(b"\n").unwrap().to_vec();
        assert_eq!(Record::from_line(&text(&record)), Some(record.clone()));
        record.bytes.push(b'x');
        assert_eq!(Record::from_line(&text(&record)), None);
    }

    fn stream() -> impl Strategy<Value = Stream> {
        prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr), Just(Stream::Note)]
    }

    proptest! {
        #[test]
        fn every_record_survives(
            nanos in -62_167_219_200_000_000_000_i128..253_402_300_800_000_000_000,
            stream in stream(),
            continues: bool,
            partial: bool,
            bytes: Vec<u8>,
        ) {
            let at = UtcDateTime::from_unix_timestamp_nanos(nanos).unwrap();
            let record = Record { at, stream, continues, partial, bytes };
            let line = record.to_line();
            let (newline, text) = line.split_last().unwrap();
            prop_assert_eq!(*newline, b'\n');
            prop_assert!(!text.contains(&b'\n'));
            prop_assert!(std::str::from_utf8(text).is_ok());
            prop_assert!(text.len() <= MAX_LINE);
            prop_assert_eq!(Record::from_line(text), Some(record));
        }

        #[test]
        fn any_bytes_can_be_decoded_without_a_panic(bytes: Vec<u8>) {
            let time = b"1970-01-01T00:00:00.000000000Z stdout ";
            let _ = Record::from_line(&bytes);
            let _ = Record::from_line(&[time, &bytes[..]].concat());
        }
    }
}
