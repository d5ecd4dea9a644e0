//! Stores: keep the tasks of an agent, so that they survive a restart.

mod memory;
#[cfg(feature = "redb")]
mod redb;

use super::policy::Policy;
use crate::exec::Assignment;
use crate::lifecycle::TaskStatus;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::future::Future;

pub use memory::MemoryStore;
#[cfg(feature = "testing")]
pub use memory::{StoreCall, StoreFault};
#[cfg(feature = "redb")]
pub use redb::{Migration, OpenStoreError, RedbOptions, RedbStore};

/// Stores the tasks of an agent, so that they survive a restart of the agent.
///
/// A store is a map from the id of a task to its [record and status](StoredTask). Only a
/// [`Worker`](super::Worker) uses it: it loads everything at its start, and then makes one commit
/// at a time. `D` is your definition of a task.
///
/// [`MemoryStore`] keeps the tasks in memory. With the feature `redb`, `RedbStore` keeps them in a
/// file. This is a complete store of your own, which writes a JSON file with each commit. It blocks
/// its thread, which is acceptable for an agent with few tasks:
///
/// ```
/// use onward::agent::Store;
/// use onward::agent::store::{StoreChange, StoreError, StoredTask, TaskRecord};
/// use onward::{Assignment, TaskState, TaskStatus};
/// use serde::{Serialize, de::DeserializeOwned};
/// use std::collections::BTreeMap;
/// use std::io::Write;
/// use std::path::PathBuf;
/// use std::sync::Arc;
/// use std::{fs, io};
///
/// type Tasks<D> = BTreeMap<String, StoredTask<D>>;
///
/// struct FileStore(PathBuf);
///
/// impl FileStore {
///     fn read<D: DeserializeOwned>(&self) -> Result<Tasks<D>, StoreError> {
///         match fs::read(self.0.join("tasks")) {
///             Ok(json) => serde_json::from_slice(&json).map_err(StoreError::new),
///             Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tasks::new()),
///             Err(error) => Err(StoreError::new(error)),
///         }
///     }
///
///     /// Writes a new file to the disk, and then renames it, so a crash leaves the old or the new.
///     fn write<D: Serialize>(&self, tasks: &Tasks<D>) -> io::Result<()> {
///         let new = self.0.join("tasks.new");
///         let mut file = fs::File::create(&new)?;
///         file.write_all(&serde_json::to_vec(tasks)?)?;
///         file.sync_all()?;
///         fs::rename(new, self.0.join("tasks"))?;
///         fs::File::open(&self.0)?.sync_all()
///     }
/// }
///
/// impl<D: Clone + Serialize + DeserializeOwned + Send + Sync> Store<D> for FileStore {
///     async fn load(&self) -> Result<Vec<StoredTask<D>>, StoreError> {
///         Ok(self.read()?.into_values().collect())
///     }
///
///     async fn commit(&self, changes: &[StoreChange<D>]) -> Result<(), StoreError> {
///         // A worker commits one at a time.
///         let mut tasks: Tasks<D> = self.read()?;
///         for change in changes {
///             match change {
///                 // The status stays as it is.
///                 StoreChange::Record(record) => {
///                     let mut task = StoredTask::new(Arc::clone(record), None);
///                     task.status = tasks.remove(record.id()).and_then(|before| before.status);
///                     tasks.insert(record.id().into(), task);
///                 }
///                 StoreChange::Status { id, status } => {
///                     if let Some(task) = tasks.get_mut(&**id) {
///                         task.status = Some(Arc::clone(status));
///                     }
///                 }
///                 StoreChange::Delete { id } => _ = tasks.remove(&**id),
///                 StoreChange::Replace(task) => {
///                     tasks.insert(task.record.id().into(), task.clone());
///                 }
///             }
///         }
///         self.write(&tasks).map_err(StoreError::new)
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let place = tempfile::tempdir()?;
///     let open = || FileStore(place.path().to_owned());
///     let record = TaskRecord::new(Assignment::new("web.1", "alpine:3".to_owned()));
///     let status = TaskStatus::new(TaskState::Running);
///     let is_running = StoreChange::Status { id: "web.1".into(), status: status.clone().into() };
///     futures::executor::block_on(async {
///         open().commit(&[StoreChange::Record(record.clone().into()), is_running]).await?;
///         assert_eq!(open().load().await?, [StoredTask::new(record, Some(status))]);
///         open().commit(&[StoreChange::<String>::Delete { id: "web.1".into() }]).await?;
///         assert_eq!(Store::<String>::load(&open()).await?, []);
///         Ok(())
///     })
/// }
/// ```
///
/// In SwarmKit: `agent/storage.go`.
pub trait Store<D>: Send + Sync {
    /// Returns all stored tasks, in any order.
    ///
    /// # Errors
    ///
    /// The store cannot be read or decoded. It is unchanged.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, nothing is changed. It can be called again.
    fn load(&self) -> impl Future<Output = Result<Vec<StoredTask<D>>, StoreError>> + Send;

    /// Makes these changes durable, in their order. It must write all of them or none.
    ///
    /// The worker passes all changes that wait in one call, so one flush is enough for all of them.
    ///
    /// # Errors
    ///
    /// Nothing was written, or it is unknown whether the changes were written. The worker then
    /// writes everything about these ids again. So a change may have been written already: a
    /// [`Replace`](StoreChange::Replace) of a task that exists, or a
    /// [`Delete`](StoreChange::Delete) of a task that does not.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the changes are durable or not. The worker calls it again with the
    /// same changes.
    fn commit(
        &self,
        changes: &[StoreChange<D>],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl<D, S: Store<D>> Store<D> for Arc<S>
where
    D: Sync,
{
    fn load(&self) -> impl Future<Output = Result<Vec<StoredTask<D>>, StoreError>> + Send {
        (**self).load()
    }

    fn commit(
        &self,
        changes: &[StoreChange<D>],
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        (**self).commit(changes)
    }
}

/// A stored task: its record and its last status. A clone is cheap.
#[derive(PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StoredTask<D> {
    /// The record: the wanted and the applied definition, and more.
    pub record: Arc<TaskRecord<D>>,
    /// The last stored status. None for a task that has not had one.
    #[cfg_attr(
        feature = "serde",
        serde(default, with = "crate::lifecycle::stored_status::shared")
    )]
    pub status: Option<Arc<TaskStatus>>,
}

impl<D> StoredTask<D> {
    /// A stored task with this record and status.
    pub fn new(record: impl Into<Arc<TaskRecord<D>>>, status: Option<TaskStatus>) -> Self {
        Self { record: record.into(), status: status.map(Arc::new) }
    }
}

// Not derived: the definition is in an `Arc`, so it need not be `Clone`.
impl<D> Clone for StoredTask<D> {
    fn clone(&self) -> Self {
        Self { record: Arc::clone(&self.record), status: self.status.clone() }
    }
}

/// The record of a task: its *wanted* assignment and its *applied* one.
///
/// *Wanted* is the assignment, the policy, the removal and the next task. Only an accepted message
/// of a [`WorkerHandle`](super::WorkerHandle) changes it. *Applied* is the definition of the
/// controller. Only reports of the driver change it.
///
/// After a restart, the executor makes a controller for *applied*. If *wanted* is another
/// definition, the driver then calls `update`. The reason: only a controller of the definition that
/// started a workload can end that workload.
#[derive(PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TaskRecord<D> {
    /// The wanted definition and desired state.
    pub assignment: Arc<Assignment<D>>,
    /// The task's own policy. None if it has the policy of the worker.
    pub policy: Option<Arc<Policy>>,
    /// Whether the task is being removed. The record is deleted after that.
    pub removing: bool,
    /// A task with the same id that was assigned during the removal. It starts when this one is
    /// removed.
    pub next: Option<Box<NextTask<D>>>,
    /// The assignment that the controller was made with, or has accepted last.
    ///
    /// If the wanted definition changes before there is a controller, this is the assignment that
    /// the executor was asked for: the call may still return a controller, whose workload may
    /// survive the agent. None if there is neither, or if the executor has refused that definition
    /// for good.
    pub applied: Option<Arc<Assignment<D>>>,
}

/// A task that starts when an earlier task with the same id is removed.
#[derive(PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NextTask<D> {
    /// The wanted definition and desired state.
    pub assignment: Arc<Assignment<D>>,
    /// The task's own policy. None if it has the policy of the worker.
    pub policy: Option<Arc<Policy>>,
}

impl<D> TaskRecord<D> {
    /// The record of a task that was just assigned.
    pub fn new(assignment: impl Into<Arc<Assignment<D>>>) -> Self {
        let assignment = assignment.into();
        Self { assignment, policy: None, removing: false, next: None, applied: None }
    }

    /// The task's id.
    pub fn id(&self) -> &str {
        &self.assignment.id
    }
}

impl<D> Clone for TaskRecord<D> {
    fn clone(&self) -> Self {
        Self {
            assignment: Arc::clone(&self.assignment),
            policy: self.policy.clone(),
            removing: self.removing,
            next: self.next.clone(),
            applied: self.applied.clone(),
        }
    }
}

impl<D> Clone for NextTask<D> {
    fn clone(&self) -> Self {
        Self { assignment: Arc::clone(&self.assignment), policy: self.policy.clone() }
    }
}

impl<D> From<NextTask<D>> for TaskRecord<D> {
    fn from(task: NextTask<D>) -> Self {
        Self { policy: task.policy, ..Self::new(task.assignment) }
    }
}

/// One change to a store.
#[derive(Clone, PartialEq, Debug)]
pub enum StoreChange<D> {
    /// Replaces the record and the status of a task.
    Replace(StoredTask<D>),
    /// Replaces the record of a task. Its status stays.
    Record(Arc<TaskRecord<D>>),
    /// Replaces the status of a task. If the task has no record, the change does nothing.
    Status {
        /// The task's id.
        id: Arc<str>,
        /// The status.
        status: Arc<TaskStatus>,
    },
    /// Deletes the record and the status of a task.
    Delete {
        /// The task's id.
        id: Arc<str>,
    },
}

/// Why a store could not be read or written.
#[derive(Clone, Debug)]
pub struct StoreError(Arc<dyn Error + Send + Sync>);

impl StoreError {
    /// An error with this reason.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into().into())
    }

    /// The reason.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
