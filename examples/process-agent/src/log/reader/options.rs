use time::UtcDateTime;
use tokio::sync::watch;

use crate::log::record::{Head, Stream};

/// What is wanted of a log.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether standard output is wanted.
    pub stdout: bool,
    /// Whether standard error is wanted.
    pub stderr: bool,
    /// Begin with the last so many lines of what is there; with all if `None`. Only lines that are
    /// wanted count, and a line of several records counts as one. A note counts as a line.
    pub tail: Option<usize>,
    /// Only records of this time or later. A rotated file that was last written before it is not
    /// read.
    pub since: Option<UtcDateTime>,
    /// Whether whole lines of the same stream and time come as one record, with newlines between
    /// them, as long as it has at most [`MAX_RECORD`](crate::log::MAX_RECORD) bytes. Reading is several
    /// times as fast.
    pub joined: bool,
    /// What to do at the end of the log.
    pub follow: Follow,
}

impl Default for Options {
    /// All that is there, of both streams.
    fn default() -> Self {
        let follow = Follow::No;
        Self { stdout: true, stderr: true, tail: None, since: None, joined: false, follow }
    }
}

impl Options {
    /// Notes belong to neither stream and are always wanted: they tell what is missing.
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
    /// End there.
    No,
    /// Wait for more until the [`Records`](super::Records) are dropped.
    Forever,
    /// Wait for more until the value is `true`, or its sender is gone; then read what is
    /// there and end.
    UntilEnded(watch::Receiver<bool>),
}
