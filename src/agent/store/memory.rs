//! A store in memory.

use super::{Store, StoreChange, StoreError, StoredTask};
use crate::agent::ids::ById;
use crate::agent::sync::{Mutex, MutexGuard};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// A store in memory: for tests, and for an agent whose tasks end with its process. Clones are the
/// same store.
///
/// With the feature `testing`, you can make it fail or hang: see `set_faults`.
pub struct MemoryStore<D>(Arc<Mutex<Inner<D>>>);

struct Inner<D> {
    tasks: ById<StoredTask<D>>,
    #[cfg(feature = "testing")]
    faults: Option<faults::Faults<D>>,
}

impl<D> MemoryStore<D> {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The stored task with this id.
    pub fn get(&self, id: &str) -> Option<StoredTask<D>> {
        self.lock().tasks.get(id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<D>> {
        self.0.lock()
    }
}

impl<D: Send + Sync> Store<D> for MemoryStore<D> {
    async fn load(&self) -> Result<Vec<StoredTask<D>>, StoreError> {
        #[cfg(feature = "testing")]
        self.fault(&StoreCall::Load).await?;
        Ok(self.lock().tasks.values().cloned().collect())
    }

    async fn commit(&self, changes: &[StoreChange<D>]) -> Result<(), StoreError> {
        #[cfg(feature = "testing")]
        self.fault(&StoreCall::Commit(changes)).await?;
        let before = self.lock().write(changes);
        drop(before);
        Ok(())
    }
}

impl<D> Inner<D> {
    /// Writes changes. Returns the old tasks, which the caller drops outside of the lock:
    /// definitions are values of the embedder.
    fn write(&mut self, changes: &[StoreChange<D>]) -> Vec<StoredTask<D>> {
        let mut before = Vec::new();
        for change in changes {
            match change {
                StoreChange::Replace(task) => {
                    let id = Arc::clone(&task.record.assignment.id);
                    before.extend(self.tasks.insert(id, task.clone()));
                }
                StoreChange::Record(record) => {
                    let id = &record.assignment.id;
                    let status = self.tasks.get(id).and_then(|task| task.status.clone());
                    let task = StoredTask { record: Arc::clone(record), status };
                    before.extend(self.tasks.insert(Arc::clone(id), task));
                }
                StoreChange::Status { id, status } => {
                    if let Some(task) = self.tasks.get_mut(id) {
                        task.status = Some(Arc::clone(status));
                    }
                }
                StoreChange::Delete { id } => before.extend(self.tasks.remove(id)),
            }
        }
        before
    }
}

impl<D> Clone for MemoryStore<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D> Default for MemoryStore<D> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            tasks: ById::default(),
            #[cfg(feature = "testing")]
            faults: None,
        })))
    }
}

impl<D> fmt::Debug for MemoryStore<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("MemoryStore").field("tasks", &inner.tasks.len()).finish_non_exhaustive()
    }
}

#[cfg(feature = "testing")]
pub use faults::{StoreCall, StoreFault};

/// Faults of a store, for tests.
#[cfg(feature = "testing")]
mod faults {
    use super::{MemoryStore, StoreChange, StoreError};
    use alloc::boxed::Box;
    use core::future::pending;

    /// A call of a store that can fail.
    #[derive(Debug)]
    #[non_exhaustive]
    pub enum StoreCall<'a, D> {
        /// `load`.
        Load,
        /// `commit` of these changes.
        Commit(&'a [StoreChange<D>]),
    }

    /// A fault in a call of a store.
    ///
    /// A fault can happen after some changes of a commit were written. `written` is their number:
    /// the first ones are written, and the others are not. After a commit that was written in
    /// part, do not continue to use the store, because a commit must write all or nothing. Load
    /// from it, as after a crash.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum StoreFault {
        /// The call fails.
        Fails {
            /// The number of changes that are written before.
            written: usize,
        },
        /// The call never returns.
        Hangs {
            /// The number of changes that are written before.
            written: usize,
        },
    }

    /// A function that decides about each call.
    pub(super) type Faults<D> =
        Box<dyn FnMut(&StoreCall<'_, D>) -> Option<StoreFault> + Send + 'static>;

    impl<D> MemoryStore<D> {
        /// Sets a function that is called before each call of the store. If it returns a fault,
        /// the call fails or hangs. It replaces an earlier function.
        pub fn set_faults(
            &self,
            faults: impl FnMut(&StoreCall<'_, D>) -> Option<StoreFault> + Send + 'static,
        ) {
            let before = self.lock().faults.replace(Box::new(faults));
            // Dropped outside of the lock: it is code of the embedder.
            drop(before);
        }

        pub(super) async fn fault(&self, call: &StoreCall<'_, D>) -> Result<(), StoreError> {
            let fault = self.fault_of(call);
            match fault {
                None => Ok(()),
                Some(StoreFault::Hangs { .. }) => pending().await,
                Some(StoreFault::Fails { .. }) => Err(StoreError::new("a planted fault")),
            }
        }

        fn fault_of(&self, call: &StoreCall<'_, D>) -> Option<StoreFault> {
            let mut inner = self.lock();
            // Called outside of the lock: the function may use the store.
            let mut faults = inner.faults.take()?;
            drop(inner);
            let fault = faults(call);
            inner = self.lock();
            let unused = if inner.faults.is_none() {
                inner.faults = Some(faults);
                None
            } else {
                Some(faults)
            };
            let mut before = Vec::new();
            if let (StoreCall::Commit(changes), Some(fault)) = (call, fault) {
                let (StoreFault::Fails { written } | StoreFault::Hangs { written }) = fault;
                before = inner.write(changes.get(..written).unwrap_or(changes));
            }
            drop(inner);
            drop((unused, before));
            fault
        }
    }
}
