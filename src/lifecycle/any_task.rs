//! A task whose state only the program knows: for loops, maps and fields.

use super::event::{Event, Failure};
use super::state::{self, State, TaskState};
use super::status::{ContainerStatus, PortStatus, TaskStatus};
use super::task::{Task, resumed};
use alloc::boxed::Box;
use core::cmp::Ordering;
use core::fmt;
use core::mem;
use time::UtcDateTime;

/// A task in any state.
///
/// It can do nothing that a [`Task`] cannot: each of its moves is one of the
/// typed moves, and what they do not allow is refused at run time, with the
/// task given back.
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
/// # Ok::<(), onward::lifecycle::InvalidTransition>(())
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

/// Does the same to the task of every variant.
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

/// Moves the task out of one of the named states; in all others, refuses.
macro_rules! moves {
    ($any:expr, $event:expr; $($($from:ident)|+ => |$task:ident| $moved:expr),+ $(,)?) => {
        match $any {
            $($(AnyTask::$from(task) => {
                let $task = task.take();
                // What is replaced is empty: there is nothing to drop.
                mem::forget(mem::replace($any, $moved.into()));
                Ok(())
            })+)+
            _ => Err($any.refuses($event)),
        }
    };
}

impl AnyTask {
    /// Takes up a task at a status, whatever its state.
    ///
    /// This is how a task that was stored, or came over a wire, is a task
    /// again. All fourteen states are taken, REMOVE too, which no edge enters.
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

    /// Records an event: moves the task where the event leads, or gives it
    /// back where the table has no such edge.
    ///
    /// # Errors
    ///
    /// [`Refused`] holds the task, as it was, and the event.
    #[inline]
    pub fn apply(self, event: Event, at: UtcDateTime) -> Result<Self, Refused> {
        let mut task = self;
        match task.advance(event, at) {
            Ok(()) => Ok(task),
            Err(reason) => Err(Refused { task, reason }),
        }
    }

    /// [`apply`](Self::apply) for a task that somebody else owns: it is
    /// replaced by what becomes of it, or stays as it is.
    ///
    /// It cannot be interrupted, so a task in a struct or behind a reference
    /// is never seen without its state.
    ///
    /// # Errors
    ///
    /// The refused event, and the state that refused it.
    #[inline]
    pub fn advance(&mut self, event: Event, at: UtcDateTime) -> Result<(), InvalidTransition> {
        match event {
            Event::Allocated => moves!(self, event; New => |task| task.allocated(at)),
            Event::Assigned => moves!(self, event; Pending => |task| task.assigned(at)),
            Event::Accepted => moves!(self, event;
                New | Pending | Assigned => |task| task.accepted(at)
            ),
            Event::Preparing => moves!(self, event; Accepted => |task| task.preparing(at)),
            Event::Prepared => moves!(self, event; Preparing => |task| task.prepared(at)),
            Event::Starting => moves!(self, event; Ready => |task| task.starting(at)),
            Event::Started => moves!(self, event; Starting => |task| task.started(at)),
            Event::Finished => moves!(self, event; Running => |task| task.finished(at)),
            Event::ShutDown => moves!(self, event;
                New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running
                    => |task| task.shut_down(at)
            ),
            Event::Terminated => moves!(self, event;
                New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running
                    => |task| task.terminated(at)
            ),
            Event::Orphaned => moves!(self, event;
                Assigned | Accepted | Preparing | Ready | Starting | Running
                    => |task| task.orphaned(at)
            ),
            Event::Failed(failure) => self.failed(failure, at),
            Event::Unresolved(failure) => self.unresolved(failure, at),
            Event::Delayed(failure) => self.delayed(failure, at),
            Event::Interrupted(failure) => self.interrupted(failure, at),
        }
    }

    // The events with a failure, and a refusal, are out of line: so the moves
    // that go well need no room on the stack.

    #[inline(never)]
    fn failed(&mut self, failure: Box<Failure>, at: UtcDateTime) -> Result<(), InvalidTransition> {
        moves!(self, Event::Failed(failure);
            New | Pending | Assigned | Accepted | Preparing | Ready
                => |task| task.rejected(*failure, at),
            Starting | Running => |task| task.failed(*failure, at),
        )
    }

    #[inline(never)]
    fn delayed(&mut self, failure: Box<Failure>, at: UtcDateTime) -> Result<(), InvalidTransition> {
        moves!(self, Event::Delayed(failure);
            New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running
                => |task| noted(task, |task| task.delayed(*failure, at))
        )
    }

    #[inline(never)]
    fn interrupted(
        &mut self,
        failure: Box<Failure>,
        at: UtcDateTime,
    ) -> Result<(), InvalidTransition> {
        moves!(self, Event::Interrupted(failure);
            New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running
                => |task| noted(task, |task| task.interrupted(*failure, at))
        )
    }

    /// No controller was to be had: noted in any state, a failure in those
    /// that have not ended.
    #[inline(never)]
    #[expect(clippy::boxed_local, reason = "it comes in its box, as with the three above")]
    fn unresolved(
        &mut self,
        failure: Box<Failure>,
        at: UtcDateTime,
    ) -> Result<(), InvalidTransition> {
        let err = failure.err;
        each!(self, task => task.unresolved(err.clone(), at));
        if self.state().is_terminal() {
            Ok(())
        } else {
            self.failed(Box::new(Failure::new(err)), at)
        }
    }

    #[cold]
    #[inline(never)]
    fn refuses(&self, event: Event) -> InvalidTransition {
        InvalidTransition { from: self.state(), event }
    }

    /// See [`Task::inspected`]: a note that every state takes.
    pub fn inspected(
        &mut self,
        container_status: Option<ContainerStatus>,
        port_status: Option<PortStatus>,
        at: UtcDateTime,
    ) {
        each!(self, task => task.inspected(container_status, port_status, at));
    }

    /// Merges a status that was reported elsewhere, in whatever order reports
    /// arrive. Only an [advanced](Observed::Advanced) one is taken, as a whole:
    /// its time with it, even where that is the earlier one.
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
        // A manager orphans what it sees: it is one edge, never several that
        // nobody reported.
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

    /// The status, if it has changed since it was last taken or the task was
    /// resumed: what is to be reported and stored.
    ///
    /// What has changed is not forgotten before it is taken, also where the step
    /// that changed it was dropped.
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

    /// What went wrong, with its causes; empty where nothing did.
    pub fn err(&self) -> &str {
        each!(self, task => task.err())
    }

    /// The container, where there is one.
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

/// Lets a task take a note.
fn noted<S: State>(mut task: Task<S>, note: impl FnOnce(&mut Task<S>)) -> Task<S> {
    note(&mut task);
    task
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

/// What a reported status is to a task; see [`AnyTask::observe`].
#[must_use = "a decree is not obeyed by itself"]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Observed {
    /// The same state at a later time, or a higher one that edges lead to: the
    /// task has taken it.
    Advanced,
    /// A higher state that no edges lead to: a manager's decree. The task has
    /// not taken it; whoever obeys [resumes](AnyTask::resume) from it.
    ///
    /// Managers force STARTING and RUNNING to REJECTED (constraint and volume
    /// enforcers) and NEW and PENDING to ORPHANED (the node of a pre-assigned
    /// task was removed).
    Forced,
    /// A lower state, or the same at no later time: old news.
    Stale,
    /// Another terminal state than the task's own, REMOVE among them: neither
    /// follows from the other, and which one is true is not for a task to say.
    Conflicting,
}

/// An event that has no edge to go along.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InvalidTransition {
    /// The state that refused the event.
    pub from: TaskState,
    /// The event.
    pub event: Event,
}

impl fmt::Display for InvalidTransition {
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

impl core::error::Error for InvalidTransition {}

/// A task that refused an event, and why.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct Refused {
    /// The task, as it was.
    pub task: AnyTask,
    /// Why it is still as it was.
    pub reason: InvalidTransition,
}
