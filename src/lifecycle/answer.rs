//! `Answer`: the result of a controller's operation, as
//! [`AnyTask::record`](super::AnyTask::record) takes it.

use super::decision::Operation;
use super::event::{EventKind, Failure};
use super::state::TaskState;
use alloc::boxed::Box;
use core::fmt;

/// The result of a controller's operation, in the form that a task records.
///
/// [`perform`](crate::exec::perform) runs an operation and returns its answer.
/// [`ControllerError::into_answer`](crate::exec::ControllerError::into_answer) converts
/// an error. [`AnyTask::record`](super::AnyTask::record) records the answer.
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
    /// The kind of event that this answer of `operation` counts as.
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

    /// The error of the operation, or `None` if it succeeded.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Succeeded => None,
            Self::Delayed(failure) | Self::Interrupted(failure) | Self::Failed(failure) => {
                Some(failure)
            }
        }
    }
}

/// The error of [`AnyTask::record`](super::AnyTask::record): the operation cannot run in
/// the task's state.
///
/// | Operation | Runs in |
/// |---|---|
/// | `prepare` | PREPARING |
/// | `start` | STARTING |
/// | `wait` | RUNNING |
/// | `shutdown`, `terminate` | every state that is not terminal |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InvalidOperationError {
    /// The state of the task. It has not changed.
    pub state: TaskState,
    /// The operation whose answer was refused.
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
        write!(f, "`{operation}` cannot run in state {state}: ")?;
        f.write_str(match (state, operation) {
            (state, _) if state.is_terminal() => "the state is terminal",
            (_, Operation::Prepare) => "it runs only in preparing",
            (_, Operation::Start) => "it runs only in starting",
            (_, Operation::Wait) => "it runs only in running",
            (_, Operation::Shutdown | Operation::Terminate) => {
                "it runs only in states before complete"
            }
        })
    }
}

impl core::error::Error for InvalidOperationError {}
