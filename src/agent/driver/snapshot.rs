//! A snapshot of a task and its driver.

use super::core::Goal;
use super::history::HistoryEntry;
use super::shared::State;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use time::UtcDateTime;

/// The status of a task and the progress of its driver at one time: retries, errors, history.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The status. Its `err` is the error of the last operation.
    #[cfg_attr(feature = "serde", serde(with = "crate::lifecycle::stored_status"))]
    pub status: TaskStatus,
    /// The desired state.
    pub desired_state: TaskState,
    /// When the task entered its state.
    #[cfg_attr(feature = "serde", serde(with = "super::wire::time_of_day"))]
    pub since: UtcDateTime,
    /// The last line of progress of `prepare`, for example `pulling layer 3 of 7`. None if the
    /// task is not in PREPARING.
    pub progress: Option<String>,
    /// The number of the current or next attempt of a call, from 1. A call is an operation,
    /// `update`, `remove`, or `Executor::controller`. None if there is no call, or if it is not
    /// retried.
    pub attempt: Option<u32>,
    /// The time of the next attempt, on the clock of
    /// [`Runtime::now`](crate::agent::Runtime::now). None if the task does not wait for one.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "next_attempt_ms", default, with = "super::wire::optional_millis")
    )]
    pub next_attempt: Option<Duration>,
    /// Whether the call waits in the queue of
    /// [`Worker::with_start_limit`](crate::agent::Worker::with_start_limit).
    pub is_queued: bool,
    /// The error of the last attempt of `update`, `remove`, or `Executor::controller`, if it
    /// will be retried.
    pub last_error: Option<String>,
    /// When `shutdown` was called first.
    #[cfg_attr(feature = "serde", serde(default, with = "super::wire::optional_time_of_day"))]
    pub shutting_down_since: Option<UtcDateTime>,
    /// When `terminate` was called first.
    #[cfg_attr(feature = "serde", serde(default, with = "super::wire::optional_time_of_day"))]
    pub terminating_since: Option<UtcDateTime>,
    /// Whether the controller has the wanted definition.
    pub definition: DefinitionStatus,
    /// The last events, the oldest first. At most 8.
    pub history: Vec<HistoryEntry>,
    /// Whether the driver has ended: the task was removed, or the driver was closed.
    pub driver_has_ended: bool,
}

/// Whether the controller has accepted the wanted definition.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DefinitionStatus {
    /// There was no controller yet.
    Pending,
    /// The controller has the wanted definition.
    Applied,
    /// The controller has an older definition. The driver will call `update`, unless the task
    /// ends or is shut down first.
    Outdated,
    /// The controller has an older definition, and has refused the wanted one for this reason.
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
