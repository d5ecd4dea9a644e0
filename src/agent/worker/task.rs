//! Tasks of a worker: how they are assigned, changed and shown.

use crate::agent::driver::Snapshot;
use crate::agent::policy::Policy;
use crate::agent::store::{NextTask, TaskRecord};
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::string::String;
use alloc::sync::Arc;

/// A task for [`WorkerHandle::assign`](super::WorkerHandle::assign): an assignment, and optionally a
/// policy and a status.
///
/// If a task needs no policy of its own, you can pass the [`Assignment`] instead.
///
/// ```
/// use core::time::Duration;
/// use onward::Assignment;
/// use onward::agent::{AssignedTask, Policy};
///
/// let slow = Policy::default().with_shutdown_grace(Duration::from_secs(300));
/// let assignment = Assignment::new("db.1", "postgres:18".to_owned());
/// let task = AssignedTask::new(assignment).with_policy(slow);
/// # assert!(task.policy.is_some());
/// ```
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AssignedTask<D> {
    /// The wanted definition and desired state.
    pub assignment: Arc<Assignment<D>>,
    /// The task's own policy. None: it has the policy of the worker.
    pub policy: Option<Arc<Policy>>,
    /// The status that the manager has. It counts only if no status of the task is stored.
    #[cfg_attr(
        feature = "serde",
        serde(default, with = "crate::lifecycle::stored_status::shared")
    )]
    pub status: Option<Arc<TaskStatus>>,
}

impl<D> AssignedTask<D> {
    /// A task with the policy of the worker.
    pub fn new(assignment: impl Into<Arc<Assignment<D>>>) -> Self {
        Self { assignment: assignment.into(), policy: None, status: None }
    }

    /// Sets a policy of its own.
    #[must_use]
    pub fn with_policy(self, policy: impl Into<Arc<Policy>>) -> Self {
        Self { policy: Some(policy.into()), ..self }
    }

    /// Sets the desired state.
    #[must_use]
    pub fn with_desired_state(mut self, desired_state: TaskState) -> Self
    where
        D: Clone,
    {
        Arc::make_mut(&mut self.assignment).desired_state = desired_state;
        self
    }

    /// Sets the status that the manager has. It counts only if no status of the task is stored.
    #[must_use]
    pub fn with_status(self, status: impl Into<Arc<TaskStatus>>) -> Self {
        Self { status: Some(status.into()), ..self }
    }

    pub(super) fn id(&self) -> &str {
        &self.assignment.id
    }
}

impl<D> From<Assignment<D>> for AssignedTask<D> {
    fn from(assignment: Assignment<D>) -> Self {
        Self::new(assignment)
    }
}

impl<D> From<Arc<Assignment<D>>> for AssignedTask<D> {
    fn from(assignment: Arc<Assignment<D>>) -> Self {
        Self::new(assignment)
    }
}

/// The wanted assignment and the policy of a stored task, to assign it again.
impl<D> From<TaskRecord<D>> for AssignedTask<D> {
    fn from(record: TaskRecord<D>) -> Self {
        Self { assignment: record.assignment, policy: record.policy, status: None }
    }
}

impl<D> From<AssignedTask<D>> for NextTask<D> {
    fn from(task: AssignedTask<D>) -> Self {
        Self { assignment: task.assignment, policy: task.policy }
    }
}

/// A change to the set of assigned tasks, for
/// [`WorkerHandle::update`](super::WorkerHandle::update).
///
/// In SwarmKit: `api.AssignmentChange`.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum AssignmentChange<D> {
    /// Assigns a task, or replaces its definition, its desired state and its policy. A task without
    /// its own policy has the policy of the worker.
    Update(AssignedTask<D>),
    /// Changes only the desired state of a task. Its definition and its policy stay.
    DesiredState {
        /// The task's id.
        id: String,
        /// The desired state.
        desired_state: TaskState,
    },
    /// Removes the task with this id.
    Remove(String),
}

impl<D> AssignmentChange<D> {
    /// The task's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Update(task) => task.id(),
            Self::DesiredState { id, .. } | Self::Remove(id) => id,
        }
    }
}

/// One task of a worker: its record, and a snapshot of its driver.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TaskView<D> {
    /// The stored record.
    pub record: Arc<TaskRecord<D>>,
    /// The status, and the progress of the driver. The status may not be stored yet.
    pub snapshot: Snapshot,
    /// Why the removal failed. The worker retries it with the next full set of assignments, with
    /// an update of this task, and after a restart.
    pub removal_error: Option<String>,
    /// Whether the worker polls the driver in its own future, because the runtime has refused or
    /// dropped the future of the driver.
    pub is_driven_by_worker: bool,
}

impl<D> TaskView<D> {
    /// The task's id.
    pub fn id(&self) -> &str {
        self.record.id()
    }

    /// Whether the task is in a terminal state.
    pub fn has_ended(&self) -> bool {
        self.snapshot.status.state.is_terminal()
    }

    /// Whether the task, or its successor, must be shut down and has not ended.
    pub(super) fn is_shutting_down(&self) -> bool {
        let is_wanted =
            |assignment: &Assignment<D>| assignment.desired_state >= TaskState::Shutdown;
        if self.record.removing {
            // The successor does not start if the removal has failed.
            let next = self.record.next.as_deref().filter(|_| self.removal_error.is_none());
            return next.is_some_and(|next| is_wanted(&next.assignment));
        }
        is_wanted(&self.record.assignment) && !self.has_ended()
    }
}
