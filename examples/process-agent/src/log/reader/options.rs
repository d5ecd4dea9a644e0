use time::UtcDateTime;
use tokio::sync::watch;

use crate::log::record::{Head, Stream};

/// Selects the records of a log to read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to read standard output.
    pub stdout: bool,
    /// Whether to read standard error.
    pub stderr: bool,
    /// Start with this many last lines. `None`: start with all lines. Only selected streams count.
    /// A line of several records counts once. A note counts as a line.
    pub tail: Option<usize>,
    /// Read only records of this time or later. A rotated file that was last written before this
    /// time is skipped.
    pub since: Option<UtcDateTime>,
    /// Whether to join whole lines of the same stream and time into one record, with newlines
    /// between them. A joined record has at most [`MAX_RECORD`](crate::log::MAX_RECORD) bytes. This
    /// makes reading several times as fast.
    pub joined: bool,
    /// What to do at the end of the log.
    pub follow: Follow,
}

impl Default for Options {
    /// Reads all existing records of both streams, without joining them.
    fn default() -> Self {
        let follow = Follow::No;
        Self { stdout: true, stderr: true, tail: None, since: None, joined: false, follow }
    }
}

impl Options {
    /// Notes do not belong to a stream and are always read, because they report missing lines.
    pub(super) fn wants(&self, head: &Head) -> bool {
        let stream = match head.stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
            Stream::Note => true,
        };
        stream && self.since.is_none_or(|since| head.at >= since)
    }
}

/// What to do at the end of a log.
#[derive(Clone, Debug)]
pub enum Follow {
    /// Stop.
    No,
    /// Wait for more until the [`Records`](super::Records) are dropped.
    Forever,
    /// Wait for more until the value is `true` or its sender is dropped. Then read the remaining
    /// records and stop.
    UntilEnded(watch::Receiver<bool>),
}
