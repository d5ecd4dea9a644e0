//! What can be wrong with assignments.

use crate::agent::driver::UpdateError;
use crate::agent::store::StoreError;
use alloc::string::String;

/// Why a set of assignments was not taken. The old assignments stay in force.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssignError {
    /// Two tasks of it have the same id.
    #[error("two tasks have the id `{id}`: each task needs an id of its own")]
    DuplicateTask {
        /// The id.
        id: String,
    },
    /// It could not be stored. It can be tried again.
    #[error("the assignment could not be stored: {0}")]
    Store(#[from] StoreError),
    /// A definition panicked when it was compared or cloned.
    #[error("the assignment was not taken: {error}")]
    Panicked {
        /// The text of the panic.
        error: String,
    },
    /// The worker was closed or dropped.
    #[error("the worker is closed")]
    Closed,
}

/// A task of a set that stays as it is, because what is wanted of it is not possible. The other
/// tasks of the set were taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[error("task `{id}`: {reason}")]
#[non_exhaustive]
pub struct RefusedTask {
    /// The task's id.
    pub id: String,
    /// Why it stays as it is.
    pub reason: UpdateError,
}
