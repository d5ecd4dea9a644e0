//! What can be wrong with an assignment.

use super::super::driver::UpdateRefused;
use super::super::policy::InvalidPolicy;
use super::super::store::StoreError;
use alloc::string::String;

/// Why a set of assignments was not taken. The old ones stay in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssignError {
    /// Two tasks of it have the same id.
    #[error("two tasks have the id `{id}`: each task needs an id of its own")]
    DuplicateTask {
        /// The id.
        id: String,
    },
    /// A task has an absurd policy.
    #[error("task `{id}`: {reason}")]
    InvalidPolicy {
        /// The task's id.
        id: String,
        /// What is wrong with it.
        reason: InvalidPolicy,
    },
    /// It could not be made durable. It can be tried again.
    #[error("the assignment could not be stored: {0}")]
    Store(#[from] StoreError),
    /// The worker was closed, or is gone.
    #[error("the worker is closed")]
    Closed,
}

/// A task that a set of assignments would have changed in a way that is not
/// possible. The others of the set were taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("task `{id}`: {reason}")]
#[non_exhaustive]
pub struct RefusedTask {
    /// The task's id.
    pub id: String,
    /// Why it stays as it is.
    pub reason: UpdateRefused,
}
