//! Splits the workload's output into lines and partial lines, and decides when to write them.

use std::time::{Duration, Instant};

use time::UtcDateTime;

use crate::log::{Head, LogWriter, MAX_RECORD, Stream};

/// How long the beginning of a line waits for the rest, before it is written as a partial line.
const HOLD: Duration = Duration::from_millis(250);

/// Time between two attempts to write a note about lost lines, if there is no output.
const NOTE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// A moment, by the system clock and by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The time for records.
    pub(super) clock: UtcDateTime,
    /// The time for timeouts.
    pub(super) instant: Instant,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { clock: UtcDateTime::now(), instant: Instant::now() }
    }
}

/// Makes records of the workload's output, and writes them to the log.
///
/// It does not read or wait. The caller calls [`take`](Self::take) with the result of each read,
/// [`flush_due`](Self::flush_due) before each wait, and [`finish`](Self::finish) at the end. If
/// both pipes are ready after a wait, pass the same moment for both, because their order is not
/// known.
///
/// Whole lines are written before `take` returns. The beginning of a line is held for at most
/// [`HOLD`], and only until the other stream has later output. So records are in the order of the
/// reads.
#[derive(Debug)]
pub(super) struct Output {
    log: LogWriter,
    stdout: OpenLine,
    stderr: OpenLine,
    /// When to try again to write the note about lost lines.
    note_at: Option<Instant>,
}

/// The current line of a stream, which has no newline yet.
#[derive(Debug, Default)]
struct OpenLine {
    /// The bytes that are not written yet.
    held: Vec<u8>,
    /// When the first and the last of these bytes were read.
    read: Option<(Instant, Moment)>,
    /// Whether a part of the line is already written.
    continues: bool,
}

impl Output {
    pub(super) fn new(log: LogWriter) -> Self {
        Self { log, stdout: OpenLine::default(), stderr: OpenLine::default(), note_at: None }
    }

    /// Takes the result of a read.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8], now: Moment) {
        let (line, other) = match stream {
            Stream::Stdout => (&mut self.stdout, (&mut self.stderr, Stream::Stderr)),
            Stream::Stderr => (&mut self.stderr, (&mut self.stdout, Stream::Stdout)),
            Stream::Note => return,
        };
        if other.0.read.is_some_and(|(_, last)| last.instant < now.instant) {
            other.0.write_held(other.1, &mut self.log);
        }
        for text in bytes.split_inclusive(|byte| *byte == b'\n') {
            match text.split_last() {
                Some((b'\n', text)) => line.end(stream, text, now, &mut self.log),
                _ => line.hold(stream, text, now, &mut self.log),
            }
        }
        self.flush(now);
    }

    /// Writes beginnings of lines that were held for long enough. Returns when to call this again
    /// if `take` is not called before.
    pub(super) fn flush_due(&mut self, now: Moment) -> Option<Instant> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now.instant);
        let (out, err) = (is_due(self.stdout.due()), is_due(self.stderr.due()));
        if out {
            self.stdout.write_held(Stream::Stdout, &mut self.log);
        }
        if err {
            self.stderr.write_held(Stream::Stderr, &mut self.log);
        }
        if out || err || is_due(self.note_at) {
            self.flush(now);
        }
        [self.stdout.due(), self.stderr.due(), self.note_at].into_iter().flatten().min()
    }

    /// Writes all held bytes, and syncs the log to disk.
    pub(super) fn finish(&mut self, now: Moment) {
        self.stdout.write_held(Stream::Stdout, &mut self.log);
        self.stderr.write_held(Stream::Stderr, &mut self.log);
        self.log.finish(now.clock);
    }

    /// Returns why lines are being lost. `None` if the last write succeeded.
    pub(super) fn error(&self) -> Option<&str> {
        self.log.error()
    }

    fn flush(&mut self, now: Moment) {
        self.log.flush(now.clock);
        self.note_at = self.log.error().and_then(|_| now.instant.checked_add(NOTE_RETRY_DELAY));
    }
}

impl OpenLine {
    fn due(&self) -> Option<Instant> {
        self.read.and_then(|(first, _)| first.checked_add(HOLD))
    }

    /// Takes text that ends with a newline.
    fn end(&mut self, stream: Stream, text: &[u8], now: Moment, log: &mut LogWriter) {
        let rest = self.write_full(stream, text, now, log);
        let bytes = if self.held.is_empty() {
            rest
        } else {
            self.held.extend_from_slice(rest);
            &self.held
        };
        let (at, continues) = (now.clock, self.continues);
        log.push(Head { at, stream, continues, partial: false }, bytes);
        self.held.clear();
        self.read = None;
        self.continues = false;
    }

    /// Takes text without a newline at its end.
    fn hold(&mut self, stream: Stream, text: &[u8], now: Moment, log: &mut LogWriter) {
        let rest = self.write_full(stream, text, now, log);
        self.held.extend_from_slice(rest);
        let first = self.read.map_or(now.instant, |(first, _)| first);
        self.read = Some((first, now));
    }

    /// Writes partial lines while there is more text than a record can hold. Returns the rest.
    fn write_full<'a>(
        &mut self,
        stream: Stream,
        mut text: &'a [u8],
        now: Moment,
        log: &mut LogWriter,
    ) -> &'a [u8] {
        while self.held.len() + text.len() > MAX_RECORD {
            let (piece, rest) = text.split_at(cut(text, MAX_RECORD - self.held.len()));
            self.held.extend_from_slice(piece);
            self.read = Some((now.instant, now));
            self.write_held(stream, log);
            text = rest;
        }
        text
    }

    /// Writes the held bytes as a partial line.
    fn write_held(&mut self, stream: Stream, log: &mut LogWriter) {
        if let Some((_, last)) = self.read.take() {
            let at = last.clock;
            log.push(Head { at, stream, continues: self.continues, partial: true }, &self.held);
            self.held.clear();
            self.continues = true;
        }
    }
}

/// Returns where to cut a text to at most `most` bytes without splitting a character.
fn cut(text: &[u8], most: usize) -> usize {
    let is_inside = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (0..4).map(|back| most.saturating_sub(back)).find(|at| !is_inside(at)).unwrap_or(most)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A log, and a clock that is set by hand.
    struct Test {
        dir: TempDir,
        output: Output,
        begin: Instant,
        now: Duration,
    }

    impl Test {
        fn new() -> Self {
            let dir = TempDir::new().unwrap();
            let log = LogWriter::open(dir.path(), 1 << 20, 3).unwrap();
            Self { dir, output: Output::new(log), begin: Instant::now(), now: Duration::ZERO }
        }

        fn moment(&self) -> Moment {
            let clock = UtcDateTime::UNIX_EPOCH + self.now;
            Moment { clock, instant: self.begin + self.now }
        }

        fn at(&mut self, milliseconds: u64) -> &mut Self {
            self.now = Duration::from_millis(milliseconds);
            self
        }

        fn out(&mut self, text: &str) -> &mut Self {
            self.output.take(Stream::Stdout, text.as_bytes(), self.moment());
            self
        }

        fn err(&mut self, text: &str) -> &mut Self {
            self.output.take(Stream::Stderr, text.as_bytes(), self.moment());
            self
        }

        /// Flushes what is due. Returns the time of the next call in milliseconds.
        fn flush_due(&mut self) -> Option<u128> {
            let due = self.output.flush_due(self.moment())?;
            Some(due.duration_since(self.begin).as_millis())
        }

        /// Returns the lines of the file, with times in seconds.
        fn lines(&self) -> Vec<String> {
            let text = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
            let lines = text.lines().map(|line| line.strip_prefix("1970-01-01T00:00:").unwrap());
            lines.map(|line| line.replacen("000000Z", "", 1)).collect()
        }
    }

    #[test]
    fn whole_lines_are_written_at_once() {
        let mut test = Test::new();
        test.out("one\n\ntwo\n");
        assert_eq!(test.lines(), ["00.000 stdout one", "00.000 stdout ", "00.000 stdout two"]);
        assert_eq!(test.flush_due(), None);
    }

    #[test]
    fn the_beginning_of_a_line_waits_for_the_rest() {
        let mut test = Test::new();
        test.out("one\nt");
        assert_eq!(test.at(10).flush_due(), Some(250));
        test.at(249).out("w");
        assert_eq!(test.flush_due(), Some(250));
        test.at(249).out("o\n");
        assert_eq!(test.flush_due(), None);
        assert_eq!(test.lines(), ["00.000 stdout one", "00.249 stdout two"]);
    }

    #[test]
    fn output_without_a_newline_is_written_as_a_partial_line_and_continued() {
        let mut test = Test::new();
        test.out("waiting").at(100).out(" ");
        assert_eq!(test.at(250).flush_due(), None);
        assert_eq!(test.lines(), ["00.100 stdout+ waiting "]);
        test.at(5000).out(".");
        assert_eq!(test.flush_due(), Some(5250));
        assert_eq!(test.at(6000).flush_due(), None);
        test.at(7000).out("ok\nnext\n");
        let rest = ["05.000 +stdout+ .", "07.000 +stdout ok", "07.000 stdout next"];
        assert_eq!(test.lines()[1..], rest);
    }

    #[test]
    fn a_late_newline_ends_the_line() {
        let mut test = Test::new();
        test.out("$ ").at(300).flush_due();
        test.out("\n");
        assert_eq!(test.lines(), ["00.000 stdout+ $ ", "00.300 +stdout "]);
    }

    #[test]
    fn output_of_the_other_stream_comes_after_earlier_output() {
        let mut test = Test::new();
        test.out("name: ").at(1).err("warning\n").at(2).out("x\n");
        let expected = ["00.000 stdout+ name: ", "00.001 stderr warning", "00.002 +stdout x"];
        assert_eq!(test.lines(), expected);
        test.at(3).err("a").at(4).out("b").at(254).flush_due();
        assert_eq!(test.lines()[3..], ["00.003 stderr+ a", "00.004 stdout+ b"]);
    }

    #[test]
    fn output_that_was_read_together_is_ordered_without_partial_lines() {
        let mut test = Test::new();
        test.out("name: ").err("welcome\n").at(1).out("x\n");
        assert_eq!(test.lines(), ["00.000 stderr welcome", "00.001 stdout name: x"]);
    }

    #[test]
    fn at_the_end_a_line_without_a_newline_is_written() {
        let mut test = Test::new();
        test.out("end");
        test.output.finish(test.moment());
        assert_eq!(test.lines(), ["00.000 stdout+ end"]);
    }

    #[test]
    fn a_long_line_is_split_between_characters() {
        let mut test = Test::new();
        test.out(&"x".repeat(MAX_RECORD - 1)).out("üy\n");
        let lines = test.lines();
        assert_eq!(lines[0].len(), "00.000 stdout+ ".len() + MAX_RECORD - 1);
        assert_eq!(lines[1..], ["00.000 +stdout üy"]);
        // It does not wait for the end of an incomplete character.
        test.output.take(Stream::Stderr, &vec![0x80; MAX_RECORD + 1], test.moment());
        assert!(test.lines()[2].ends_with("\\x80"));
        assert_eq!(test.lines()[2].len(), "00.000 stderr+ ".len() + 4 * MAX_RECORD);
    }

    #[test]
    fn a_failed_write_is_repeated_without_more_output() {
        let mut test = Test::new();
        test.out("one\n");
        let log = test.dir.path().join("log");
        std::fs::remove_file(&log).unwrap();
        std::fs::create_dir(&log).unwrap();
        test.out("two\nthr").at(1).err("four\n").at(2).out("ee");
        assert_eq!(test.output.error(), Some("Is a directory (os error 21)"));
        assert_eq!(test.at(3).flush_due(), Some(252));
        assert_eq!(test.at(300).flush_due(), Some(1300));
        std::fs::remove_dir(&log).unwrap();
        assert_eq!(test.at(1299).flush_due(), Some(1300));
        assert_eq!(test.at(1300).flush_due(), None);
        assert_eq!(test.output.error(), None);
        test.out("five\n");
        let note = "01.300 note 3 lines lost: Is a directory (os error 21)";
        assert_eq!(test.lines(), [note, "01.300 +stdout five"]);
    }
}
