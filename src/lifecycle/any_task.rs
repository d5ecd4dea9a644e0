//! `AnyTask`: a task whose state is known at run time, for loops, maps and fields.

use super::event::Event;
use super::state::{self, State, TaskState};
use super::status::{ContainerStatus, PortStatus, TaskStatus};
use super::task::{Task, resumed};
use time::UtcDateTime;

/// A task in any state.
///
/// Each of its moves is one of the moves of [`Task`], so it cannot do what they
/// do not allow. A move that they do not allow is an error at run time, and the task
/// stays as it was.
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
///     "`prepared` leads to ready, where no edge leads from running: \
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

/// Evaluates the same expression for the task of every variant.
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

/// A `match` on the variant of a task behind a reference. Each arm stands for one or
/// more states, moves the task by a typed move, and writes the moved task back.
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
    /// Makes a task from a status in any state.
    ///
    /// Use it for a task that was stored or received. It takes all fourteen states,
    /// REMOVE too, which no edge enters.
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

    /// Applies an event: moves the task along the edge of the event.
    ///
    /// # Errors
    ///
    /// [`ApplyError`] if the table has no such edge. It holds the task, unchanged, and
    /// the event.
    #[inline]
    pub fn apply(self, event: Event, at: UtcDateTime) -> Result<Self, ApplyError> {
        let mut task = self;
        match task.advance(event, at) {
            Ok(()) => Ok(task),
            Err(reason) => Err(ApplyError { task, reason }),
        }
    }

    /// See [`Task::inspected`]. It is possible in every state.
    pub fn inspected(
        &mut self,
        container_status: Option<ContainerStatus>,
        port_status: Option<PortStatus>,
        at: UtcDateTime,
    ) {
        each!(self, task => task.inspected(container_status, port_status, at));
    }

    /// The status, if it has changed since this was last called or the task was
    /// resumed. Report it and store it.
    ///
    /// A change is kept until this returns it, even if the future of the step that
    /// made it was dropped.
    pub fn take_changed(&mut self) -> Option<TaskStatus> {
        each!(self, task => task.take_changed())
    }

    /// The state.
    #[inline]
    pub fn state(&self) -> TaskState {
        fn state<S: State>(_: &Task<S>) -> TaskState {
            S::VALUE
        }
        each!(self, task => state(task))
    }

    /// When the status last changed.
    pub fn timestamp(&self) -> Option<UtcDateTime> {
        each!(self, task => task.timestamp())
    }

    /// The last step, in a word or two.
    pub fn message(&self) -> &str {
        each!(self, task => task.message())
    }

    /// The last error, with its causes. A move that succeeds removes it.
    pub fn err(&self) -> Option<&str> {
        each!(self, task => task.err())
    }

    /// The container, if there is one.
    pub fn container_status(&self) -> Option<&ContainerStatus> {
        each!(self, task => task.container_status())
    }

    /// The ports that the task has on its host.
    pub fn port_status(&self) -> &PortStatus {
        each!(self, task => task.port_status())
    }

    /// The status, as it is reported and stored.
    pub fn status(&self) -> TaskStatus {
        each!(self, task => task.status())
    }
}

/// The task after a note.
fn noted<S: State>(mut task: Task<S>, note: impl FnOnce(&mut Task<S>)) -> AnyTask
where
    AnyTask: From<Task<S>>,
{
    note(&mut task);
    task.into()
}

/// From a task of each state, and back to it.
macro_rules! conversions {
    ($($state:ident)*) => {$(
        impl From<Task<state::$state>> for AnyTask {
            fn from(task: Task<state::$state>) -> Self {
                Self::$state(task)
            }
        }

        impl TryFrom<AnyTask> for Task<state::$state> {
            /// The task itself, where it is in another state.
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
