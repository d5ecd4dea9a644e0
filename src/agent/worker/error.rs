//! What can be wrong with assignments.

use crate::agent::driver::UpdateError;
use crate::agent::store::StoreError;
use alloc::string::String;
use core::fmt;

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
/// tasks of the set were taken. It is part of a result, not an error: the error is its `reason`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RefusedTask {
    /// The task's id.
    pub id: String,
    /// Why it stays as it is.
    pub reason: UpdateError,
}

impl fmt::Display for RefusedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, reason } = self;
        write!(f, "task `{id}`: {reason}")
    }
}
