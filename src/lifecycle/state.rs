//! The fourteen states of a task: as one zero-sized type each, and as the enum
//! [`TaskState`].
//!
//! The compiler checks the types. A program compares, stores and sends the enum. Write
//! the types with their module, for example `state::Ready`. On its own, `Ready` looks
//! like `Poll::Ready`.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// A state of a task, as a value.
///
/// The discriminants are SwarmKit's numbers (`api.TaskState`). States are ordered by
/// them, and a task only moves to a greater state.
///
/// ```
/// use onward::lifecycle::TaskState;
///
/// assert!(TaskState::Ready < TaskState::Running);
/// assert_eq!(TaskState::Running.number(), 512);
/// assert_eq!("running".parse(), Ok(TaskState::Running));
/// assert_eq!(TaskState::try_from(512), Ok(TaskState::Running));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u16)]
pub enum TaskState {
    /// See [`New`].
    New = 0,
    /// See [`Pending`].
    Pending = 64,
    /// See [`Assigned`].
    Assigned = 192,
    /// See [`Accepted`].
    Accepted = 256,
    /// See [`Preparing`].
    Preparing = 320,
    /// See [`Ready`].
    Ready = 384,
    /// See [`Starting`].
    Starting = 448,
    /// See [`Running`].
    Running = 512,
    /// See [`Complete`].
    #[doc(alias = "Completed")]
    Complete = 576,
    /// See [`Shutdown`].
    Shutdown = 640,
    /// See [`Failed`].
    Failed = 704,
    /// See [`Rejected`].
    Rejected = 768,
    /// See [`Remove`].
    Remove = 800,
    /// See [`Orphaned`].
    Orphaned = 832,
}

impl TaskState {
    /// Every state, in ascending order.
    pub const ALL: [Self; 14] = [
        Self::New,
        Self::Pending,
        Self::Assigned,
        Self::Accepted,
        Self::Preparing,
        Self::Ready,
        Self::Starting,
        Self::Running,
        Self::Complete,
        Self::Shutdown,
        Self::Failed,
        Self::Rejected,
        Self::Remove,
        Self::Orphaned,
    ];

    /// The number on the wire, as in `docker.swarmkit.v1.TaskState`.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The name on the wire: lower case, as in the Docker Engine API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
            Self::Orphaned => "orphaned",
        }
    }

    /// The name in the protobuf enum, in upper case, as SwarmKit logs it.
    pub const fn proto_name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Pending => "PENDING",
            Self::Assigned => "ASSIGNED",
            Self::Accepted => "ACCEPTED",
            Self::Preparing => "PREPARING",
            Self::Ready => "READY",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Shutdown => "SHUTDOWN",
            Self::Failed => "FAILED",
            Self::Rejected => "REJECTED",
            Self::Remove => "REMOVE",
            Self::Orphaned => "ORPHANED",
        }
    }

    /// Whether the task has ended: no edge leaves a terminal state.
    pub const fn is_terminal(self) -> bool {
        self.number() >= Self::Complete.number()
    }
}

impl fmt::Display for TaskState {
    /// Writes the wire name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error for a number or a name that is not a task state.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownStateError {
    /// No state has this number.
    #[error("unknown task state {0}: expected {numbers}", numbers = Listed { numbered: true })]
    Number(i32),
    /// No state has this name.
    #[error("unknown task state `{0}`: {hint}expected {names}", hint = Hint(.0), names = Listed { numbered: false })]
    Name(String),
}

/// Lists all states, by name or by number and name.
struct Listed {
    numbered: bool,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, state) in TaskState::ALL.into_iter().enumerate() {
            f.write_str(match i {
                0 => "",
                i if i + 1 == TaskState::ALL.len() => " or ",
                _ => ", ",
            })?;
            if self.numbered {
                write!(f, "{} ({state})", state.number())?;
            } else {
                write!(f, "{state}")?;
            }
        }
        Ok(())
    }
}

/// Suggests the state that an unknown name may stand for.
struct Hint<'a>(&'a str);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meant = TaskState::ALL
            .into_iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(self.0.trim()))
            // SwarmKit's Go code has this name. It never appears on the wire.
            .or_else(|| self.0.eq_ignore_ascii_case("completed").then_some(TaskState::Complete));
        match meant {
            Some(state) => write!(f, "did you mean `{state}`? "),
            None => Ok(()),
        }
    }
}

impl FromStr for TaskState {
    type Err = UnknownStateError;

    /// Parses the wire name, which is in lower case.
    fn from_str(name: &str) -> Result<Self, UnknownStateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or_else(|| UnknownStateError::Name(name.into()))
    }
}

impl TryFrom<i32> for TaskState {
    type Error = UnknownStateError;

    /// Converts the wire number.
    fn try_from(number: i32) -> Result<Self, UnknownStateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.number() == number)
            .ok_or(UnknownStateError::Number(number))
    }
}

impl From<TaskState> for i32 {
    fn from(state: TaskState) -> Self {
        state.number()
    }
}

/// A state of a task, as a type. Only the fourteen types of this module implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state of a task",
    note = "the states are the fourteen types of `onward::lifecycle::state`"
)]
pub trait State: Copy + Eq + fmt::Debug + Send + Sync + Unpin + 'static + sealed::Sealed {
    /// The same state as a [`TaskState`].
    const VALUE: TaskState;
}

pub(super) mod sealed {
    /// Seals [`State`]: only the module `lifecycle` can make a key.
    #[derive(Debug)]
    pub struct Key(pub(in crate::lifecycle) ());

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a state of a task",
        note = "the states are the fourteen types of `onward::lifecycle::state`"
    )]
    pub trait Sealed {
        /// The value of the state's type. Only the code that builds tasks calls it.
        fn unit(key: Key) -> Self;
    }
}

/// Connects each type with its value. The meaning of a state is documented at its type.
macro_rules! values {
    ($($state:ident)*) => {$(
        impl State for $state {
            const VALUE: TaskState = TaskState::$state;
        }
        impl sealed::Sealed for $state {
            fn unit(_: sealed::Key) -> Self {
                $state
            }
        }
    )*};
}

values! {
    New Pending Assigned Accepted Preparing Ready Starting Running
    Complete Shutdown Failed Rejected Remove Orphaned
}

/// The task exists, without resources and without a node.
///
/// The orchestrator created it. The allocator moves it to PENDING when it has assigned
/// networks and ports. An agent that receives a task in this state accepts it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct New;

/// The task has its resources and waits for a node.
///
/// The allocator moved it here. The scheduler moves it to ASSIGNED.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Pending;

/// The task has a node, and the node's agent has not accepted it yet.
///
/// The scheduler moved it here. From now on the agent moves it. The only exception is a
/// manager that finds the node lost, which moves it to ORPHANED.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Assigned;

/// The agent has accepted the task: it has a controller for it.
///
/// SwarmKit calls this step "resolving".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Accepted;

/// The controller's `prepare` runs, is about to run, or waits for a retry.
///
/// For example, it pulls an image or creates a volume.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Preparing;

/// The task is prepared and has not been started.
///
/// A task whose desired state is READY waits here and can start at once. A failure up to
/// this state makes the task REJECTED.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Ready;

/// The controller's `start` runs, is about to run, or waits for a retry.
///
/// From this state on a failure makes the task FAILED, because the workload may have run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Starting;

/// The workload has started. The controller's `wait` waits for its exit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Running;

/// The workload exited by itself, with success. Terminal.
///
/// SwarmKit's Go code has the name `TaskStateCompleted`. On the wire it is `complete`.
#[doc(alias = "Completed")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Complete;

/// The workload was stopped on request. Terminal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Shutdown;

/// The workload failed, or its start did. Terminal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Failed;

/// The task failed before its workload was started. Terminal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Rejected;

/// The desired state of a task whose workload and data are to be removed. Terminal.
///
/// No edge leads here, so a task never moves to it. A task can be resumed in it, because
/// a stored or received status can have any state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Remove;

/// The task's node is lost or removed, so the state of the workload is unknown. Terminal.
///
/// Only a manager moves a task here, never an agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Orphaned;
