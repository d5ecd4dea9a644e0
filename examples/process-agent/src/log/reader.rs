//! Reads a log, and follows it while it is written and rotated.

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

/// Time between two checks of a followed log.
///
/// It does not use inotify. Checking works on every file system, cannot miss an event, needs no new
/// watch at each rotation, and costs two `stat` calls.
const POLL: Duration = Duration::from_millis(100);

/// Reads the records of the log in `dir`, oldest first, while it is written and rotated.
///
/// No record is repeated. No record is skipped unless the rotation deletes files faster than the
/// reader opens them: the reader holds the files open that it still has to read. If a record may
/// have been skipped, the reader inserts a [`Stream::Note`](crate::log::Stream::Note).
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

/// The reader that [`records`] returns.
#[derive(Debug)]
pub struct Records {
    dir: PathBuf,
    follow: Follow,
    ready: vec::IntoIter<Result<Record, LogError>>,
    /// The position in the log. `None` while `reading`, and after the end.
    cursor: Option<Box<Cursor>>,
    reading: Option<JoinHandle<(Box<Cursor>, Batch)>>,
}

impl Records {
    /// Returns the next record, or `None` at the end. Must be called on a Tokio runtime with time.
    ///
    /// # Errors
    ///
    /// [`LogError::NoRecord`] for a line that is not a record; the next call continues after it.
    /// [`LogError::Read`] if the log cannot be read; then the reader ends.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, no record is lost.
    pub async fn next(&mut self) -> Option<Result<Record, LogError>> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(record);
            }
            // Check this before reading, so that everything written before the end is read.
            let last = self.reading.is_none() && self.is_ended();
            let batch = self.read(last).await?;
            let at_end = batch.at_end;
            let last = batch.last;
            self.ready = batch.records.into_iter();
            if at_end && last {
                self.cursor = None;
            } else if !at_end {
                // Read the next block while the caller takes these records.
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

    /// Reads the next block in a thread for blocking work. If the future is dropped, the read
    /// continues in `self.reading`.
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

    /// Starts to read the next block, unless a read is already running.
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
