//! The reading end of a log.

mod chain;
mod cursor;
mod tail;

use std::{
    path::{Path, PathBuf},
    time::Duration,
    vec,
};

use time::UtcDateTime;
use tokio::{sync::watch, task::JoinHandle};

use super::{Head, Record, Stream};
use cursor::{Batch, Cursor};

/// Time between two looks at a log that is followed.
///
/// Looking is chosen over inotify: it needs no watch to be moved at each rotation, works
/// on every file system, cannot miss an event, and costs two `stat` calls.
const POLL: Duration = Duration::from_millis(100);

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
    /// them, as long as it has at most [`MAX_RECORD`](super::MAX_RECORD) bytes. Reading is several
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
    fn wants(&self, head: &Head) -> bool {
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
    /// Wait for more until the [`Records`] are dropped.
    Forever,
    /// Wait for more until the value is `true`, or its sender is gone; then read what is
    /// there and end.
    UntilEnded(watch::Receiver<bool>),
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error("the log in {} cannot be read: {error}", dir.display())]
    Read {
        /// The task's directory.
        dir: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
    /// A line was not written by a [`LogWriter`](super::LogWriter); reading can go on
    /// behind it.
    #[error("a line of the log in {} is no record: {line:?}; it should begin with a time and a stream", dir.display())]
    NoRecord {
        /// The task's directory.
        dir: PathBuf,
        /// The line, at most its first 80 characters.
        line: String,
    },
}

/// The records of the log in `dir`, oldest first, while it is being written and rotated.
///
/// None is repeated, and none is skipped as long as the reader is not slower than
/// the rotation deletes files: it holds those open that it still has to read. Where one may have
/// been, a [`Stream::Note`] says so.
#[must_use]
pub fn records(dir: &Path, options: Options) -> Records {
    Records {
        dir: dir.to_owned(),
        follow: options.follow.clone(),
        ready: Vec::new().into_iter(),
        cursor: Some(Box::new(Cursor::new(dir, options))),
        reading: None,
    }
}

/// See [`records`].
#[derive(Debug)]
pub struct Records {
    dir: PathBuf,
    follow: Follow,
    ready: vec::IntoIter<Result<Record, LogError>>,
    /// Where reading goes on; away while `reading`, and gone after the end.
    cursor: Option<Box<Cursor>>,
    reading: Option<JoinHandle<(Box<Cursor>, Batch)>>,
}

impl Records {
    /// The next record, or `None` at the end. Must be called on a Tokio runtime with time.
    ///
    /// # Errors
    ///
    /// [`LogError::NoRecord`] for a line that is none, after which the next call goes on;
    /// [`LogError::Read`] when the system refuses, which is the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no record.
    pub async fn next(&mut self) -> Option<Result<Record, LogError>> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(record);
            }
            // Asked before reading: what was written before the end was told is then read.
            let last = self.reading.is_none() && self.is_ended();
            let batch = self.read(last).await?;
            let at_end = batch.at_end;
            let last = batch.last;
            self.ready = batch.records.into_iter();
            if at_end && last {
                self.cursor = None;
            } else if !at_end {
                // While these records are taken.
                self.start(self.is_ended());
            } else if self.ready.len() == 0 {
                self.wait().await;
            }
        }
    }

    fn is_ended(&self) -> bool {
        match &self.follow {
            Follow::No => true,
            Follow::Forever => false,
            Follow::UntilEnded(ended) => *ended.borrow() || ended.has_changed().is_err(),
        }
    }

    /// Reads on in a thread for blocking work. What is under way survives a drop of the
    /// future, in `self.reading`.
    async fn read(&mut self, last: bool) -> Option<Batch> {
        self.start(last);
        let joined = self.reading.as_mut()?.await;
        self.reading = None;
        match joined {
            Ok((cursor, batch)) => {
                if !batch.failed {
                    self.cursor = Some(cursor);
                }
                Some(batch)
            }
            Err(error) => {
                let error = std::io::Error::other(error);
                let dir = self.dir.clone();
                let records = vec![Err(LogError::Read { dir, error })];
                Some(Batch { records, ..Batch::default() })
            }
        }
    }

    /// Begins to read on, unless that is under way.
    fn start(&mut self, last: bool) {
        if let Some(mut cursor) = self.cursor.take() {
            self.reading = Some(tokio::task::spawn_blocking(move || {
                let batch = cursor.read(last);
                (cursor, batch)
            }));
        }
    }

    async fn wait(&mut self) {
        let poll = tokio::time::sleep(POLL);
        match &mut self.follow {
            Follow::UntilEnded(ended) => {
                tokio::select! {
                    () = poll => {}
                    _ = ended.wait_for(|ended| *ended) => {}
                }
            }
            Follow::No | Follow::Forever => poll.await,
        }
    }
}
