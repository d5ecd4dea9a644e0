//! Everything there is to see of a task and its driver.

use super::core::Goal;
use super::history::HistoryEntry;
use super::shared::State;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use time::UtcDateTime;

/// Everything there is to see of a task and its driver, at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The status. Its `err` is the error of the last operation.
    #[cfg_attr(feature = "serde", serde(with = "crate::lifecycle::stored_status"))]
    pub status: TaskStatus,
    /// The desired state.
    pub desired_state: TaskState,
    /// Since when the task has been in its state.
    #[cfg_attr(feature = "serde", serde(with = "super::wire::time_of_day"))]
    pub since: UtcDateTime,
    /// A line of progress that the operation in flight has reported, for example
    /// `pulling layer 3 of 7`. None once the task has moved on.
    pub progress: Option<String>,
    /// Which attempt this is of the call that the task is at, from 1. A call is an operation,
    /// an update, a removal, or making the controller. None if the task is at none, or if the
    /// call is made only once.
    pub attempt: Option<u32>,
    /// When the next attempt is made, in the time of [`Runtime::now`](crate::agent::Runtime::now),
    /// if the task waits for it.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "next_attempt_ms", default, with = "super::wire::optional_millis")
    )]
    pub next_attempt: Option<Duration>,
    /// Whether the call waits for a place in the limit of its worker: see
    /// [`Worker::with_limit`](crate::agent::Worker::with_limit).
    pub is_queued: bool,
    /// The error of the last attempt of an update, a removal, or making the controller, if that
    /// is to be tried again.
    pub last_error: Option<String>,
    /// Since when the workload has been asked to end.
    #[cfg_attr(feature = "serde", serde(default, with = "super::wire::optional_time_of_day"))]
    pub shutting_down_since: Option<UtcDateTime>,
    /// Since when the workload is being ended by force.
    #[cfg_attr(feature = "serde", serde(default, with = "super::wire::optional_time_of_day"))]
    pub terminating_since: Option<UtcDateTime>,
    /// Whether the controller has the wanted definition.
    pub definition: DefinitionStatus,
    /// The last events, the oldest first, 8 at most.
    pub history: Vec<HistoryEntry>,
    /// Whether the driver has ended: the task was removed, or the driver was closed.
    pub driver_has_ended: bool,
}

/// Whether the controller has the definition that is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DefinitionStatus {
    /// There was no controller yet.
    Pending,
    /// The controller has it.
    Applied,
    /// The controller has an older one. It is offered this one, unless the task ends or shuts
    /// down first: then it keeps the older one.
    Outdated,
    /// The controller has an older one and has refused this one, for this reason.
    Refused(String),
}

impl Snapshot {
    pub(super) fn of<D>(state: &State<D>) -> Self {
        let core = &state.core;
        let rare = core.rare();
        let (attempt, next_attempt) = core.attempt();
        Self {
            status: core.task.status(),
            desired_state: core.desired,
            since: core.since,
            progress: rare.progress.as_deref().map(Into::into),
            attempt,
            next_attempt,
            is_queued: core.is_queued,
            last_error: rare.last_error.as_deref().map(Into::into),
            shutting_down_since: core.shutting_down,
            terminating_since: rare.terminating,
            definition: DefinitionStatus::of(state),
            history: core.history.to_vec(),
            driver_has_ended: core.goal == Goal::Ended,
        }
    }
}

impl DefinitionStatus {
    fn of<D>(state: &State<D>) -> Self {
        let definitions = &state.core.definitions;
        match &state.core.rare().refusal {
            Some(reason) => Self::Refused(reason.as_ref().into()),
            None if !definitions.is_taken => Self::Pending,
            None if definitions.applied == definitions.wanted => Self::Applied,
            None => Self::Outdated,
        }
    }
}
