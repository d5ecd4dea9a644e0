//! Keeps disk space for ending and removing tasks.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use onward::TaskState;
use onward::agent::Store;
use onward::agent::store::{StoreChange, StoreError, StoredTask, TaskRecord};
use rustix::fs::{FallocateFlags, fallocate};
use tokio::task::spawn_blocking;

/// The name of the file.
const NAME: &str = "reserve";

/// The smallest size of the file, in bytes.
const LEAST: u64 = 1 << 20;

/// A store that can store the end and the removal of tasks even if its disk is full. It keeps a file
/// beside the store. It deletes the file when such a change finds no space, and creates it again
/// when there is space.
#[derive(Debug)]
pub struct Reserved<S> {
    store: S,
    /// The directory of the store. The next field is the name of the store in it.
    dir: PathBuf,
    name: &'static str,
    /// The tasks that are to end, or are being removed.
    ending: Mutex<BTreeSet<String>>,
}

impl<S> Reserved<S> {
    /// Wraps the store with this name in this directory.
    pub fn new(store: S, dir: impl Into<PathBuf>, name: &'static str) -> Self {
        Self { store, dir: dir.into(), name, ending: Mutex::default() }
    }

    fn ending(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // The set is consistent at any time, even after a panic of another thread.
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether these changes only end or remove tasks. Then they may use the space of the file.
    fn is_ending_only<D>(&self, changes: &[StoreChange<D>]) -> bool {
        let ending = self.ending();
        let is_new = |change: &StoreChange<D>| match change {
            StoreChange::Replace(task) => !is_ending(&task.record),
            StoreChange::Record(record) => !is_ending(record),
            StoreChange::Status { .. } | StoreChange::Delete { .. } => false,
        };
        let removes = |change: &StoreChange<D>| match change {
            StoreChange::Replace(task) => is_ending(&task.record),
            StoreChange::Record(record) => is_ending(record),
            StoreChange::Status { id, .. } => ending.contains(&**id),
            StoreChange::Delete { .. } => true,
        };
        changes.iter().any(removes) && !changes.iter().any(is_new)
    }

    /// Updates the set of tasks that are to end, after these changes are stored.
    fn note<D>(&self, changes: &[StoreChange<D>]) {
        let mut ending = self.ending();
        for change in changes {
            let (id, ends) = match change {
                StoreChange::Replace(task) => (task.record.id(), is_ending(&task.record)),
                StoreChange::Record(record) => (record.id(), is_ending(record)),
                StoreChange::Delete { id } => (&**id, false),
                StoreChange::Status { .. } => continue,
            };
            if ends {
                ending.insert(id.to_owned());
            } else {
                ending.remove(id);
            }
        }
    }

    /// Creates the file, if there is space. It is as large as the store, because a removal of all
    /// tasks rewrites each record before it is deleted.
    async fn hold(&self) {
        let (path, store) = (self.dir.join(NAME), self.dir.join(self.name));
        let made = spawn_blocking(move || {
            let least = fs::metadata(store).map_or(0, |store| store.len()).max(LEAST);
            let held = fs::metadata(&path).map_or(0, |file| file.len());
            if held >= least {
                return Ok(());
            }
            let file = File::options().create(true).append(true).open(&path)?;
            let made = fallocate(&file, FallocateFlags::empty(), 0, least);
            // If the space cannot be allocated, the file is of no use.
            made.or_else(|error| fs::remove_file(&path).and(Err(error.into())))
        });
        if let Ok(Err(error)) = made.await {
            tracing::debug!(%error, "cannot reserve disk space for removals");
        }
    }

    /// Deletes the file. Returns whether there was one.
    async fn release(&self) -> bool {
        let path = self.dir.join(NAME);
        let released: Result<io::Result<()>, _> = spawn_blocking(|| fs::remove_file(path)).await;
        released.is_ok_and(|released| released.is_ok())
    }
}

impl<D: Send + Sync, S: Store<D>> Store<D> for Reserved<S> {
    async fn load(&self) -> Result<Vec<StoredTask<D>>, StoreError> {
        let tasks = self.store.load().await?;
        let ending = tasks.iter().filter(|task| is_ending(&task.record));
        *self.ending() = ending.map(|task| task.record.id().to_owned()).collect();
        self.hold().await;
        Ok(tasks)
    }

    async fn commit(&self, changes: &[StoreChange<D>]) -> Result<(), StoreError> {
        let mut stored = self.store.commit(changes).await;
        if stored.is_err() && self.is_ending_only(changes) && self.release().await {
            stored = self.store.commit(changes).await;
        }
        if stored.is_ok() {
            self.note(changes);
            self.hold().await;
        }
        stored
    }
}

/// Whether a task is to end, or is being removed.
fn is_ending<D>(record: &TaskRecord<D>) -> bool {
    record.removing || record.assignment.desired_state >= TaskState::Shutdown
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use std::sync::Arc;

    use onward::agent::MemoryStore;
    use onward::{Assignment, TaskStatus};

    use super::*;

    fn record(id: &str, removing: bool) -> StoreChange<u8> {
        let mut record = TaskRecord::new(Assignment::new(id, 1));
        record.removing = removing;
        StoreChange::Record(Arc::new(record))
    }

    fn status(id: &str) -> StoreChange<u8> {
        let status = Arc::new(TaskStatus::new(TaskState::Shutdown));
        StoreChange::Status { id: id.into(), status }
    }

    #[test]
    fn only_changes_that_end_or_remove_tasks_may_use_the_reserve() {
        let store = Reserved::new(MemoryStore::<u8>::new(), "/nowhere", "tasks.redb");
        let check = |changes: &[StoreChange<u8>], expected| {
            assert_eq!(store.is_ending_only(changes), expected, "{changes:?}");
        };
        check(&[record("a", false)], false);
        check(&[record("a", true)], true);
        check(&[record("a", true), record("b", false)], false);
        let shut_down = Assignment::new("a", 1).with_desired_state(TaskState::Shutdown);
        check(&[StoreChange::Record(Arc::new(TaskRecord::new(shut_down)))], true);
        check(&[StoreChange::Delete { id: "a".into() }], true);
        check(&[status("a")], false);
        store.note(&[record("a", true)]);
        check(&[status("a")], true);
        check(&[status("b"), status("a")], true);
        check(&[status("b")], false);
        store.note(&[StoreChange::<u8>::Delete { id: "a".into() }]);
        check(&[status("a")], false);
    }
}
