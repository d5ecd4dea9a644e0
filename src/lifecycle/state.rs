//! The states of a task, twice: as a value, [`TaskState`], and as one
//! zero-sized type each.
//!
//! The value is what travels and is compared; the types are what the compiler
//! checks. Write the types with their module, `state::Ready`: on its own,
//! `Ready` reads as `Poll::Ready`.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// A state that a task can be in, as a value.
///
/// The discriminants are SwarmKit's numbers (`api.TaskState`), and states are
/// ordered by them: a task only ever moves to a greater one.
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

    /// The number on the wire: that of `docker.swarmkit.v1.TaskState`.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The name on the wire: what the Docker Engine API prints, in lower case.
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

    /// Whether nothing follows: no edge leaves a terminal state.
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

/// A number or a name that is no task state.
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

/// Says which state somebody may have meant.
struct Hint<'a>(&'a str);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meant = TaskState::ALL
            .into_iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(self.0.trim()))
            // What SwarmKit's Go code calls it; the wire never does.
            .or_else(|| self.0.eq_ignore_ascii_case("completed").then_some(TaskState::Complete));
        match meant {
            Some(state) => write!(f, "did you mean `{state}`? "),
            None => Ok(()),
        }
    }
}

impl FromStr for TaskState {
    type Err = UnknownStateError;

    /// Reads the wire name, which is in lower case.
    fn from_str(name: &str) -> Result<Self, UnknownStateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or_else(|| UnknownStateError::Name(name.into()))
    }
}

impl TryFrom<i32> for TaskState {
    type Error = UnknownStateError;

    /// Reads the wire number.
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

/// A state as a type. Only the fourteen types of this module are states.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state of a task",
    note = "the states are the fourteen types of `onward::lifecycle::state`"
)]
pub trait State: Copy + Eq + fmt::Debug + Send + Sync + Unpin + 'static + sealed::Sealed {
    /// The same state as a value.
    const VALUE: TaskState;
}

pub(super) mod sealed {
    /// Proof that the caller is the lifecycle: nobody else can name it.
    #[derive(Debug)]
    pub struct Key(pub(in crate::lifecycle) ());

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a state of a task",
        note = "the states are the fourteen types of `onward::lifecycle::state`"
    )]
    pub trait Sealed {
        /// The state itself, for the one place that builds tasks.
        fn unit(key: Key) -> Self;
    }
}

/// Ties each type to its value. What a state means stands with its type.
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

/// The task exists and nothing else is known of it.
///
/// The orchestrator created it. The allocator moves it on, once it has the
/// networks and ports that it needs. An agent that finds a task in this state
/// accepts it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct New;

/// The task has its resources and waits for a node.
///
/// The allocator put it here; the scheduler moves it on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Pending;

/// The task has a node, whose agent has not said anything yet.
///
/// The scheduler put it here. From here on it is the agent who moves it, but
/// for a manager who finds the node lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Assigned;

/// The agent has a controller for the task.
///
/// Getting one is what SwarmKit calls resolving.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Accepted;

/// The controller's `prepare` runs, is about to run, or is to be tried again.
///
/// An image is pulled, a disk made, a directory filled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Preparing;

/// Everything that the workload needs is there; it has not been started.
///
/// A task whose desired state is READY waits here: its start is then a matter
/// of one call. Failure up to here is a rejection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Ready;

/// The controller's `start` runs, is about to run, or is to be tried again.
///
/// From here on failure is a failure, since the workload may have run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Starting;

/// The workload has started and the controller's `wait` watches it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Running;

/// The workload ended by itself, well. Nothing follows.
///
/// SwarmKit's Go code says `TaskStateCompleted`; on the wire it is `complete`.
#[doc(alias = "Completed")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Complete;

/// The workload was ended because somebody asked for it. Nothing follows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Shutdown;

/// The workload, or its start, went wrong. Nothing follows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Failed;

/// The task was never ready: it failed before the workload was started. Nothing
/// follows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Rejected;

/// What a manager desires of a task whose remains are to be deleted.
///
/// It is only ever desired: no edge leads here. A task can be resumed in it
/// all the same, since a status can say anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Remove;

/// The node is gone, and with it all word of the task. Nothing follows.
///
/// A manager says so, never an agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Orphaned;
