//! A task whose state the compiler knows.

use super::edge::{Edge, Live};
use super::event::{EventKind, Failure};
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
/// *Moves* consume the task and give it back in its next state; they are named
/// by what has happened, and compile only where the table has the edge. *Notes*
/// borrow it, and change what its status says without moving it. Both take the
/// time at which it happened: the status carries that of its last change.
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
/// A task that is ready has not run, so it cannot be complete:
///
/// ```compile_fail,E0599
/// # use onward::lifecycle::{Task, state};
/// # use time::UtcDateTime;
/// # fn f(task: Task<state::Ready>, now: UtcDateTime) {
/// task.finished(now);
/// # }
/// ```
///
/// It is one pointer in size, and is not `Clone`: a cloned task would be two
/// truths.
#[derive(Debug)]
#[must_use = "a task that is dropped is forgotten"]
pub struct Task<S: State> {
    record: Option<Box<Record>>,
    state: S,
}

/// What the status says beside the state. A move that went well writes a few
/// bytes of it, looks at nothing and frees nothing.
#[derive(Debug)]
struct Record {
    timestamp: Option<UtcDateTime>,
    /// Whether any of it, or the state, has changed since it was last taken.
    changed: bool,
    /// What the message is about, unless it is one that was read.
    last: Option<EventKind>,
    /// Whether the error counts. One from before a move that went well does not,
    /// and lies there until there is another.
    has_err: bool,
    more: Option<Box<More>>,
}

/// What the status of a task that does well seldom says.
#[derive(PartialEq, Debug)]
struct More {
    /// A message that was read.
    message: Cow<'static, str>,
    err: Cow<'static, str>,
    container_status: Option<ContainerStatus>,
    port_status: PortStatus,
}

/// The record of a task of which nothing has been said.
static BLANK: Record = Record::blank();

/// What there is more where there is no more.
static NO_MORE: More = More::blank();

impl Record {
    const fn blank() -> Self {
        Self { timestamp: None, changed: false, last: None, has_err: false, more: None }
    }

    /// The message, where it is the library's own.
    fn known_message(&self) -> Option<&'static str> {
        self.last.and_then(EventKind::message)
    }

    fn message(&self) -> &str {
        self.known_message().unwrap_or(&self.more().message)
    }

    fn err(&self) -> &Cow<'static, str> {
        if self.has_err { &self.more().err } else { &NO_MORE.err }
    }

    /// Writes an error; says whether it was another one.
    fn set_err(&mut self, err: Cow<'static, str>) -> bool {
        let changed = *self.err() != err;
        self.has_err = true;
        self.more_mut().err = err;
        changed
    }

    fn more(&self) -> &More {
        self.more.as_deref().unwrap_or(&NO_MORE)
    }

    fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_with(|| Box::new(More::blank()))
    }
}

impl More {
    const fn blank() -> Self {
        Self {
            message: Cow::Borrowed(""),
            err: Cow::Borrowed(""),
            container_status: None,
            port_status: PortStatus { ports: Vec::new() },
        }
    }
}

/// Tasks in the same state are equal if their statuses are.
impl<S: State> PartialEq for Task<S> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.record(), other.record());
        self.state == other.state
            && a.timestamp == b.timestamp
            && a.message() == b.message()
            && a.err() == b.err()
            && a.more().container_status == b.more().container_status
            && a.more().port_status == b.more().port_status
    }
}

impl<S: State> Eq for Task<S> {}

impl Task<state::New> {
    /// A new task, of which nothing is known.
    pub const fn new() -> Self {
        Self { record: None, state: state::New }
    }

    /// The allocator gave the task its resources.
    #[inline]
    pub fn allocated(self, at: UtcDateTime) -> Task<state::Pending> {
        self.done(EventKind::Allocated, at)
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
        self.done(EventKind::Assigned, at)
    }
}

impl Task<state::Accepted> {
    /// Preparation begins.
    #[inline]
    pub fn preparing(self, at: UtcDateTime) -> Task<state::Preparing> {
        self.done(EventKind::Preparing, at)
    }
}

impl Task<state::Preparing> {
    /// The controller's `prepare` succeeded.
    #[inline]
    pub fn prepared(self, at: UtcDateTime) -> Task<state::Ready> {
        self.done(EventKind::Prepared, at)
    }
}

impl Task<state::Ready> {
    /// The start begins.
    #[inline]
    pub fn starting(self, at: UtcDateTime) -> Task<state::Starting> {
        self.done(EventKind::Starting, at)
    }
}

impl Task<state::Starting> {
    /// The controller's `start` succeeded.
    #[inline]
    pub fn started(self, at: UtcDateTime) -> Task<state::Running> {
        self.done(EventKind::Started, at)
    }
}

impl Task<state::Running> {
    /// The controller's `wait` succeeded: the workload ended by itself, well.
    #[inline]
    pub fn finished(self, at: UtcDateTime) -> Task<state::Complete> {
        self.done(EventKind::Finished, at)
    }
}

/// Moves that several states share. The edge stands on the method, so that the
/// compiler says which one is missing.
impl<S: State> Task<S> {
    /// The agent has a controller for the task.
    #[inline]
    pub fn accepted(self, at: UtcDateTime) -> Task<state::Accepted>
    where
        S: Edge<state::Accepted>,
    {
        self.done(EventKind::Accepted, at)
    }

    /// The controller's `shutdown` succeeded: the workload, if there was one,
    /// has ended because it was asked to.
    #[inline]
    pub fn shut_down(self, at: UtcDateTime) -> Task<state::Shutdown>
    where
        S: Edge<state::Shutdown>,
    {
        self.done(EventKind::ShutDown, at)
    }

    /// The controller's `terminate` succeeded: the workload was ended by force.
    #[inline]
    pub fn terminated(self, at: UtcDateTime) -> Task<state::Shutdown>
    where
        S: Edge<state::Shutdown>,
    {
        self.done(EventKind::Terminated, at)
    }

    /// The task failed for good before it was started.
    ///
    /// The message stays that of the last step (as in SwarmKit's `Do`): the
    /// failure itself is in `err`.
    pub fn rejected(self, failure: Failure, at: UtcDateTime) -> Task<state::Rejected>
    where
        S: Edge<state::Rejected>,
    {
        self.ended(failure, at)
    }

    /// The task failed for good while it started or ran.
    ///
    /// The message stays that of the last step (as in SwarmKit's `Do`): the
    /// failure itself is in `err`.
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
        self.done(EventKind::Orphaned, at)
    }
}

/// Notes, of which the first two are for a task that has not ended.
impl<S: State> Task<S> {
    /// An operation failed and is worth another try: its text is noted.
    ///
    /// From STARTING on, the container's status is noted as well where the
    /// error knows it. An exit code is not: the task goes on.
    pub fn delayed(&mut self, failure: Failure, at: UtcDateTime)
    where
        S: Live,
    {
        let Failure { err, container_status, .. } = failure;
        self.note(at, |record| record.set_err(err));
        self.note_container(container_status, at);
    }

    /// An operation was interrupted from outside: nothing is noted but the
    /// container's status, from STARTING on, where the error knows it.
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

    /// No controller was to be had for the task, for the reason `err`. Where the
    /// task has not ended, [`rejected`](Self::rejected) or
    /// [`failed`](Self::failed) follows.
    pub fn unresolved(&mut self, err: Cow<'static, str>, at: UtcDateTime) {
        self.note(at, |record| {
            let is_known = Some(record.message()) == EventKind::Unresolved.message();
            record.last = Some(EventKind::Unresolved);
            record.set_err(err) || !is_known
        });
    }

    /// The controller told the status of its container and its ports; `None`
    /// is nothing new. An empty container status means that there is none.
    pub fn inspected(
        &mut self,
        container_status: Option<ContainerStatus>,
        port_status: Option<PortStatus>,
        at: UtcDateTime,
    ) {
        if let Some(status) = container_status {
            let status = Some(status).filter(|status| !status.is_empty());
            self.note(at, |record| replace(&mut record.more_mut().container_status, status));
        }
        if let Some(ports) = port_status {
            self.note(at, |record| replace(&mut record.more_mut().port_status, ports));
        }
    }
}

/// What the status says.
impl<S: State> Task<S> {
    /// When the status last changed.
    pub fn timestamp(&self) -> Option<UtcDateTime> {
        self.record().timestamp
    }

    /// The last step, in a word or two.
    pub fn message(&self) -> &str {
        self.record().message()
    }

    /// What went wrong, with its causes; empty where nothing did.
    pub fn err(&self) -> &str {
        self.record().err()
    }

    /// The container, where there is one.
    pub fn container_status(&self) -> Option<&ContainerStatus> {
        self.record().more().container_status.as_ref()
    }

    /// The ports that the task has on its host.
    pub fn port_status(&self) -> &PortStatus {
        &self.record().more().port_status
    }

    /// The status, as it is reported and stored.
    pub fn status(&self) -> TaskStatus {
        let record = self.record();
        let more = record.more();
        TaskStatus {
            timestamp: record.timestamp,
            state: S::VALUE,
            message: record.known_message().map_or_else(|| more.message.clone(), Cow::Borrowed),
            err: record.err().clone(),
            container_status: more.container_status.clone(),
            port_status: more.port_status.clone(),
        }
    }

    /// The status, if it has changed since it was last taken; see
    /// [`AnyTask::take_changed`](super::AnyTask::take_changed).
    pub fn take_changed(&mut self) -> Option<TaskStatus> {
        let changed = self.record.as_deref_mut().is_some_and(|r| mem::take(&mut r.changed));
        changed.then(|| self.status())
    }

    fn record(&self) -> &Record {
        self.record.as_deref().unwrap_or(&BLANK)
    }
}

/// Takes up a task at a status. Only for [`AnyTask`](super::AnyTask), who finds
/// `S` by the status' state; `S` is the state that counts.
pub(super) fn resumed<S: State>(status: TaskStatus) -> Task<S> {
    let TaskStatus { timestamp, message, err, container_status, port_status, .. } = status;
    let container_status = container_status.filter(|status| !status.is_empty());
    let more = More { message, err, container_status, port_status };
    let more = (more != NO_MORE).then(|| Box::new(more));
    let record = Record { timestamp, has_err: true, more, ..Record::blank() };
    Task { record: Some(Box::new(record)), state: S::unit(Key(())) }
}

/// How a task is moved and written: here and nowhere else.
impl<S: State> Task<S> {
    /// Every move goes through here, and so over an edge of the table.
    #[inline]
    fn enter<To: State>(self) -> Task<To>
    where
        S: Edge<To>,
    {
        Task { record: self.record, state: To::unit(Key(())) }
    }

    /// A move that went well: its message, and no error.
    #[inline]
    fn done<To: State>(mut self, event: EventKind, at: UtcDateTime) -> Task<To>
    where
        S: Edge<To>,
    {
        let record = self.record_mut();
        record.timestamp = Some(at);
        record.changed = true;
        record.last = Some(event);
        record.has_err = false;
        self.enter()
    }

    /// A move that did not go well: the error, and what the workload left.
    fn ended<To: State>(mut self, failure: Failure, at: UtcDateTime) -> Task<To>
    where
        S: Edge<To>,
    {
        self.inspected(failure.container_status, None, at);
        let record = self.record_mut();
        record.timestamp = Some(at);
        record.changed = true;
        record.set_err(failure.err);
        if let Some(exit_code) = failure.exit_code {
            let container_status = record.more_mut().container_status.get_or_insert_default();
            container_status.exit_code = exit_code.get();
        }
        self.enter()
    }

    /// Writes what `write` says has changed, with the time of the change.
    fn note(&mut self, at: UtcDateTime, write: impl FnOnce(&mut Record) -> bool) {
        let record = self.record_mut();
        if write(record) {
            record.timestamp = Some(at);
            record.changed = true;
        }
    }

    /// The task out of a place that is written to next. It has its record
    /// from here on: a move that went well cannot fail before that.
    #[inline]
    pub(super) fn take(&mut self) -> Self {
        self.record_mut();
        Self { record: self.record.take(), ..*self }
    }

    #[inline]
    fn record_mut(&mut self) -> &mut Record {
        self.record.get_or_insert_with(first_record)
    }
}

/// Out of line: a task has it from its first move on, and the others are not to
/// make room for it.
#[cold]
#[inline(never)]
#[expect(clippy::unnecessary_box_returns, reason = "it is never anywhere else")]
fn first_record() -> Box<Record> {
    Box::new(Record::blank())
}

/// Writes a value; says whether it was another one.
fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}
