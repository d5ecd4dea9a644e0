//! The answer of a controller's operation, and the error if it is recorded in a
//! state in which that operation cannot run.

use super::decision::Operation;
use super::event::{EventKind, Failure};
use super::state::TaskState;
use alloc::boxed::Box;
use core::fmt;

/// The result of a controller's operation, as a task records it.
///
/// [`ControllerError::into_answer`](crate::exec::ControllerError::into_answer) makes
/// it from an error, [`perform`](crate::exec::perform) from an operation, and
/// [`AnyTask::record`](super::AnyTask::record) records it.
///
/// ```
/// use onward::lifecycle::{Answer, AnyTask, Operation, TaskState, TaskStatus};
/// # use time::UtcDateTime;
/// # let now = UtcDateTime::UNIX_EPOCH;
///
/// let mut task = AnyTask::resume(TaskStatus::new(TaskState::Preparing));
/// task.record(Operation::Prepare, Answer::Delayed(Box::new("registry is busy".into())), now)?;
/// assert_eq!((task.state(), task.err()), (TaskState::Preparing, Some("registry is busy")));
///
/// task.record(Operation::Prepare, Answer::Succeeded, now)?;
/// assert_eq!((task.state(), task.err()), (TaskState::Ready, None));
/// # Ok::<(), onward::lifecycle::InvalidOperationError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "an answer that is not recorded is lost"]
pub enum Answer {
    /// The operation succeeded. The task moves to its next state.
    Succeeded,
    /// The operation failed and can be retried. The task stays in its state, and
    /// its status gets the error.
    Delayed(Box<Failure>),
    /// The operation was interrupted from outside. The task stays in its state,
    /// and its status does not get the error.
    Interrupted(Box<Failure>),
    /// The operation failed for good. Before STARTING the task is rejected, from
    /// STARTING on it has failed.
    Failed(Box<Failure>),
}

impl Answer {
    /// The event that this answer of the operation is.
    pub const fn kind(&self, operation: Operation) -> EventKind {
        match (self, operation) {
            (Self::Succeeded, Operation::Prepare) => EventKind::Prepared,
            (Self::Succeeded, Operation::Start) => EventKind::Started,
            (Self::Succeeded, Operation::Wait) => EventKind::Finished,
            (Self::Succeeded, Operation::Shutdown) => EventKind::ShutDown,
            (Self::Succeeded, Operation::Terminate) => EventKind::Terminated,
            (Self::Delayed(_), _) => EventKind::Delayed,
            (Self::Interrupted(_), _) => EventKind::Interrupted,
            (Self::Failed(_), _) => EventKind::Failed,
        }
    }

    /// The reason, if the operation did not succeed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Succeeded => None,
            Self::Delayed(failure) | Self::Interrupted(failure) | Self::Failed(failure) => {
                Some(failure)
            }
        }
    }
}

/// An answer was recorded of an operation that cannot run in the task's state.
///
/// `prepare` runs in PREPARING, `start` in STARTING, `wait` in RUNNING. `shutdown`
/// and `terminate` run in every state that is not terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InvalidOperationError {
    /// The state of the task. It has not changed.
    pub state: TaskState,
    /// The operation.
    pub operation: Operation,
}

impl InvalidOperationError {
    pub(super) const fn new(state: TaskState, operation: Operation) -> Self {
        Self { state, operation }
    }
}

impl fmt::Display for InvalidOperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, operation } = self;
        write!(f, "`{operation}` cannot run for a task that is {state}: ")?;
        f.write_str(match (state, operation) {
            (state, _) if state.is_terminal() => "the state is terminal",
            (_, Operation::Prepare) => "expected preparing",
            (_, Operation::Start) => "expected starting",
            (_, Operation::Wait) => "expected running",
            (_, Operation::Shutdown | Operation::Terminate) => "expected a state before complete",
        })
    }
}

impl core::error::Error for InvalidOperationError {}
