//! The reading end of a log.

mod chain;
mod cursor;
mod error;
mod options;
mod tail;

use std::{
    path::{Path, PathBuf},
    time::Duration,
    vec,
};

use tokio::task::JoinHandle;

use super::record::Record;
use cursor::{Batch, Cursor};
pub use error::LogError;
pub use options::{Follow, Options};

/// Time between two looks at a log that is followed.
///
/// Looking is chosen over inotify: it needs no watch to be moved at each rotation, works
/// on every file system, cannot miss an event, and costs two `stat` calls.
const POLL: Duration = Duration::from_millis(100);

/// The records of the log in `dir`, oldest first, while it is being written and rotated.
///
/// None is repeated, and none is skipped as long as the reader is not slower than
/// the rotation deletes files: it holds those open that it still has to read. Where one may have
/// been, a [`Stream::Note`](crate::log::Stream::Note) says so.
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
