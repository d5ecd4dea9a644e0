//! What can be wrong with assignments.

use crate::agent::driver::UpdateError;
use crate::agent::store::StoreError;
use alloc::string::String;
use core::error::Error;
use core::fmt;

/// Why a set of assignments was not taken. The old assignments stay in force.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AssignError {
    /// Two tasks of it have the same id.
    DuplicateTask {
        /// The id.
        id: String,
    },
    /// It could not be stored. It can be tried again.
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
