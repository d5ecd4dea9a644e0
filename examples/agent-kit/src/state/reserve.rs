//! Keeps disk space for removals.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use onward::agent::Store;
use onward::agent::store::{StoreChange, StoreError, StoredTask};
use rustix::fs::{FallocateFlags, fallocate};
use tokio::task::spawn_blocking;

/// The name of the file.
const NAME: &str = "reserve";

/// The smallest size of the file, in bytes.
const LEAST: u64 = 1 << 20;

/// A store that can store removals even if its disk is full. It keeps a file beside the store. It
/// deletes the file when a removal finds no space, and creates it again when there is space.
#[derive(Debug)]
pub struct Reserved<S> {
    store: S,
    /// The directory of the store. The next field is the name of the store in it.
    dir: PathBuf,
    name: &'static str,
    /// The tasks that are being removed.
    removing: Mutex<BTreeSet<String>>,
}

impl<S> Reserved<S> {
    /// Wraps the store with this name in this directory.
    pub fn new(store: S, dir: impl Into<PathBuf>, name: &'static str) -> Self {
        Self { store, dir: dir.into(), name, removing: Mutex::default() }
    }

    fn removing(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // The set is consistent at any time, even after a panic of another thread.
        self.removing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether these changes only remove tasks. Then they may use the space of the file.
    fn is_removal<D>(&self, changes: &[StoreChange<D>]) -> bool {
        let removing = self.removing();
        let is_new = |change: &StoreChange<D>| match change {
            StoreChange::Replace(task) => !task.record.removing,
            StoreChange::Record(record) => !record.removing,
            StoreChange::Status { .. } | StoreChange::Delete { .. } => false,
        };
        let removes = |change: &StoreChange<D>| match change {
            StoreChange::Replace(task) => task.record.removing,
            StoreChange::Record(record) => record.removing,
            StoreChange::Status { id, .. } => removing.contains(&**id),
            StoreChange::Delete { .. } => true,
        };
        changes.iter().any(removes) && !changes.iter().any(is_new)
    }

    /// Updates the set of tasks that are being removed, after these changes are stored.
    fn note<D>(&self, changes: &[StoreChange<D>]) {
        let mut removing = self.removing();
        for change in changes {
            let (id, is_removing) = match change {
                StoreChange::Replace(task) => (task.record.id(), task.record.removing),
                StoreChange::Record(record) => (record.id(), record.removing),
                StoreChange::Delete { id } => (&**id, false),
                StoreChange::Status { .. } => continue,
            };
            if is_removing {
                removing.insert(id.to_owned());
            } else {
                removing.remove(id);
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
        let removing = tasks.iter().filter(|task| task.record.removing);
        *self.removing() = removing.map(|task| task.record.id().to_owned()).collect();
        self.hold().await;
        Ok(tasks)
    }

    async fn commit(&self, changes: &[StoreChange<D>]) -> Result<(), StoreError> {
        let mut stored = self.store.commit(changes).await;
        if stored.is_err() && self.is_removal(changes) && self.release().await {
            stored = self.store.commit(changes).await;
        }
        if stored.is_ok() {
            self.note(changes);
            self.hold().await;
        }
        stored
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use std::sync::Arc;

    use onward::agent::MemoryStore;
    use onward::agent::store::TaskRecord;
    use onward::{Assignment, TaskState, TaskStatus};

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
    fn only_changes_that_remove_tasks_may_use_the_reserve() {
        let store = Reserved::new(MemoryStore::<u8>::new(), "/nowhere", "tasks.redb");
        let check = |changes: &[StoreChange<u8>], expected| {
            assert_eq!(store.is_removal(changes), expected, "{changes:?}");
        };
        check(&[record("a", false)], false);
        check(&[record("a", true)], true);
        check(&[record("a", true), record("b", false)], false);
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
