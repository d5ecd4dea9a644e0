//! The error of an update of a task.

use crate::lifecycle::TaskState;
use alloc::string::String;

/// Why an update of a task was refused. The update has no effect.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UpdateError {
    /// The update is for another task.
    #[error("the update is for the task `{given}`, and this is `{id}`")]
    OtherTask {
        /// The id of this task.
        id: String,
        /// The id in the update.
        given: String,
    },
    /// The update would lower the desired state.
    #[error("the desired state {given} is lower than {present}: expected the same or a higher one")]
    LowerDesiredState {
        /// The desired state that is in force.
        present: TaskState,
        /// The desired state in the update.
        given: TaskState,
    },
    /// The agent has no such task.
    #[error("no task of this id is assigned")]
    UnknownTask,
    /// The task is being removed, or its driver was closed.
    #[error("the task is no longer driven: it was removed or closed")]
    Ended,
}
