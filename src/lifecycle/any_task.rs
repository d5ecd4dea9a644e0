//! `AnyTask`: a task whose state is known at run time, for loops, maps and fields.

use super::answer::{Answer, InvalidOperationError};
use super::decision::Operation;
use super::edge::Live;
use super::event::{Event, EventKind, Failure};
use super::state::{self, State, TaskState};
use super::status::{ContainerStatus, PortStatus, TaskStatus};
use super::task::{Task, resumed};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::cmp::Ordering;
use core::fmt;
use core::mem;
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
                mem::forget(mem::replace($any, $moved.into()));
            })+)+
            $(_ => $refused,)?
        }
    };
}

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

    /// Records the answer of a controller's operation: moves the task to its next
    /// state, or notes the error in its status.
    ///
    /// It cannot be interrupted: a task in a field or behind a reference is never
    /// seen between two states.
    ///
    /// # Errors
    ///
    /// [`InvalidOperationError`] if the operation cannot run in the task's state. The
    /// task has not changed then.
    pub fn record(
        &mut self,
        operation: Operation,
        answer: Answer,
        at: UtcDateTime,
    ) -> Result<(), InvalidOperationError> {
        match operation {
            Operation::Prepare => moves!(self;
                Preparing (task) => settle(task, answer, at, Task::prepared, Task::rejected),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
            Operation::Start => moves!(self;
                Starting (task) => settle(task, answer, at, Task::started, Task::failed),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
            Operation::Wait => moves!(self;
                Running (task) => settle(task, answer, at, Task::finished, Task::failed),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
            Operation::Shutdown => moves!(self;
                New | Pending | Assigned | Accepted | Preparing | Ready (task)
                    => settle(task, answer, at, Task::shut_down, Task::rejected),
                Starting | Running (task)
                    => settle(task, answer, at, Task::shut_down, Task::failed),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
            Operation::Terminate => moves!(self;
                New | Pending | Assigned | Accepted | Preparing | Ready (task)
                    => settle(task, answer, at, Task::terminated, Task::rejected),
                Starting | Running (task)
                    => settle(task, answer, at, Task::terminated, Task::failed),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
        }
        Ok(())
    }

    /// Records whether the executor has a controller for the task. Returns the event
    /// that was recorded, if any. It is never refused.
    ///
    /// With a controller, a task before ACCEPTED is accepted, and any other stays as
    /// it is. Without one, a task before STARTING is rejected, one in STARTING or
    /// RUNNING has failed, and one that has ended only notes the error. The failure's
    /// exit code and container status are not recorded: there was no workload.
    pub fn resolved(&mut self, answer: Result<(), Failure>, at: UtcDateTime) -> Option<EventKind> {
        match answer {
            Ok(()) => {
                moves!(self;
                    New | Pending | Assigned (task) => task.accepted(at),
                    _ => return None,
                );
                Some(EventKind::Accepted)
            }
            Err(failure) => {
                self.unresolved(failure.err, at);
                Some(EventKind::Unresolved)
            }
        }
    }

    #[inline(never)]
    fn unresolved(&mut self, err: Cow<'static, str>, at: UtcDateTime) {
        each!(self, task => task.unresolved(err.clone(), at));
        let failure = Failure::new(err);
        moves!(self;
            New | Pending | Assigned | Accepted | Preparing | Ready (task)
                => task.rejected(failure, at),
            Starting | Running (task) => task.failed(failure, at),
            Complete | Shutdown | Failed | Rejected | Remove | Orphaned (task) => task,
        );
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

    /// [`apply`](Self::apply) for a task in a field or behind a reference.
    ///
    /// It cannot be interrupted: the task is never seen between two states.
    ///
    /// # Errors
    ///
    /// [`InvalidTransitionError`] if the table has no such edge. The task has not
    /// changed then.
    pub fn advance(&mut self, event: Event, at: UtcDateTime) -> Result<(), InvalidTransitionError> {
        match event {
            Event::Allocated => moves!(self;
                New (task) => task.allocated(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Assigned => moves!(self;
                Pending (task) => task.assigned(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Accepted => moves!(self;
                New | Pending | Assigned (task) => task.accepted(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Preparing => moves!(self;
                Accepted (task) => task.preparing(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Prepared => moves!(self;
                Preparing (task) => task.prepared(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Starting => moves!(self;
                Ready (task) => task.starting(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Started => moves!(self;
                Starting (task) => task.started(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Finished => moves!(self;
                Running (task) => task.finished(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::ShutDown => moves!(self;
                New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                    => task.shut_down(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Terminated => moves!(self;
                New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                    => task.terminated(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Orphaned => moves!(self;
                Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                    => task.orphaned(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Failed(failure) => return self.failed(failure, at),
            Event::Delayed(failure) => return self.delayed(failure, at),
            Event::Interrupted(failure) => return self.interrupted(failure, at),
            Event::Unresolved(failure) => self.unresolved(failure.err, at),
        }
        Ok(())
    }

    // The events with a failure have functions of their own, so that the others need
    // no room for a failure on the stack.

    #[inline(never)]
    fn failed(
        &mut self,
        failure: Box<Failure>,
        at: UtcDateTime,
    ) -> Result<(), InvalidTransitionError> {
        moves!(self;
            New | Pending | Assigned | Accepted | Preparing | Ready (task)
                => task.rejected(*failure, at),
            Starting | Running (task) => task.failed(*failure, at),
            _ => return Err(self.refuses(Event::Failed(failure))),
        );
        Ok(())
    }

    #[inline(never)]
    fn delayed(
        &mut self,
        failure: Box<Failure>,
        at: UtcDateTime,
    ) -> Result<(), InvalidTransitionError> {
        moves!(self;
            New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                => noted(task, |task| task.delayed(*failure, at)),
            _ => return Err(self.refuses(Event::Delayed(failure))),
        );
        Ok(())
    }

    #[inline(never)]
    fn interrupted(
        &mut self,
        failure: Box<Failure>,
        at: UtcDateTime,
    ) -> Result<(), InvalidTransitionError> {
        moves!(self;
            New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                => noted(task, |task| task.interrupted(*failure, at)),
            _ => return Err(self.refuses(Event::Interrupted(failure))),
        );
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn refuses(&self, event: Event) -> InvalidTransitionError {
        InvalidTransitionError { from: self.state(), event }
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

    /// Merges a status that was reported elsewhere. Reports can arrive in any order.
    ///
    /// Only an [advanced](Observed::Advanced) status is taken. It is taken as a whole,
    /// with its timestamp, even if that is the earlier one.
    ///
    /// ```
    /// use onward::lifecycle::{AnyTask, Observed, TaskState, TaskStatus};
    ///
    /// let mut task = AnyTask::resume(TaskStatus::new(TaskState::Ready));
    /// assert_eq!(task.observe(&TaskStatus::new(TaskState::Accepted)), Observed::Stale);
    /// assert_eq!(task.observe(&TaskStatus::new(TaskState::Running)), Observed::Advanced);
    /// assert_eq!(task.observe(&TaskStatus::new(TaskState::Rejected)), Observed::Forced);
    /// assert_eq!(task.state(), TaskState::Running);
    /// ```
    pub fn observe(&mut self, reported: &TaskStatus) -> Observed {
        let observed = self.compare(reported);
        if observed == Observed::Advanced {
            *self = Self::resume(reported.clone());
        }
        observed
    }

    fn compare(&self, reported: &TaskStatus) -> Observed {
        let (here, there) = (self.state(), reported.state);
        // A manager orphans a task in the state that it sees: over one edge, never
        // over several that were not reported.
        let reached =
            here.can_become(there) || (here.can_reach(there) && there != TaskState::Orphaned);
        match there.cmp(&here) {
            Ordering::Equal if reported.timestamp > self.timestamp() => Observed::Advanced,
            Ordering::Equal => Observed::Stale,
            _ if here.is_terminal() && there.is_terminal() => Observed::Conflicting,
            Ordering::Less => Observed::Stale,
            Ordering::Greater if reached => Observed::Advanced,
            Ordering::Greater => Observed::Forced,
        }
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

/// The task after this answer of an operation: in the state that `succeeded` or
/// `failed` returns, or in the same state with a note.
fn settle<S: Live, Next: State, End: State>(
    task: Task<S>,
    answer: Answer,
    at: UtcDateTime,
    succeeded: impl FnOnce(Task<S>, UtcDateTime) -> Task<Next>,
    failed: impl FnOnce(Task<S>, Failure, UtcDateTime) -> Task<End>,
) -> AnyTask
where
    AnyTask: From<Task<S>> + From<Task<Next>> + From<Task<End>>,
{
    match answer {
        Answer::Succeeded => succeeded(task, at).into(),
        Answer::Delayed(failure) => noted(task, |task| task.delayed(*failure, at)),
        Answer::Interrupted(failure) => noted(task, |task| task.interrupted(*failure, at)),
        Answer::Failed(failure) => failed(task, *failure, at).into(),
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

/// How a reported status relates to a task; see [`AnyTask::observe`].
#[must_use = "a forced status is not taken by itself"]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Observed {
    /// The same state at a later time, or a higher state that edges lead to. The task
    /// has taken the status.
    Advanced,
    /// A higher state that no edges lead to: a manager's decision. The task has not
    /// taken the status. To obey it, [resume](AnyTask::resume) from it.
    ///
    /// Managers force STARTING and RUNNING to REJECTED (constraint and volume
    /// enforcers) and NEW and PENDING to ORPHANED (the node of a pre-assigned
    /// task was removed).
    Forced,
    /// A lower state, or the same state at no later time.
    Stale,
    /// A terminal state that is not the task's own, REMOVE included. The reports
    /// conflict, and the task keeps its own state.
    Conflicting,
}

/// The table has no edge for an event in the task's state.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InvalidTransitionError {
    /// The state of the task. It has not changed.
    pub from: TaskState,
    /// The event.
    pub event: Event,
}

impl fmt::Display for InvalidTransitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, event } = self;
        let event = event.kind();
        match event.leads_to(*from) {
            Some(to) => write!(f, "`{event}` leads to {to}, where no edge leads from {from}: ")?,
            None => write!(f, "`{event}` cannot happen to a task that is {from}: ")?,
        }
        if from.is_terminal() {
            return f.write_str("nothing follows a terminal state");
        }
        let last = from.successors().last();
        for (i, legal) in from.successors().enumerate() {
            f.write_str(match i {
                0 => "expected ",
                _ if Some(legal) == last => " or ",
                _ => ", ",
            })?;
            write!(f, "{legal}")?;
        }
        Ok(())
    }
}

impl core::error::Error for InvalidTransitionError {}

/// [`AnyTask::apply`] failed. The error gives the task back.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct ApplyError {
    /// The task, unchanged.
    pub task: AnyTask,
    /// The reason. Its text is the text of this error.
    pub reason: InvalidTransitionError,
}
