//! What happened to a task, as data.

use super::state::TaskState;
use super::status::ContainerStatus;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;
use core::num::NonZeroI32;

/// Something that happened to a task, as data.
///
/// Events are for what comes from outside: the moves of a manager, a log that is
/// replayed. A loop that runs the operations of a controller records their
/// [answers](super::Answer) instead, with [`AnyTask::record`](super::AnyTask::record).
///
/// Each event has its own name: "done" after `prepare` and "done" after `shutdown`
/// lead to different states. [`AnyTask::apply`](super::AnyTask::apply) applies one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The allocator gave the task its resources: NEW → PENDING.
    Allocated,
    /// The scheduler gave the task a node: PENDING → ASSIGNED.
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
    /// The controller's `shutdown` succeeded: → SHUTDOWN.
    ShutDown,
    /// The controller's `terminate` succeeded: → SHUTDOWN.
    Terminated,
    /// Something failed for good: before STARTING → REJECTED, from STARTING
    /// on → FAILED.
    Failed(Box<Failure>),
    /// No controller was to be had: moves like [`Failed`](Self::Failed), but in a
    /// terminal state it is only noted. An exit code and a container's status
    /// are not looked at: there was no workload.
    Unresolved(Box<Failure>),
    /// An operation failed and is worth another try: its text is noted, the
    /// state stays.
    Delayed(Box<Failure>),
    /// An operation was interrupted from outside: nothing was learned but,
    /// maybe, the container's status. The state stays.
    Interrupted(Box<Failure>),
    /// A manager found the node lost or removed: ASSIGNED … RUNNING →
    /// ORPHANED.
    Orphaned,
}

impl Event {
    /// The task failed for good.
    pub fn failed(failure: impl Into<Failure>) -> Self {
        Self::Failed(Box::new(failure.into()))
    }

    /// An operation failed and is worth another try.
    pub fn delayed(failure: impl Into<Failure>) -> Self {
        Self::Delayed(Box::new(failure.into()))
    }

    /// Which event this is, apart from what it tells.
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

    /// What this event tells of the failure behind it.
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

/// Which [`Event`] it was.
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
    /// Every kind, in the order of a life.
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

    /// The state that such an event leads to from `from`, or `None` if it does not
    /// move a task.
    ///
    /// It does not check that the table has that edge.
    /// [`AnyTask::apply`](super::AnyTask::apply) does.
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

    /// The name, in lower case.
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

/// The reason why an operation failed, as the status of a task records it.
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
    /// The `err` of the status: the error's text with its causes.
    pub err: Cow<'static, str>,
    /// The exit code of the workload. It is recorded only if the task ends.
    pub exit_code: Option<NonZeroI32>,
    /// The status of the container, if the error has it.
    pub container_status: Option<ContainerStatus>,
}

impl Failure {
    /// A failure with a text and nothing else.
    pub fn new(err: impl Into<Cow<'static, str>>) -> Self {
        Self { err: err.into(), exit_code: None, container_status: None }
    }

    /// Adds the exit code of the workload. 0 is no failure and is left out.
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
