//! `Task<S>`: a task whose state is known at compile time.

use super::edge::{Edge, Live};
use super::event::Failure;
use super::state::sealed::Key;
use super::state::{self, State, TaskState};
use super::status::{ContainerStatus, PortStatus, TaskStatus};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use time::UtcDateTime;

/// A task in the state `S`.
///
/// *Moves* consume the task and return it in its next state. They are named after
/// what has happened, and they compile only if the table has the edge. *Notes*
/// borrow the task and change its status without moving it. Both take the time of
/// the change, which becomes the timestamp of the status.
///
/// ```
/// use onward::lifecycle::{Task, state};
/// use time::UtcDateTime;
///
/// let now = UtcDateTime::UNIX_EPOCH;
/// let task: Task<state::New> = Task::new();
/// let task: Task<state::Preparing> = task.accepted(now).preparing(now);
/// let task: Task<state::Ready> = task.prepared(now);
/// assert_eq!(task.message(), "prepared");
/// ```
///
/// A task that is ready has not run, so it cannot become complete:
///
/// ```compile_fail,E0599
/// # use onward::lifecycle::{Task, state};
/// # use time::UtcDateTime;
/// # fn f(task: Task<state::Ready>, now: UtcDateTime) {
/// task.finished(now);
/// # }
/// ```
///
/// It is one pointer in size. It is not `Clone`: two copies of a task could be in
/// different states.
#[derive(Debug)]
#[must_use = "a task that is dropped is forgotten"]
pub struct Task<S: State> {
    /// The status without the state. It is allocated when the first change is
    /// recorded.
    record: Option<Box<Record>>,
    state: S,
}

/// The status of a task without its state.
#[derive(Debug)]
struct Record {
    timestamp: Option<UtcDateTime>,
    /// Whether the status has changed since [`Task::take_changed`] returned it.
    changed: bool,
    message: Cow<'static, str>,
    err: Option<Cow<'static, str>>,
    container_status: Option<ContainerStatus>,
    port_status: PortStatus,
}

/// The record of a task that has no record yet.
static BLANK: Record = Record::blank();

impl Record {
    const fn blank() -> Self {
        Self {
            timestamp: None,
            changed: false,
            message: Cow::Borrowed(""),
            err: None,
            container_status: None,
            port_status: PortStatus { ports: Vec::new() },
        }
    }
}

/// Two tasks in the same state are equal if their statuses are equal.
impl<S: State> PartialEq for Task<S> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.record(), other.record());
        self.state == other.state
            && a.timestamp == b.timestamp
            && a.message == b.message
            && a.err == b.err
            && a.container_status == b.container_status
            && a.port_status == b.port_status
    }
}

impl<S: State> Eq for Task<S> {}

impl Task<state::New> {
    /// A new task with an empty status. Nothing is allocated.
    pub const fn new() -> Self {
        Self { record: None, state: state::New }
    }

    /// The allocator gave the task its resources.
    #[inline]
    pub fn allocated(self, at: UtcDateTime) -> Task<state::Pending> {
        self.done("pending task scheduling", at)
    }
}

impl Default for Task<state::New> {
    fn default() -> Self {
        Self::new()
    }
}

impl Task<state::Pending> {
    /// The scheduler gave the task a node.
    #[inline]
    pub fn assigned(self, at: UtcDateTime) -> Task<state::Assigned> {
        self.done("scheduler assigned task to node", at)
    }
}

impl Task<state::Accepted> {
    /// Preparation begins.
    #[inline]
    pub fn preparing(self, at: UtcDateTime) -> Task<state::Preparing> {
        self.done("preparing", at)
    }
}

impl Task<state::Preparing> {
    /// The controller's `prepare` succeeded.
    #[inline]
    pub fn prepared(self, at: UtcDateTime) -> Task<state::Ready> {
        self.done("prepared", at)
    }
}

impl Task<state::Ready> {
    /// The start begins.
    #[inline]
    pub fn starting(self, at: UtcDateTime) -> Task<state::Starting> {
        self.done("starting", at)
    }
}

impl Task<state::Starting> {
    /// The controller's `start` succeeded.
    #[inline]
    pub fn started(self, at: UtcDateTime) -> Task<state::Running> {
        self.done("started", at)
    }
}

impl Task<state::Running> {
    /// The controller's `wait` succeeded: the workload ended by itself, well.
    #[inline]
    pub fn finished(self, at: UtcDateTime) -> Task<state::Complete> {
        self.done("finished", at)
    }
}

/// Moves that several states share. The bound is on the method, so that the
/// compiler's error names the missing edge.
impl<S: State> Task<S> {
    /// The agent has a controller for the task.
    #[inline]
    pub fn accepted(self, at: UtcDateTime) -> Task<state::Accepted>
    where
        S: Edge<state::Accepted>,
    {
        self.done("accepted", at)
    }

    /// The controller's `shutdown` succeeded: the workload, if there was one, has
    /// ended on request.
    #[inline]
    pub fn shut_down(self, at: UtcDateTime) -> Task<state::Shutdown>
    where
        S: Edge<state::Shutdown>,
    {
        self.done("shutdown", at)
    }

    /// The controller's `terminate` succeeded: the workload was ended by force.
    #[inline]
    pub fn terminated(self, at: UtcDateTime) -> Task<state::Shutdown>
    where
        S: Edge<state::Shutdown>,
    {
        self.done("terminated", at)
    }

    /// The task failed for good before it was started.
    ///
    /// The message of the last step stays, as in SwarmKit's `Do`. The failure is in
    /// `err`.
    pub fn rejected(self, failure: Failure, at: UtcDateTime) -> Task<state::Rejected>
    where
        S: Edge<state::Rejected>,
    {
        self.ended(failure, at)
    }

    /// The task failed for good while it started or ran.
    ///
    /// The message of the last step stays, as in SwarmKit's `Do`. The failure is in
    /// `err`.
    pub fn failed(self, failure: Failure, at: UtcDateTime) -> Task<state::Failed>
    where
        S: Edge<state::Failed>,
    {
        self.ended(failure, at)
    }

    /// A manager found that the task's node is lost or removed.
    #[inline]
    pub fn orphaned(self, at: UtcDateTime) -> Task<state::Orphaned>
    where
        S: Edge<state::Orphaned>,
    {
        self.done("orphaned", at)
    }
}

/// Notes. The first two are for a task that has not ended.
impl<S: State> Task<S> {
    /// An operation failed and can be retried. Its error becomes the `err` of the
    /// status.
    ///
    /// From STARTING on, the container's status is noted too, if the error has it.
    /// The exit code is not noted, because the task goes on.
    pub fn delayed(&mut self, failure: Failure, at: UtcDateTime)
    where
        S: Live,
    {
        let Failure { err, container_status, .. } = failure;
        self.note(at, |record| replace(&mut record.err, text(err)));
        self.note_container(container_status, at);
    }

    /// An operation was interrupted from outside. Only the container's status is
    /// noted, from STARTING on, if the error has it.
    pub fn interrupted(&mut self, failure: Failure, at: UtcDateTime)
    where
        S: Live,
    {
        self.note_container(failure.container_status, at);
    }

    fn note_container(&mut self, container_status: Option<ContainerStatus>, at: UtcDateTime) {
        if S::VALUE >= TaskState::Starting {
            self.inspected(container_status, None, at);
        }
    }

    /// The executor has no controller for the task, for the reason `err`. If the
    /// task has not ended, [`rejected`](Self::rejected) or
    /// [`failed`](Self::failed) follows.
    pub fn unresolved(&mut self, err: Cow<'static, str>, at: UtcDateTime) {
        self.note(at, |record| replace(&mut record.message, "resolving controller failed".into()));
        self.note(at, |record| replace(&mut record.err, text(err)));
    }

    /// The controller has reported the status of its container or its ports.
    /// `None` keeps what is known. An empty container status removes it.
    pub fn inspected(
        &mut self,
        container_status: Option<ContainerStatus>,
        port_status: Option<PortStatus>,
        at: UtcDateTime,
    ) {
        if let Some(status) = container_status {
            let status = Some(status).filter(|status| !status.is_empty());
            self.note(at, |record| replace(&mut record.container_status, status));
        }
        if let Some(ports) = port_status {
            self.note(at, |record| replace(&mut record.port_status, ports));
        }
    }
}

/// The status.
impl<S: State> Task<S> {
    /// When the status last changed.
    pub fn timestamp(&self) -> Option<UtcDateTime> {
        self.record().timestamp
    }

    /// The last step, in a word or two.
    pub fn message(&self) -> &str {
        &self.record().message
    }

    /// The last error, with its causes. A move that succeeds removes it.
    pub fn err(&self) -> Option<&str> {
        self.record().err.as_deref()
    }

    /// The container, if there is one.
    pub fn container_status(&self) -> Option<&ContainerStatus> {
        self.record().container_status.as_ref()
    }

    /// The ports that the task has on its host.
    pub fn port_status(&self) -> &PortStatus {
        &self.record().port_status
    }

    /// The status, as it is reported and stored.
    pub fn status(&self) -> TaskStatus {
        let record = self.record();
        TaskStatus {
            timestamp: record.timestamp,
            state: S::VALUE,
            message: record.message.clone(),
            err: record.err.clone(),
            container_status: record.container_status.clone(),
            port_status: record.port_status.clone(),
        }
    }

    /// The status, if it has changed since this was last called. See
    /// [`AnyTask::take_changed`](super::AnyTask::take_changed).
    pub fn take_changed(&mut self) -> Option<TaskStatus> {
        let changed = self.record.as_deref_mut().is_some_and(|r| mem::take(&mut r.changed));
        changed.then(|| self.status())
    }

    fn record(&self) -> &Record {
        self.record.as_deref().unwrap_or(&BLANK)
    }
}

/// Makes a task from a status. Only [`AnyTask`](super::AnyTask) calls this. It
/// chooses `S` by the state of the status.
pub(super) fn resumed<S: State>(status: TaskStatus) -> Task<S> {
    let TaskStatus { timestamp, message, err, container_status, port_status, .. } = status;
    let err = err.and_then(text);
    let container_status = container_status.filter(|status| !status.is_empty());
    let record = Record { timestamp, changed: false, message, err, container_status, port_status };
    Task { record: Some(Box::new(record)), state: S::unit(Key(())) }
}

/// How a task is moved and its record is written. No other code does either.
impl<S: State> Task<S> {
    /// Every move goes through here, and so over an edge of the table.
    fn enter<To: State>(self) -> Task<To>
    where
        S: Edge<To>,
    {
        Task { record: self.record, state: To::unit(Key(())) }
    }

    /// A move that succeeded: a new message, and no error.
    #[inline]
    fn done<To: State>(mut self, message: &'static str, at: UtcDateTime) -> Task<To>
    where
        S: Edge<To>,
    {
        let record = self.record_mut();
        record.timestamp = Some(at);
        record.changed = true;
        record.message = Cow::Borrowed(message);
        record.err = None;
        self.enter()
    }

    /// A move after a failure: the error, and the exit code if there is one.
    fn ended<To: State>(mut self, failure: Failure, at: UtcDateTime) -> Task<To>
    where
        S: Edge<To>,
    {
        self.inspected(failure.container_status, None, at);
        let record = self.record_mut();
        record.timestamp = Some(at);
        record.changed = true;
        record.err = text(failure.err);
        if let Some(exit_code) = failure.exit_code {
            let container_status = record.container_status.get_or_insert_default();
            container_status.exit_code = Some(exit_code.get());
        }
        self.enter()
    }

    /// Records the time if `write` returns that it has changed something.
    fn note(&mut self, at: UtcDateTime, write: impl FnOnce(&mut Record) -> bool) {
        let record = self.record_mut();
        if write(record) {
            record.timestamp = Some(at);
            record.changed = true;
        }
    }

    fn record_mut(&mut self) -> &mut Record {
        self.record.get_or_insert_with(first_record)
    }

    /// Takes the task out of its place and leaves a blank one there. The caller
    /// writes the moved task to the place. The record is allocated first, so that
    /// nothing can fail in between.
    pub(super) fn take(&mut self) -> Self {
        self.record_mut();
        Self { record: self.record.take(), state: self.state }
    }
}

/// Not in line, because a task calls it only once.
#[cold]
#[inline(never)]
#[expect(clippy::unnecessary_box_returns, reason = "a record is always in a box")]
fn first_record() -> Box<Record> {
    Box::new(Record::blank())
}

/// An error's text, or `None` if it is empty.
fn text(err: Cow<'static, str>) -> Option<Cow<'static, str>> {
    Some(err).filter(|err| !err.is_empty())
}

/// Writes a value. Returns whether it differs from the one before.
fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}
