//! What a worker is told of a task, and what it shows of one.

use crate::agent::driver::Snapshot;
use crate::agent::policy::Policy;
use crate::agent::store::{NextTask, TaskRecord};
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::string::String;
use alloc::sync::Arc;

/// A task as a worker is told of it.
///
/// An [`Assignment`] is one with the worker's policy:
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
    /// The task's own policy. If it has none, it has the worker's.
    pub policy: Option<Arc<Policy>>,
    /// The status that the manager knows. It counts only if the store has none of the task.
    #[cfg_attr(
        feature = "serde",
        serde(default, with = "crate::lifecycle::stored_status::shared")
    )]
    pub status: Option<Arc<TaskStatus>>,
}

impl<D> AssignedTask<D> {
    /// A task with the worker's policy.
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

    /// Sets the status that the manager knows.
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

/// What is wanted of a stored task, to assign it again.
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

/// One of several changes to the set of assigned tasks.
///
/// In SwarmKit: `api.AssignmentChange`.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum AssignmentChange<D> {
    /// This task is assigned, or its definition, desired state or policy has changed. All three
    /// are replaced: if it has no policy of its own, the worker's is in force.
    Update(AssignedTask<D>),
    /// Only the desired state of a task has changed. Its definition and its policy stay.
    DesiredState {
        /// The task's id.
        id: String,
        /// The desired state.
        desired_state: TaskState,
    },
    /// The task of this id is no longer assigned.
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

/// Everything there is to see of one task of a worker.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TaskView<D> {
    /// What is stored of it, but for its status.
    pub record: Arc<TaskRecord<D>>,
    /// How far it is now. Its status may not be stored yet.
    pub snapshot: Snapshot,
    /// Why its removal failed. A failed removal is tried again with the next full set of
    /// assignments, with an update that names the task, and after a restart.
    pub removal_error: Option<String>,
    /// Whether the worker drives the task in its own future, because the runtime has refused
    /// or dropped the task's future.
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

    /// Whether the task is to be shut down, or follows a removal only for that, and has not
    /// ended.
    pub(super) fn is_shutting_down(&self) -> bool {
        let is_wanted =
            |assignment: &Assignment<D>| assignment.desired_state >= TaskState::Shutdown;
        if self.record.removing {
            // The next task does not begin while something is left of this one.
            let next = self.record.next.as_deref().filter(|_| self.removal_error.is_none());
            return next.is_some_and(|next| is_wanted(&next.assignment));
        }
        is_wanted(&self.record.assignment) && !self.has_ended()
    }
}
