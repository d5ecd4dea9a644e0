//! `AnyTask`: a task whose state is known at run time, for loops, maps and fields.

use super::event::Event;
use super::state::{self, State, TaskState};
use super::status::{ContainerStatus, PortStatus, TaskStatus};
use super::task::{Task, resumed};
use time::UtcDateTime;

/// A task in any state: the state is known at run time, not at compile time.
///
/// Use it in loops, maps and struct fields. Each of its moves is one of the typed moves
/// of [`Task`]. If the table has no such move, the method returns an error and the task
/// stays unchanged.
///
/// ```
/// use onward::lifecycle::{AnyTask, Event, TaskState, TaskStatus};
/// use time::UtcDateTime;
///
/// let now = UtcDateTime::UNIX_EPOCH;
/// let mut task = AnyTask::resume(TaskStatus::new(TaskState::Starting));
/// task.advance(Event::Started, now)?;
/// assert_eq!(task.state(), TaskState::Running);
///
/// let refused = task.advance(Event::Prepared, now).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "cannot apply `prepared` in state running: no edge leads to ready; \
///      expected complete, shutdown, failed or orphaned",
/// );
/// assert_eq!(task.state(), TaskState::Running);
/// # Ok::<(), onward::lifecycle::InvalidTransitionError>(())
/// ```
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a task that is dropped is forgotten"]
#[expect(missing_docs, reason = "each variant is the task in the state of its name")]
pub enum AnyTask {
    New(Task<state::New>),
    Pending(Task<state::Pending>),
    Assigned(Task<state::Assigned>),
    Accepted(Task<state::Accepted>),
    Preparing(Task<state::Preparing>),
    Ready(Task<state::Ready>),
    Starting(Task<state::Starting>),
    Running(Task<state::Running>),
    Complete(Task<state::Complete>),
    Shutdown(Task<state::Shutdown>),
    Failed(Task<state::Failed>),
    Rejected(Task<state::Rejected>),
    Remove(Task<state::Remove>),
    Orphaned(Task<state::Orphaned>),
}

/// Evaluates one expression for the task of every variant.
macro_rules! each {
    ($any:expr, $task:ident => $do:expr) => {
        match $any {
            AnyTask::New($task) => $do,
            AnyTask::Pending($task) => $do,
            AnyTask::Assigned($task) => $do,
            AnyTask::Accepted($task) => $do,
            AnyTask::Preparing($task) => $do,
            AnyTask::Ready($task) => $do,
            AnyTask::Starting($task) => $do,
            AnyTask::Running($task) => $do,
            AnyTask::Complete($task) => $do,
            AnyTask::Shutdown($task) => $do,
            AnyTask::Failed($task) => $do,
            AnyTask::Rejected($task) => $do,
            AnyTask::Remove($task) => $do,
            AnyTask::Orphaned($task) => $do,
        }
    };
}

/// A `match` on the state of a task behind a reference. Each arm names one or more
/// states, moves the task by a typed move, and writes the moved task back.
macro_rules! moves {
    ($any:expr; $($($state:ident)|+ ($task:ident) => $moved:expr,)+ $(_ => $refused:expr,)?) => {
        match $any {
            $($(AnyTask::$state(task) => {
                let $task = task.take();
                // The task that is replaced is blank: there is nothing to drop.
                core::mem::forget(core::mem::replace($any, $moved.into()));
            })+)+
            $(_ => $refused,)?
        }
    };
}

mod apply;
mod observe;
mod record;

pub use apply::{ApplyError, InvalidTransitionError};
pub use observe::Observed;

impl AnyTask {
    /// Restores a task from a status that was stored or received.
    ///
    /// It accepts all fourteen states. That includes REMOVE, which no edge enters.
    pub fn resume(status: TaskStatus) -> Self {
        match status.state {
            TaskState::New => Self::New(resumed(status)),
            TaskState::Pending => Self::Pending(resumed(status)),
            TaskState::Assigned => Self::Assigned(resumed(status)),
            TaskState::Accepted => Self::Accepted(resumed(status)),
            TaskState::Preparing => Self::Preparing(resumed(status)),
            TaskState::Ready => Self::Ready(resumed(status)),
            TaskState::Starting => Self::Starting(resumed(status)),
            TaskState::Running => Self::Running(resumed(status)),
            TaskState::Complete => Self::Complete(resumed(status)),
            TaskState::Shutdown => Self::Shutdown(resumed(status)),
            TaskState::Failed => Self::Failed(resumed(status)),
            TaskState::Rejected => Self::Rejected(resumed(status)),
            TaskState::Remove => Self::Remove(resumed(status)),
            TaskState::Orphaned => Self::Orphaned(resumed(status)),
        }
    }

    /// Applies an event: moves the task along the edge that the event stands for.
    ///
    /// # Errors
    ///
    /// [`ApplyError`] if the table has no such edge. The error holds the unchanged task
    /// and the event.
    #[inline]
    pub fn apply(self, event: Event, at: UtcDateTime) -> Result<Self, ApplyError> {
        let mut task = self;
        match task.advance(event, at) {
            Ok(()) => Ok(task),
            Err(reason) => Err(ApplyError { task, reason }),
        }
    }

    /// Updates the container and port status; see [`Task::inspected`]. It works in every
    /// state.
    pub fn inspected(
        &mut self,
        container_status: Option<ContainerStatus>,
        port_status: Option<PortStatus>,
        at: UtcDateTime,
    ) {
        each!(self, task => task.inspected(container_status, port_status, at));
    }

    /// Takes the status if it has changed since the last call, or since the task was
    /// resumed. Report and store the status that it returns.
    ///
    /// The change is kept until you call this, even if you dropped the future of the step
    /// that made it.
    pub fn take_changed(&mut self) -> Option<TaskStatus> {
        each!(self, task => task.take_changed())
    }

    /// The current state.
    #[inline]
    pub fn state(&self) -> TaskState {
        fn state<S: State>(_: &Task<S>) -> TaskState {
            S::VALUE
        }
        each!(self, task => state(task))
    }

    /// The time of the last change of the status.
    pub fn timestamp(&self) -> Option<UtcDateTime> {
        each!(self, task => task.timestamp())
    }

    /// A short description of the last step, for example `started`.
    pub fn message(&self) -> &str {
        each!(self, task => task.message())
    }

    /// The last error with its causes. The next successful move clears it.
    pub fn err(&self) -> Option<&str> {
        each!(self, task => task.err())
    }

    /// The status of the container, if there is one.
    pub fn container_status(&self) -> Option<&ContainerStatus> {
        each!(self, task => task.container_status())
    }

    /// The ports that the task publishes.
    pub fn port_status(&self) -> &PortStatus {
        each!(self, task => task.port_status())
    }

    /// A copy of the whole status, to report or store.
    pub fn status(&self) -> TaskStatus {
        each!(self, task => task.status())
    }
}

/// Applies a note, which changes the status and not the state, and returns the task.
fn noted<S: State>(mut task: Task<S>, note: impl FnOnce(&mut Task<S>)) -> AnyTask
where
    AnyTask: From<Task<S>>,
{
    note(&mut task);
    task.into()
}

/// Conversions from a task of each state, and back.
macro_rules! conversions {
    ($($state:ident)*) => {$(
        impl From<Task<state::$state>> for AnyTask {
            fn from(task: Task<state::$state>) -> Self {
                Self::$state(task)
            }
        }

        impl TryFrom<AnyTask> for Task<state::$state> {
            /// The same task, if it is in another state.
            type Error = AnyTask;

            fn try_from(task: AnyTask) -> Result<Self, AnyTask> {
                match task {
                    AnyTask::$state(task) => Ok(task),
                    other => Err(other),
                }
            }
        }
    )*};
}

conversions! {
    New Pending Assigned Accepted Preparing Ready Starting Running
    Complete Shutdown Failed Rejected Remove Orphaned
}
