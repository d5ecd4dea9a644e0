//! Why an update was ignored.

use crate::lifecycle::TaskState;
use alloc::string::String;

/// Why an update was refused, as a whole.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateRefused {
    /// It is for another task.
    #[error("the update is for the task `{given}`, and this is `{id}`")]
    OtherTask {
        /// This task.
        id: String,
        /// The one that the update is for.
        given: String,
    },
    /// A desired state is never taken back.
    #[error("the desired state {given} is lower than {present}: expected the same or a higher one")]
    LowerDesiredState {
        /// The desired state as it is.
        present: TaskState,
        /// The one that was given.
        given: TaskState,
    },
    /// The task is being removed, or its driver is gone.
    #[error("the task is no longer driven: it was removed or closed")]
    Ended,
}
