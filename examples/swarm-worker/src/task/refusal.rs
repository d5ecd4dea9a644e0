//! `Refusal`: why a task cannot run on this worker.

use std::fmt::Display;

/// Why a task cannot run on this worker: the option, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {problem}")]
pub(super) struct Refusal {
    option: String,
    problem: String,
}

impl Refusal {
    /// `option` is the path of the option in the task's spec, such as `mounts[0].source`.
    pub(super) fn new(option: impl Into<String>, problem: impl Display) -> Self {
        Self { option: option.into(), problem: problem.to_string() }
    }

    /// A number that this worker does not know, of an enum.
    pub(super) fn unknown(option: impl Into<String>, number: i32) -> Self {
        Self::new(option, format_args!("{number} is not known to this worker"))
    }
}
