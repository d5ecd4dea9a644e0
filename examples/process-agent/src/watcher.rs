//! A file of tasks that is read again when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::task_file::{TaskFile, TaskFileError};

/// How long a file must stay the same to be taken for what somebody wanted to write.
const SETTLED: Duration = Duration::from_millis(100);

/// Watches a file of tasks.
#[derive(Debug)]
pub struct Watcher {
    path: PathBuf,
    changed: Arc<Notify>,
    /// Watches for as long as it is there.
    _watching: RecommendedWatcher,
}

impl Watcher {
    /// Watches this file from now on, by way of its directory: an editor puts another file in
    /// its place.
    ///
    /// # Errors
    ///
    /// The system gives no watch.
    pub fn new(path: &Path) -> notify::Result<Self> {
        let changed = Arc::new(Notify::new());
        let (name, notify) = (path.file_name().map(ToOwned::to_owned), Arc::clone(&changed));
        let mut watching = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Where events were lost, any may have been.
            let concerns = event.map_or(true, |event| {
                let is_it = |path: &PathBuf| path.file_name() == name.as_deref();
                event.need_rescan() || (is_written(event.kind) && event.paths.iter().any(is_it))
            });
            if concerns {
                notify.notify_one();
            }
        })?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        watching.watch(dir.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
        Ok(Self { path: path.to_owned(), changed, _watching: watching })
    }

    /// Has the file read again, changed or not.
    #[must_use]
    pub fn trigger(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// What the file says, when it has been written again.
    ///
    /// # Errors
    ///
    /// Those of [`TaskFile::read`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, a change that has come may be missed.
    pub async fn next(&mut self) -> Result<TaskFile, TaskFileError> {
        self.changed.notified().await;
        let mut before = self.read().await;
        loop {
            // A file that is just being written can look like a whole one.
            sleep(SETTLED).await;
            let now = self.read().await;
            if same(&before, &now) {
                return now;
            }
            before = now;
        }
    }

    /// In a thread for blocking work: it may be on a disk that takes its time.
    async fn read(&self) -> Result<TaskFile, TaskFileError> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || TaskFile::read(&path)).await;
        read.unwrap_or_else(|error| {
            let file = self.path.display().to_string();
            Err(TaskFileError::Read { file, error: std::io::Error::other(error) })
        })
    }
}

/// Whether something has come to its end that was done to a file. It is not of interest that
/// somebody begins to write.
fn is_written(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_)
            | EventKind::Other
            | EventKind::Any
    )
}

fn same(one: &Result<TaskFile, TaskFileError>, other: &Result<TaskFile, TaskFileError>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one == other,
        (Err(one), Err(other)) => one.to_string() == other.to_string(),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}
