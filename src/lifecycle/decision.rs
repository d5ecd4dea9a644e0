//! `decide`: the next step of a task, from its observed and its desired state.

use super::event::Event;
use super::state::TaskState;
use core::fmt;

/// The next step of a task: rest, record an event, or perform an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a decision does nothing until it is acted on"]
pub enum Decision {
    /// Do nothing until the desired state changes. In a terminal state, do nothing ever.
    Rest,
    /// Record this event; no operation is needed for it.
    Record(Event),
    /// Run this operation, then record its answer.
    Perform(Operation),
}

/// An operation of a controller whose result moves the task.
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
    /// `Controller::terminate`. [`decide`] never returns it. A driver calls it when
    /// `shutdown` fails or takes too long.
    Terminate,
}

impl Operation {
    /// The name of the controller's method, for example `prepare`.
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

/// Decides the next step of a task that is in the state `observed` and whose desired state
/// is `desired`.
///
/// It is a pure function with the rule of SwarmKit's `Do` (`agent/exec/controller.go`).
/// The first row that matches applies:
///
/// | Observed | Desired | Decision |
/// |---|---|---|
/// | terminal | any | rest |
/// | not terminal | SHUTDOWN or above | perform `shutdown` |
/// | above the desired state | below SHUTDOWN | rest |
/// | PREPARING | PREPARING … COMPLETE | perform `prepare` |
/// | STARTING | STARTING … COMPLETE | perform `start` |
/// | RUNNING | RUNNING or COMPLETE | perform `wait` |
/// | equal to the desired state | below SHUTDOWN | rest |
/// | NEW, PENDING, ASSIGNED | above the observed state | record `accepted` |
/// | ACCEPTED | above ACCEPTED | record `preparing` |
/// | READY | above READY | record `starting` |
///
/// In PREPARING, STARTING and RUNNING an operation is in progress. It runs at its own
/// desired state too, so the task may end one state past the desired one.
///
/// The usual desired states are READY, RUNNING and SHUTDOWN. COMPLETE has the same effect
/// as RUNNING, and every state above SHUTDOWN the same effect as SHUTDOWN.
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
            // Only a manager uses the desired states PENDING and ASSIGNED. SwarmKit's
            // agent accepts such a task too, and so moves past them.
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
