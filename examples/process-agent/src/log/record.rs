//! A record of a log: a head, and a line of output or a part of one.

use time::UtcDateTime;

/// One line of output, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When the keeper read the last of these bytes.
    pub at: UtcDateTime,
    /// The stream that the line was written to.
    pub stream: Stream,
    /// Whether these bytes continue the line of the stream's previous record.
    pub continues: bool,
    /// Whether these bytes are not followed by a newline.
    pub partial: bool,
    /// The line without its newline, at most [`MAX_RECORD`](super::MAX_RECORD) bytes.
    pub bytes: Vec<u8>,
}

impl Record {
    pub(super) fn new(head: Head, bytes: Vec<u8>) -> Self {
        let Head { at, stream, continues, partial } = head;
        Self { at, stream, continues, partial, bytes }
    }

    pub(super) fn head(&self) -> Head {
        let Self { at, stream, continues, partial, .. } = *self;
        Head { at, stream, continues, partial }
    }
}

/// The head of a [`Record`]: everything except its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// See [`Record::at`].
    pub(crate) at: UtcDateTime,
    /// See [`Record::stream`].
    pub(crate) stream: Stream,
    /// See [`Record::continues`].
    pub(crate) continues: bool,
    /// See [`Record::partial`].
    pub(crate) partial: bool,
}

/// The source of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The workload's standard output.
    Stdout,
    /// The workload's standard error.
    Stderr,
    /// The keeper's notes about the log itself.
    Note,
}

impl Stream {
    /// Returns the name of the stream in a log file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Note => "note",
        }
    }
}

/// One value for each stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PerStream<T> {
    pub(super) stdout: T,
    pub(super) stderr: T,
    pub(super) note: T,
}

impl<T> PerStream<T> {
    pub(crate) fn of(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
            Stream::Note => &mut self.note,
        }
    }
}

/// Returns the name of the `n`th rotated file, or of the current one for 0.
pub(super) fn file_name(n: u32) -> String {
    match n {
        0 => "log".to_owned(),
        n => format!("log.{n}"),
    }
}
