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
/// This is a complete store of your own. It writes a file of JSON with each commit. It blocks its
/// thread, which is acceptable for an agent with few tasks:
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
/// In SwarmKit: the functions of `agent/storage.go`.
pub trait Store<D>: Send + Sync {
    /// Everything that is stored, in any order.
    ///
    /// # Errors
    ///
    /// It cannot be read or decoded. Nothing is changed.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, nothing is changed. It can be called again.
    fn load(&self) -> impl Future<Output = Result<Vec<StoredTask<D>>, StoreError>> + Send;

    /// Makes these changes durable, in their order: all of them or, on an error,
    /// none.
    ///
    /// Everything that waits to be written comes in one call, so that one flush
    /// does for all of it.
    ///
    /// # Errors
    ///
    /// Nothing was written, or it is not known whether all was written. The worker then writes
    /// everything that it knows of these ids again, so a change may come that was written
    /// already: a [`Replace`](StoreChange::Replace) of a task that exists, or a
    /// [`Delete`](StoreChange::Delete) of one that does not.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the changes are durable or not. It is called again with the same
    /// changes.
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

/// All that is stored of one task. Its parts are shared, so a clone is cheap.
#[derive(PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StoredTask<D> {
    /// What is wanted of it.
    pub record: Arc<TaskRecord<D>>,
    /// The last status that was stored, if one was.
    #[cfg_attr(
        feature = "serde",
        serde(default, with = "crate::lifecycle::stored_status::shared")
    )]
    pub status: Option<Arc<TaskStatus>>,
}

impl<D> StoredTask<D> {
    /// A task of which this is stored.
    pub fn new(record: impl Into<Arc<TaskRecord<D>>>, status: Option<TaskStatus>) -> Self {
        Self { record: record.into(), status: status.map(Arc::new) }
    }
}

// Not derived: a definition is shared, so it need not be `Clone`.
impl<D> Clone for StoredTask<D> {
    fn clone(&self) -> Self {
        Self { record: Arc::clone(&self.record), status: self.status.clone() }
    }
}

/// Two facts about a task: what is wanted, and what its controller has.
///
/// *Wanted* is the assignment, the policy, the removal and the next task. Only an accepted
/// message changes it. *Applied* is changed only by what the driver reports. After a restart
/// the controller is made with *applied*, and is then offered *wanted* if that is another
/// definition: only a controller of the definition that started a workload can end it.
#[derive(PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TaskRecord<D> {
    /// The wanted definition and desired state.
    pub assignment: Arc<Assignment<D>>,
    /// The task's own policy, if it has one.
    pub policy: Option<Arc<Policy>>,
    /// Whether the task is no longer assigned: what it has is being removed, and then this
    /// record.
    pub removing: bool,
    /// A task of the same id that was assigned meanwhile. It begins when this one is removed.
    pub next: Option<Box<NextTask<D>>>,
    /// The assignment whose definition the controller was made with, or has taken last.
    ///
    /// If the wanted definition changes before there is a controller, this is the assignment that
    /// the executor is being asked for: the call may still return a controller, and its workload
    /// may outlive the agent. None if there is neither, or if the executor has refused that
    /// definition for good.
    pub applied: Option<Arc<Assignment<D>>>,
}

/// A task that begins when the one of the same id before it is removed.
#[derive(PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NextTask<D> {
    /// The wanted definition and desired state.
    pub assignment: Arc<Assignment<D>>,
    /// The task's own policy, if it has one.
    pub policy: Option<Arc<Policy>>,
}

impl<D> TaskRecord<D> {
    /// The record of a task that is assigned now.
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
    /// Replaces everything that is stored of a task, its status too.
    Replace(StoredTask<D>),
    /// Replaces the record of a task. Its status stays.
    Record(Arc<TaskRecord<D>>),
    /// Replaces the status of a task that has a record.
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
    /// For this reason.
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
