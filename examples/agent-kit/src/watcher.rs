//! A file of tasks that is read again when it changes.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::kind::Definition;
use crate::task_file::{TaskFile, TaskFileError};

/// The time between two looks.
///
/// A look costs a few microseconds, and sees every way in which a file can change: written in
/// place, replaced, behind a link, in a directory that was replaced, on another machine. The
/// system's notices of changes see only those in directories that are watched.
const POLL: Duration = Duration::from_millis(500);

/// How long a file must stay the same to be taken for what somebody wanted to write.
const SETTLED: Duration = Duration::from_millis(100);

/// A change within so many seconds after another one may leave no trace in the file's times.
const COARSE: u64 = 2;

/// Watches a file of tasks.
#[derive(Debug)]
pub struct Watcher<D> {
    path: PathBuf,
    seen: Option<Stamp>,
    /// What was read last, or the text of the error.
    last: Option<Result<TaskFile<D>, String>>,
    trigger: Arc<Notify>,
}

impl<D: Definition> Watcher<D> {
    /// Watches this file. The first [`next`](Self::next) reads it in any case.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let trigger = Arc::new(Notify::new());
        Self { path: path.to_owned(), seen: None, last: None, trigger }
    }

    /// Has the file read again, changed or not.
    #[must_use]
    pub fn trigger(&self) -> Arc<Notify> {
        Arc::clone(&self.trigger)
    }

    /// What the file says, when it may have changed.
    ///
    /// # Errors
    ///
    /// Those of [`TaskFile::read`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, a change that has come may be missed.
    pub async fn next(&mut self) -> Result<TaskFile<D>, TaskFileError> {
        loop {
            // Looked at before it is read, so that a later change is seen.
            let stamp = Stamp::of(tokio::fs::metadata(&self.path).await);
            let is_fresh = stamp.is_fresh();
            if self.seen.as_ref() != Some(&stamp) {
                self.seen = Some(stamp);
                return self.settled().await;
            }
            tokio::select! {
                () = self.trigger.notified() => return self.settled().await,
                () = sleep(POLL) => {}
            }
            let before = self.last.clone();
            if is_fresh {
                let now = self.settled().await;
                if self.last != before {
                    return now;
                }
            }
        }
    }

    /// What the file says when it has not changed for a moment.
    async fn settled(&mut self) -> Result<TaskFile<D>, TaskFileError> {
        loop {
            let read = self.read().await;
            let told = read.as_ref().map(Clone::clone).map_err(ToString::to_string);
            if self.last.as_ref() == Some(&told) {
                return read;
            }
            self.last = Some(told);
            // A file that is just being written can look like a whole one.
            sleep(SETTLED).await;
        }
    }

    /// In a thread for blocking work; it may be on a disk that takes its time.
    async fn read(&self) -> Result<TaskFile<D>, TaskFileError> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || TaskFile::read(&path)).await;
        read.unwrap_or_else(|error| {
            let file = self.path.display().to_string();
            Err(TaskFileError::Read { file, error: io::Error::other(error) })
        })
    }
}

/// What a look at a file tells.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stamp {
    /// Which file it is, its length, and when it and its contents have changed.
    File { identity: (u64, u64), length: u64, changed: (i64, i64), modified: (i64, i64) },
    /// Why there is none.
    Missing(Option<i32>),
}

impl Stamp {
    fn of(looked: io::Result<Metadata>) -> Self {
        match looked {
            Ok(file) => Self::File {
                identity: (file.dev(), file.ino()),
                length: file.len(),
                changed: (file.ctime(), file.ctime_nsec()),
                modified: (file.mtime(), file.mtime_nsec()),
            },
            Err(error) => Self::Missing(error.raw_os_error()),
        }
    }

    /// Whether the file has changed so recently that the next change may not be seen.
    fn is_fresh(&self) -> bool {
        let Self::File { changed: (seconds, _), .. } = *self else { return false };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).is_ok_and(|now| now.abs_diff(seconds) <= COARSE)
    }
}
