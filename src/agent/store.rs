//! What outlives an agent: its tasks, what is wanted of them, and how far they
//! were.

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

/// Keeps the tasks of an agent, so that the agent can go away and come back.
///
/// A store is a map from a task's id to what is [stored](StoredTask) of it. A
/// [`Worker`](super::Worker) is its only user: it reads all of it once, at its
/// start, and then only writes, one commit at a time. `D` is the embedder's definition of a
/// task.
///
/// One of one's own, which writes a file of JSON anew with every commit, in a directory.
/// It blocks, which will do where a thread is to spare and tasks are few:
///
/// ```
/// use onward::agent::{Store, StoreChange, StoreError, StoredTask, TaskRecord};
/// use onward::{Assignment, TaskState, TaskStatus};
/// use serde::{Serialize, de::DeserializeOwned};
/// use std::collections::BTreeMap;
/// use std::io::Write;
/// use std::path::PathBuf;
/// use std::{fs, io};
///
/// type Tasks<D> = BTreeMap<String, (TaskRecord<D>, Option<TaskStatus>)>;
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
///     /// All or nothing: the new file is whole and on the disk before it is *the* file.
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
///         let tasks = self.read()?.into_values();
///         Ok(tasks.map(|(record, status)| StoredTask::new(record, status)).collect())
///     }
///
///     async fn commit(&self, changes: &[StoreChange<D>]) -> Result<(), StoreError> {
///         // A worker commits one at a time.
///         let mut tasks: Tasks<D> = self.read()?;
///         for change in changes {
///             match change {
///                 // The status stays as it is.
///                 StoreChange::Record(record) => {
///                     let status = tasks.remove(record.id()).and_then(|(_, status)| status);
///                     tasks.insert(record.id().into(), (record.clone(), status));
///                 }
///                 StoreChange::Status { id, status } => {
///                     if let Some(task) = tasks.get_mut(&**id) {
///                         task.1 = Some(status.clone());
///                     }
///                 }
///                 StoreChange::Delete { id } => _ = tasks.remove(&**id),
///                 _ => return Err(StoreError::new("a change of a kind that is not known")),
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
///     let is_running = StoreChange::Status { id: "web.1".into(), status: status.clone() };
///     futures::executor::block_on(async {
///         open().commit(&[StoreChange::Record(record.clone()), is_running]).await?;
///         assert_eq!(open().load().await?, [StoredTask::new(record, Some(status))]);
///         open().commit(&[StoreChange::<String>::Delete { id: "web.1".into() }]).await?;
///         assert_eq!(Store::<String>::load(&open()).await?, []);
///         Ok(())
///     })
/// }
/// ```
///
/// In SwarmKit: the functions of `agent/storage.go`.
pub trait Store<D>: Send + Sync {
    /// Everything that is stored, in any order.
    ///
    /// # Errors
    ///
    /// It cannot be read, or not be understood. Nothing is changed then.
    fn load(&self) -> impl Future<Output = Result<Vec<StoredTask<D>>, StoreError>> + Send;

    /// Makes these changes durable, in their order: all of them or, on an error,
    /// none.
    ///
    /// Everything that waits to be written comes in one call, so that one flush
    /// does for all of it.
    ///
    /// # Errors
    ///
    /// Nothing was written, or nobody knows. It may be called again with the same
    /// changes, whether they were written or not.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the changes are durable or not. It is called again with the same.
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

/// All that is stored of one task.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct StoredTask<D> {
    /// What is wanted of it.
    pub record: TaskRecord<D>,
    /// The last status that was stored, if one was.
    pub status: Option<TaskStatus>,
}

impl<D> StoredTask<D> {
    /// A task of which this is stored.
    pub fn new(record: TaskRecord<D>, status: Option<TaskStatus>) -> Self {
        Self { record, status }
    }
}

/// What is wanted of a task.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TaskRecord<D> {
    /// The task, and the state to bring it to.
    pub assignment: Assignment<D>,
    /// The assignment whose definition the controller has, where it has not taken
    /// the present one: not yet, or since it refuses to.
    pub previous: Option<Box<Assignment<D>>>,
    /// How patient to be with it, where it has a policy of its own.
    pub policy: Option<Policy>,
    /// Whether it is no longer assigned: what it has is being removed, and then
    /// its record.
    pub removing: bool,
    /// A task of the same id that was assigned meanwhile, and begins when this one
    /// is gone.
    pub successor: Option<Box<TaskRecord<D>>>,
}

impl<D> TaskRecord<D> {
    /// The record of a task that is assigned.
    pub fn new(assignment: Assignment<D>) -> Self {
        Self { assignment, previous: None, policy: None, removing: false, successor: None }
    }

    /// The task's id.
    pub fn id(&self) -> &str {
        &self.assignment.id
    }
}

/// One change to a store.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum StoreChange<D> {
    /// This is wanted of the task of this id. Its status stays as it is.
    Record(TaskRecord<D>),
    /// This is the status of the task of this id, which has a record.
    Status {
        /// The task's id.
        id: Arc<str>,
        /// Its status.
        status: TaskStatus,
    },
    /// Nothing is left of the task of this id: its record and its status go.
    Delete {
        /// The task's id.
        id: Arc<str>,
    },
}

/// Why a store could not be read or written.
#[derive(Debug)]
pub struct StoreError(Box<dyn Error + Send + Sync>);

impl StoreError {
    /// For this reason.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
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
