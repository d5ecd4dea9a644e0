//! `Event`: something that happened to a task, as data. `Failure`: the error of a failed
//! operation.

use super::state::TaskState;
use super::status::ContainerStatus;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;
use core::num::NonZeroI32;

/// An event in the life of a task, as data for [`AnyTask::apply`](super::AnyTask::apply).
///
/// Use events for changes that come from outside: the moves of a manager, or a log that
/// you replay. A loop that runs a controller's operations records their
/// [answers](super::Answer) instead, with [`AnyTask::record`](super::AnyTask::record).
///
/// Each event has its own name, because the same outcome leads to different states: a
/// task is READY after a successful `prepare`, and SHUTDOWN after a successful
/// `shutdown`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The allocator assigned the resources: NEW → PENDING.
    Allocated,
    /// The scheduler assigned a node: PENDING → ASSIGNED.
    Assigned,
    /// The agent has a controller: NEW, PENDING, ASSIGNED → ACCEPTED.
    Accepted,
    /// Preparation begins: ACCEPTED → PREPARING.
    Preparing,
    /// The controller's `prepare` succeeded: PREPARING → READY.
    Prepared,
    /// The start begins: READY → STARTING.
    Starting,
    /// The controller's `start` succeeded: STARTING → RUNNING.
    Started,
    /// The controller's `wait` succeeded: RUNNING → COMPLETE.
    Finished,
    /// The controller's `shutdown` succeeded: any live state → SHUTDOWN.
    ShutDown,
    /// The controller's `terminate` succeeded: any live state → SHUTDOWN.
    Terminated,
    /// An operation failed for good: → REJECTED before STARTING, → FAILED from STARTING
    /// on.
    Failed(Box<Failure>),
    /// The executor has no controller for the task. It moves the task like
    /// [`Failed`](Self::Failed). In a terminal state only the error is noted. The exit
    /// code and the container's status are ignored, because there was no workload.
    Unresolved(Box<Failure>),
    /// An operation failed and can be retried. The error is noted, and the state stays.
    Delayed(Box<Failure>),
    /// An operation was interrupted from outside. Only the container's status is noted,
    /// if the failure has it. The state stays.
    Interrupted(Box<Failure>),
    /// A manager found that the node is lost or removed: ASSIGNED … RUNNING → ORPHANED.
    Orphaned,
}

impl Event {
    /// The event [`Failed`](Self::Failed) with this failure.
    pub fn failed(failure: impl Into<Failure>) -> Self {
        Self::Failed(Box::new(failure.into()))
    }

    /// The event [`Delayed`](Self::Delayed) with this failure.
    pub fn delayed(failure: impl Into<Failure>) -> Self {
        Self::Delayed(Box::new(failure.into()))
    }

    /// The kind of this event, without the failure.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Allocated => EventKind::Allocated,
            Self::Assigned => EventKind::Assigned,
            Self::Accepted => EventKind::Accepted,
            Self::Preparing => EventKind::Preparing,
            Self::Prepared => EventKind::Prepared,
            Self::Starting => EventKind::Starting,
            Self::Started => EventKind::Started,
            Self::Finished => EventKind::Finished,
            Self::ShutDown => EventKind::ShutDown,
            Self::Terminated => EventKind::Terminated,
            Self::Failed(_) => EventKind::Failed,
            Self::Unresolved(_) => EventKind::Unresolved,
            Self::Delayed(_) => EventKind::Delayed,
            Self::Interrupted(_) => EventKind::Interrupted,
            Self::Orphaned => EventKind::Orphaned,
        }
    }

    /// The failure that this event carries, if any.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure)
            | Self::Unresolved(failure)
            | Self::Delayed(failure)
            | Self::Interrupted(failure) => Some(failure),
            Self::Allocated
            | Self::Assigned
            | Self::Accepted
            | Self::Preparing
            | Self::Prepared
            | Self::Starting
            | Self::Started
            | Self::Finished
            | Self::ShutDown
            | Self::Terminated
            | Self::Orphaned => None,
        }
    }
}

/// The kind of an [`Event`], without its failure.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the event of its name")]
pub enum EventKind {
    Allocated,
    Assigned,
    Accepted,
    Preparing,
    Prepared,
    Starting,
    Started,
    Finished,
    ShutDown,
    Terminated,
    Failed,
    Unresolved,
    Delayed,
    Interrupted,
    Orphaned,
}

impl EventKind {
    /// Every kind, in the order of a task's life.
    pub const ALL: [Self; 15] = [
        Self::Allocated,
        Self::Assigned,
        Self::Accepted,
        Self::Preparing,
        Self::Prepared,
        Self::Starting,
        Self::Started,
        Self::Finished,
        Self::ShutDown,
        Self::Terminated,
        Self::Failed,
        Self::Unresolved,
        Self::Delayed,
        Self::Interrupted,
        Self::Orphaned,
    ];

    /// The state that an event of this kind leads to from `from`. `None` if it does not
    /// move a task.
    ///
    /// It does not check that the table has that edge.
    /// [`AnyTask::apply`](super::AnyTask::apply) checks it.
    pub fn leads_to(self, from: TaskState) -> Option<TaskState> {
        Some(match self {
            Self::Allocated => TaskState::Pending,
            Self::Assigned => TaskState::Assigned,
            Self::Accepted => TaskState::Accepted,
            Self::Preparing => TaskState::Preparing,
            Self::Prepared => TaskState::Ready,
            Self::Starting => TaskState::Starting,
            Self::Started => TaskState::Running,
            Self::Finished => TaskState::Complete,
            Self::ShutDown | Self::Terminated => TaskState::Shutdown,
            Self::Orphaned => TaskState::Orphaned,
            Self::Delayed | Self::Interrupted => return None,
            Self::Unresolved if from.is_terminal() => return None,
            Self::Failed | Self::Unresolved if from < TaskState::Starting => TaskState::Rejected,
            Self::Failed | Self::Unresolved => TaskState::Failed,
        })
    }

    /// The name in lower case, for example `shut down`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Prepared => "prepared",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Finished => "finished",
            Self::ShutDown => "shut down",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
            Self::Unresolved => "unresolved",
            Self::Delayed => "delayed",
            Self::Interrupted => "interrupted",
            Self::Orphaned => "orphaned",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error of a failed operation, as a task's status records it.
///
/// ```
/// use onward::lifecycle::Failure;
///
/// let failure = Failure::new("the disk is full").with_exit_code(137);
/// assert_eq!(failure.exit_code.map(i32::from), Some(137));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The error's text with its causes. It becomes the `err` of the status.
    pub err: Cow<'static, str>,
    /// The exit code of the workload. It is recorded only if the task ends. An exit code
    /// of 0 is not a failure, so it cannot be stored here.
    pub exit_code: Option<NonZeroI32>,
    /// The status of the container at the time of the error, if it is known.
    pub container_status: Option<ContainerStatus>,
}

impl Failure {
    /// A failure with this text, without an exit code and a container status.
    pub fn new(err: impl Into<Cow<'static, str>>) -> Self {
        Self { err: err.into(), exit_code: None, container_status: None }
    }

    /// Adds the exit code of the workload. 0 is ignored, because it is not a failure.
    #[must_use]
    pub fn with_exit_code(self, exit_code: i32) -> Self {
        Self { exit_code: NonZeroI32::new(exit_code), ..self }
    }

    /// Adds the status of the container.
    #[must_use]
    pub fn with_container_status(self, status: ContainerStatus) -> Self {
        Self { container_status: Some(status), ..self }
    }
}

impl From<&'static str> for Failure {
    fn from(err: &'static str) -> Self {
        Self::new(err)
    }
}
