//! What to do next, from what is and what is wanted.

use super::event::Event;
use super::state::TaskState;
use core::fmt;

/// What to do next with a task.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a decision does nothing until it is acted on"]
pub enum Decision {
    /// Nothing, until the desired state changes; in a terminal state nothing,
    /// ever.
    Rest,
    /// Record this event; no operation is needed for it.
    Record(Event),
    /// Perform this operation, then record what came of it.
    Perform(Operation),
}

/// An operation of a controller whose outcome moves its task.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// `Controller::prepare`.
    Prepare,
    /// `Controller::start`.
    Start,
    /// `Controller::wait`.
    Wait,
    /// `Controller::shutdown`.
    Shutdown,
    /// `Controller::terminate`. [`decide`] never asks for it: it is the way
    /// out of a shutdown that does not succeed.
    Terminate,
}

impl Operation {
    /// The name of the controller's method.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Start => "start",
            Self::Wait => "wait",
            Self::Shutdown => "shutdown",
            Self::Terminate => "terminate",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Decides what to do next with a task in the state `observed` that somebody
/// desires in the state `desired`.
///
/// This is the rule of SwarmKit's `Do` (`agent/exec/controller.go`):
///
/// - From a desired SHUTDOWN on, every task that has not ended is shut down.
/// - A task past its desired state rests.
/// - In PREPARING, STARTING and RUNNING an operation is under way, so these act
///   at their desired state too, and may end one past it.
/// - All others wait until more is desired.
///
/// Of the states, READY, RUNNING and SHUTDOWN are what is usually desired;
/// COMPLETE is the same as RUNNING, and all above SHUTDOWN the same as that.
///
/// ```
/// use onward::lifecycle::{Decision, Operation, TaskState, decide};
///
/// let next = decide(TaskState::Running, TaskState::Running);
/// assert_eq!(next, Decision::Perform(Operation::Wait));
///
/// let next = decide(TaskState::Ready, TaskState::Ready);
/// assert_eq!(next, Decision::Rest);
/// ```
#[doc(alias = "Do")]
#[inline]
pub fn decide(observed: TaskState, desired: TaskState) -> Decision {
    if desired >= TaskState::Shutdown {
        return if observed.is_terminal() {
            Decision::Rest
        } else {
            Decision::Perform(Operation::Shutdown)
        };
    }
    if observed > desired {
        return Decision::Rest;
    }
    let more_is_desired = observed < desired;
    match observed {
        TaskState::Preparing => Decision::Perform(Operation::Prepare),
        TaskState::Starting => Decision::Perform(Operation::Start),
        TaskState::Running => Decision::Perform(Operation::Wait),
        TaskState::New | TaskState::Pending | TaskState::Assigned if more_is_desired => {
            // A desired PENDING or ASSIGNED is a manager's business; SwarmKit's
            // agent accepts the task all the same, and so goes past it.
            Decision::Record(Event::Accepted)
        }
        TaskState::Accepted if more_is_desired => Decision::Record(Event::Preparing),
        TaskState::Ready if more_is_desired => Decision::Record(Event::Starting),
        TaskState::New
        | TaskState::Pending
        | TaskState::Assigned
        | TaskState::Accepted
        | TaskState::Ready
        | TaskState::Complete
        | TaskState::Shutdown
        | TaskState::Failed
        | TaskState::Rejected
        | TaskState::Remove
        | TaskState::Orphaned => Decision::Rest,
    }
}
