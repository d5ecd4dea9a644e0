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

/// A task whose state `S` is part of its type, so that an illegal move does not compile.
///
/// - *Moves* consume the task and return it in its next state. Each is named after the
///   event, and compiles only if the table has the edge.
/// - *Notes* borrow the task and change its status, not its state.
///
/// Both take the time of the change, which becomes the timestamp of the status.
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
/// A task in READY has not run, so it cannot become COMPLETE:
///
/// ```compile_fail,E0599
/// # use onward::lifecycle::{Task, state};
/// # use time::UtcDateTime;
/// # fn f(task: Task<state::Ready>, now: UtcDateTime) {
/// task.finished(now);
/// # }
/// ```
///
/// It is one pointer in size. It is not `Clone`, because two copies of a task could be in
/// different states.
#[derive(Debug)]
#[must_use = "a task that is dropped is forgotten"]
pub struct Task<S: State> {
    /// The status without the state. It is allocated with the first change.
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

    /// The allocator assigned the resources: NEW → PENDING.
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
    /// The scheduler assigned a node: PENDING → ASSIGNED.
    #[inline]
    pub fn assigned(self, at: UtcDateTime) -> Task<state::Assigned> {
        self.done("scheduler assigned task to node", at)
    }
}

impl Task<state::Accepted> {
    /// Preparation begins: ACCEPTED → PREPARING.
    #[inline]
    pub fn preparing(self, at: UtcDateTime) -> Task<state::Preparing> {
        self.done("preparing", at)
    }
}

impl Task<state::Preparing> {
    /// The controller's `prepare` succeeded: PREPARING → READY.
    #[inline]
    pub fn prepared(self, at: UtcDateTime) -> Task<state::Ready> {
        self.done("prepared", at)
    }
}

impl Task<state::Ready> {
    /// The start begins: READY → STARTING.
    #[inline]
    pub fn starting(self, at: UtcDateTime) -> Task<state::Starting> {
        self.done("starting", at)
    }
}

impl Task<state::Starting> {
    /// The controller's `start` succeeded: STARTING → RUNNING.
    #[inline]
    pub fn started(self, at: UtcDateTime) -> Task<state::Running> {
        self.done("started", at)
    }
}

impl Task<state::Running> {
    /// The controller's `wait` succeeded, so the workload exited with success: RUNNING →
    /// COMPLETE.
    #[inline]
    pub fn finished(self, at: UtcDateTime) -> Task<state::Complete> {
        self.done("finished", at)
    }
}

/// Moves of several states. The bound is on the method, so that the compiler's error
/// names the missing edge.
impl<S: State> Task<S> {
    /// The agent has a controller for the task: → ACCEPTED.
    #[inline]
    pub fn accepted(self, at: UtcDateTime) -> Task<state::Accepted>
    where
        S: Edge<state::Accepted>,
    {
        self.done("accepted", at)
    }

    /// The controller's `shutdown` succeeded, so the workload was stopped on request: →
    /// SHUTDOWN.
    #[inline]
    pub fn shut_down(self, at: UtcDateTime) -> Task<state::Shutdown>
    where
        S: Edge<state::Shutdown>,
    {
        self.done("shutdown", at)
    }

    /// The controller's `terminate` succeeded, so the workload was stopped by force: →
    /// SHUTDOWN.
    #[inline]
    pub fn terminated(self, at: UtcDateTime) -> Task<state::Shutdown>
    where
        S: Edge<state::Shutdown>,
    {
        self.done("terminated", at)
    }

    /// The task failed for good before STARTING: → REJECTED.
    ///
    /// The failure becomes the `err` of the status. The message of the last step stays,
    /// as in SwarmKit's `Do`.
    pub fn rejected(self, failure: Failure, at: UtcDateTime) -> Task<state::Rejected>
    where
        S: Edge<state::Rejected>,
    {
        self.ended(failure, at)
    }

    /// The task failed for good in STARTING or RUNNING: → FAILED.
    ///
    /// The failure becomes the `err` of the status. The message of the last step stays,
    /// as in SwarmKit's `Do`.
    pub fn failed(self, failure: Failure, at: UtcDateTime) -> Task<state::Failed>
    where
        S: Edge<state::Failed>,
    {
        self.ended(failure, at)
    }

    /// A manager found that the task's node is lost or removed: → ORPHANED.
    #[inline]
    pub fn orphaned(self, at: UtcDateTime) -> Task<state::Orphaned>
    where
        S: Edge<state::Orphaned>,
    {
        self.done("orphaned", at)
    }
}

/// Notes. `delayed` and `interrupted` are only for a task that has not ended.
impl<S: State> Task<S> {
    /// Notes that an operation failed and can be retried. The error becomes the `err` of
    /// the status.
    ///
    /// From STARTING on, the container's status is noted too, if the failure has it. The
    /// exit code is not noted, because the task has not ended.
    pub fn delayed(&mut self, failure: Failure, at: UtcDateTime)
    where
        S: Live,
    {
        let Failure { err, container_status, .. } = failure;
        self.note(at, |record| replace(&mut record.err, text(err)));
        self.note_container(container_status, at);
    }

    /// Notes that an operation was interrupted from outside. From STARTING on, the
    /// container's status is noted, if the failure has it. Nothing else changes.
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

    /// Notes that the executor has no controller for the task, with the error `err`. If
    /// the task has not ended, call [`rejected`](Self::rejected) or
    /// [`failed`](Self::failed) next.
    pub fn unresolved(&mut self, err: Cow<'static, str>, at: UtcDateTime) {
        self.note(at, |record| replace(&mut record.message, "resolving controller failed".into()));
        self.note(at, |record| replace(&mut record.err, text(err)));
    }

    /// Notes the container and port status that the controller's `inspect` returned.
    /// `None` keeps the value of the task. An empty container status removes it.
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

/// Access to the status.
impl<S: State> Task<S> {
    /// The time of the last change of the status.
    pub fn timestamp(&self) -> Option<UtcDateTime> {
        self.record().timestamp
    }

    /// A short description of the last step, for example `started`.
    pub fn message(&self) -> &str {
        &self.record().message
    }

    /// The last error with its causes. The next successful move clears it.
    pub fn err(&self) -> Option<&str> {
        self.record().err.as_deref()
    }

    /// The status of the container, if there is one.
    pub fn container_status(&self) -> Option<&ContainerStatus> {
        self.record().container_status.as_ref()
    }

    /// The ports that the task publishes.
    pub fn port_status(&self) -> &PortStatus {
        &self.record().port_status
    }

    /// A copy of the whole status, to report or store.
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

    /// Takes the status if it has changed since the last call. See
    /// [`AnyTask::take_changed`](super::AnyTask::take_changed).
    pub fn take_changed(&mut self) -> Option<TaskStatus> {
        let changed = self.record.as_deref_mut().is_some_and(|r| mem::take(&mut r.changed));
        changed.then(|| self.status())
    }

    fn record(&self) -> &Record {
        self.record.as_deref().unwrap_or(&BLANK)
    }
}

/// Makes a task from a status. Only [`AnyTask`](super::AnyTask) calls this. It chooses
/// `S` to match the state of the status.
pub(super) fn resumed<S: State>(status: TaskStatus) -> Task<S> {
    let TaskStatus { timestamp, message, err, container_status, port_status, .. } = status;
    let err = err.and_then(text);
    let container_status = container_status.filter(|status| !status.is_empty());
    let record = Record { timestamp, changed: false, message, err, container_status, port_status };
    Task { record: Some(Box::new(record)), state: S::unit(Key(())) }
}

/// The only code that moves a task and writes its record.
impl<S: State> Task<S> {
    /// Moves the task along an edge of the table. Every move calls this.
    fn enter<To: State>(self) -> Task<To>
    where
        S: Edge<To>,
    {
        Task { record: self.record, state: To::unit(Key(())) }
    }

    /// A successful move: sets the message and clears the error.
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

    /// A move after a failure: sets the error, and the exit code if there is one.
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

    /// Calls `write`, and records the time if it returns that something changed.
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

    /// Takes the task and leaves a blank one in its place, until the caller writes the
    /// moved task there. The record is allocated first, so that no step in between can
    /// fail.
    pub(super) fn take(&mut self) -> Self {
        self.record_mut();
        Self { record: self.record.take(), state: self.state }
    }
}

/// Not inlined, because a task calls it only once.
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

/// Writes a value. Returns whether it differs from the previous one.
fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}
