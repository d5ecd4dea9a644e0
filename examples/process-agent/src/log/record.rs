//! What a log has: records, each with a head and bytes of output.

use time::UtcDateTime;

/// One line of output, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When the keeper read the last of these bytes.
    pub at: UtcDateTime,
    /// Where the line was written to.
    pub stream: Stream,
    /// Whether these bytes continue the line of the stream's record before this one.
    pub continues: bool,
    /// Whether there is no newline behind these bytes.
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

/// What a [`Record`] has before its text.
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

/// A value for each stream.
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

/// The name of the `n`th rotated file, or of the current one for 0.
pub(super) fn file_name(n: u32) -> String {
    match n {
        0 => "log".to_owned(),
        n => format!("log.{n}"),
    }
}
