//! Watches a task file, and reads it again when it changes.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::kind::FileDefinition;
use crate::task_file::{TaskFile, TaskFileError};

/// Time between two checks of the file.
///
/// A check takes a few microseconds, and detects all changes: a file that is written in place or
/// replaced, a link, a directory that was replaced, a change on another machine. The system's
/// change notifications work only in watched directories.
const POLL: Duration = Duration::from_millis(500);

/// How long a file must stay the same until it counts as completely written.
const SETTLED: Duration = Duration::from_millis(100);

/// Within this many seconds after a change, another one may not change the file's times.
const COARSE: u64 = 2;

/// Watches a task file.
#[derive(Debug)]
pub struct Watcher<D> {
    path: PathBuf,
    seen: Option<Stamp>,
    /// The last result: the file, or the text of the error.
    last: Option<Result<TaskFile<D>, String>>,
    trigger: Arc<Notify>,
}

impl<D: FileDefinition> Watcher<D> {
    /// Watches this file. The first [`next`](Self::next) always reads it.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let trigger = Arc::new(Notify::new());
        Self { path: path.to_owned(), seen: None, last: None, trigger }
    }

    /// Returns a trigger. Notify it to read the file even if it has not changed.
    #[must_use]
    pub fn trigger(&self) -> Arc<Notify> {
        Arc::clone(&self.trigger)
    }

    /// Waits for a possible change, and returns the content of the file.
    ///
    /// # Errors
    ///
    /// Fails as [`TaskFile::read`] does.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, a change may be lost.
    pub async fn next(&mut self) -> Result<TaskFile<D>, TaskFileError> {
        loop {
            // Take the stamp before reading, so that a later change is detected.
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
            if is_fresh {
                let before = self.last.clone();
                let now = self.settled().await;
                if self.last != before {
                    return now;
                }
            }
        }
    }

    /// Reads the file when it has stopped changing.
    async fn settled(&mut self) -> Result<TaskFile<D>, TaskFileError> {
        loop {
            let read = self.read().await;
            let result = read.as_ref().map(Clone::clone).map_err(ToString::to_string);
            if self.last.as_ref() == Some(&result) {
                return read;
            }
            self.last = Some(result);
            // A file that is being written can look complete.
            sleep(SETTLED).await;
        }
    }

    /// Reads in a thread for blocking work, because the disk may be slow.
    async fn read(&self) -> Result<TaskFile<D>, TaskFileError> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || TaskFile::read(&path)).await;
        read.unwrap_or_else(|error| {
            let file = self.path.display().to_string();
            Err(TaskFileError::Read { file, error: io::Error::other(error) })
        })
    }
}

/// The identity and the times of a file, to detect changes.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stamp {
    /// The device and inode of the file, its length, and its times of change.
    File { identity: (u64, u64), length: u64, changed: (i64, i64), modified: (i64, i64) },
    /// There is no readable file. The value is the error number.
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

    /// Whether the file has changed so recently that its times may hide the next change.
    fn is_fresh(&self) -> bool {
        let Self::File { changed: (seconds, _), .. } = *self else { return false };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).is_ok_and(|now| now.abs_diff(seconds) <= COARSE)
    }
}
