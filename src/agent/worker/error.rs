//! The errors of assignments.

use crate::agent::driver::UpdateError;
use crate::agent::store::StoreError;
use alloc::string::String;
use core::error::Error;
use core::fmt;

/// Why a message of a [`WorkerHandle`](super::WorkerHandle) was refused as a whole. The tasks are
/// unchanged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AssignError {
    /// Two tasks or changes of the message have the same id.
    DuplicateTask {
        /// The id.
        id: String,
    },
    /// The commit to the store failed. You can send the same message again.
    Store(StoreError),
    /// A definition panicked when it was compared or cloned.
    Panicked {
        /// The text of the panic.
        error: String,
    },
    /// The worker was closed or dropped.
    Closed,
}

impl fmt::Display for AssignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateTask { id } => {
                write!(f, "two tasks have the id `{id}`: each task needs an id of its own")
            }
            Self::Store(error) => write!(f, "the assignment was not stored: {error}"),
            Self::Panicked { error } => write!(f, "the assignment was refused: {error}"),
            Self::Closed => f.write_str("the worker is closed"),
        }
    }
}

impl Error for AssignError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            Self::DuplicateTask { .. } | Self::Panicked { .. } | Self::Closed => None,
        }
    }
}

/// A task that could not be changed as requested, with the reason. The other tasks of the same
/// message were accepted.
///
/// It is part of a result and not an error. The error is its `reason`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RefusedTask {
    /// The task's id.
    pub id: String,
    /// Why the task is unchanged.
    pub reason: UpdateError,
}

impl fmt::Display for RefusedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, reason } = self;
        write!(f, "task `{id}`: {reason}")
    }
}
