//! All decisions of a worker, as plain data and plain functions.
//!
//! The worker passes each event to [`Core::input`], calls [`Core::next`], and does what that
//! returns. Nothing here waits. Of the embedder's code, only `Clone` and `PartialEq` of definitions
//! are called. The worker owns the core, so it is under no lock. `H` is the handle of a driver.
//!
//! The numbers in comments are those of the rules in `docs/worker.md`.

mod batch;
mod draft;
mod entry;
#[cfg(test)]
#[allow(
    clippy::pedantic,
    clippy::wildcard_enum_match_arm,
    clippy::type_complexity,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod explore;
mod orphans;
#[cfg(test)]
#[allow(
    clippy::pedantic,
    clippy::wildcard_enum_match_arm,
    clippy::type_complexity,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests;
mod unstored;

use super::error::{AssignError, RefusedTask};
use super::task::{AssignedTask, AssignmentChange};
use crate::agent::driver::{Changes, DriverExit};
use crate::agent::ids::ById;
use crate::agent::policy::{Jitter, Policy};
use crate::agent::store::{StoreChange, StoreError, StoredTask, TaskRecord};
use crate::lifecycle::TaskStatus;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use batch::Batch;
use core::mem;
use core::time::Duration;
use entry::{Entry, Stage};
use orphans::Orphans;
use unstored::Unstored;

/// The answer to a message.
pub(super) type Answer = Result<Accepted, AssignError>;

/// The answer to a message that was accepted.
#[derive(Clone, Default, Debug)]
pub(super) struct Accepted {
    /// The tasks that could not be changed.
    pub(super) refused: Vec<RefusedTask>,
    /// The tasks that it shuts down.
    pub(super) shut_down: Vec<Arc<str>>,
}

/// A message from a handle.
#[derive(Clone)]
pub(super) enum Message<D> {
    /// The full set of tasks.
    Assign(Vec<AssignedTask<D>>),
    /// Changes of some tasks.
    Update(Vec<AssignmentChange<D>>),
    /// Shut down every task that has not ended.
    ShutDown,
}

/// An event.
pub(super) enum Input<D> {
    /// A message, with a number for its answer.
    Message(u64, Message<D>),
    /// The driver of a task has collected these changes.
    Changed(Arc<str>, Changes<D>),
    /// The driver of a task has ended.
    Ended(Arc<str>, DriverExit),
    /// `list` has returned the ids of all workloads, or failed.
    Listed(Option<Vec<String>>),
    /// `reconcile` of an id has succeeded or failed.
    Reconciled(String, bool),
    /// There is a new listener.
    Listen(u64),
    /// The worker is being closed.
    Close,
}

/// What a worker does next.
pub(super) enum Next<D, H> {
    /// Do these actions, in their order.
    Act(Vec<Action<D, H>>),
    /// Commit these changes to the store.
    Commit(Arc<[StoreChange<D>]>),
    /// Wait for an event, or until this time.
    Wait(Option<Duration>),
    /// End.
    Nothing,
}

/// An action that follows from a commit or an event.
pub(super) enum Action<D, H> {
    /// Start a driver with this record.
    Drive(H, Arc<TaskRecord<D>>),
    /// Pass a new record to a driver.
    Tell(H, Arc<TaskRecord<D>>),
    /// Close a driver.
    Close(H),
    /// Call `Executor::list`.
    List,
    /// Call `Executor::reconcile` for this id.
    Reconcile(String),
    /// Drop the `reconcile` of this id.
    StopReconciling(String),
    /// Pass all stored statuses to a new listener.
    Introduce(u64, Box<[(Arc<str>, Arc<TaskStatus>)]>),
    /// Pass a stored status to the listeners.
    Report(Arc<str>, Arc<TaskStatus>),
    /// Pass the removal of a task to the listeners.
    ReportRemoved(Arc<str>),
    /// Publish the new record, driver, logs or removal error of a task.
    Show(Arc<str>),
    /// Wake the watchers: the snapshot of this task has changed.
    Notify(Arc<str>),
    /// Answer a message. Boxed, because there may be very many of the other actions.
    Answer(u64, Box<Answer>),
}

/// The published data of a task.
pub(super) struct Shown<'a, D, H> {
    pub(super) record: &'a Arc<TaskRecord<D>>,
    pub(super) seat: &'a H,
    pub(super) removal_error: Option<&'a Arc<str>>,
    pub(super) has_logs: bool,
}

/// Makes the handle of a task's driver.
pub(super) type Make<D, H> =
    Arc<dyn Fn(&Arc<str>, &TaskRecord<D>, Option<&TaskStatus>) -> H + Send + Sync>;

/// The state of a worker.
pub(super) struct Core<D, H> {
    entries: ById<Entry<D, H>>,
    messages: VecDeque<(u64, Message<D>)>,
    /// The commit in flight.
    batch: Option<Batch<D>>,
    /// The tasks with changes that are not stored.
    due: BTreeSet<Arc<str>>,
    /// The ids of a failed commit. It is unknown what is stored for them.
    unknown: BTreeSet<Arc<str>>,
    retry_at: Option<Duration>,
    failures: u32,
    unstored: Unstored,
    orphans: Orphans,
    /// The number of drivers.
    driven: usize,
    is_closing: bool,
    actions: Vec<Action<D, H>>,
    /// The policy of tasks without their own policy.
    policy: Arc<Policy>,
    jitter: Jitter,
    make: Make<D, H>,
}

impl<D: Clone + PartialEq, H: Clone> Core<D, H> {
    /// The state for these stored tasks. Each of them gets a driver.
    pub(super) fn new(stored: Vec<StoredTask<D>>, make: Make<D, H>) -> Self {
        let mut core = Self {
            entries: ById::default(),
            messages: VecDeque::new(),
            batch: None,
            due: BTreeSet::new(),
            unknown: BTreeSet::new(),
            retry_at: None,
            failures: 0,
            unstored: Unstored::default(),
            orphans: Orphans::default(),
            driven: 0,
            is_closing: false,
            actions: Vec::new(),
            policy: Arc::default(),
            jitter: Jitter::default(),
            make,
        };
        for StoredTask { record, status } in stored {
            let id = Arc::clone(&record.assignment.id);
            core.insert(&id, record, status);
            core.drive(&id);
        }
        core
    }

    /// Sets the policy of tasks without their own policy. Its back-off is also used for failed
    /// commits.
    pub(super) fn set_policy(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }

    /// Handles an event.
    pub(super) fn input(&mut self, input: Input<D>) {
        match input {
            Input::Message(number, _) if self.is_closing => {
                self.actions.push(Action::Answer(number, Box::new(Err(AssignError::Closed))));
            }
            Input::Message(number, message) => self.messages.push_back((number, message)),
            Input::Changed(id, changed) => self.changed(&id, changed),
            Input::Ended(id, exit) => self.ended(&id, exit),
            Input::Listed(listed) => self.listed(listed),
            Input::Reconciled(id, is_done) => self.reconciled(&id, is_done),
            Input::Listen(number) => self.introduce(number),
            Input::Close => self.close(),
        }
    }

    /// The actions so far. They can be done while a commit is in flight.
    pub(super) fn actions(&mut self) -> Vec<Action<D, H>> {
        mem::take(&mut self.actions)
    }

    /// Decides what to do next.
    pub(super) fn next(&mut self, now: Duration) -> Next<D, H> {
        self.unstored.look(now);
        if !self.actions.is_empty() {
            return Next::Act(self.actions());
        }
        // An earlier `run`, which was dropped, has begun this commit.
        if let Some(batch) = &self.batch {
            return Next::Commit(Arc::clone(&batch.changes));
        }
        let is_due = self.is_waiting() && self.retry_at.is_none_or(|at| at <= now);
        if !self.messages.is_empty() || is_due {
            let batch = self.plan();
            self.unstored.planned(now);
            if batch.changes.is_empty() {
                self.follow(batch);
                return Next::Act(self.actions());
            }
            let changes = Arc::clone(&batch.changes);
            self.batch = Some(batch);
            return Next::Commit(changes);
        }
        if self.is_closing && self.driven == 0 && !self.is_waiting() {
            return Next::Nothing;
        }
        Next::Wait(self.retry_at.filter(|_| self.is_waiting()))
    }

    /// Whether there is anything to store.
    fn is_waiting(&self) -> bool {
        !self.due.is_empty() || !self.unknown.is_empty()
    }

    /// A commit has returned.
    pub(super) fn committed(&mut self, result: Result<(), StoreError>, now: Duration) {
        let Some(batch) = self.batch.take() else { return };
        let Err(error) = result else {
            (self.failures, self.retry_at) = (0, None);
            self.unstored.stored();
            return self.follow(batch);
        };
        // The commit may have been written or not (1).
        self.unknown.extend(batch.written.iter().map(|written| Arc::clone(&written.id)));
        let delay = self.jitter.delay(&self.policy.backoff, self.failures);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now.saturating_add(delay));
        for (number, _) in batch.answers {
            let error = AssignError::Store(error.clone());
            self.actions.push(Action::Answer(number, Box::new(Err(error))));
        }
    }

    /// The sleeps of the runtime panic: retry a failed commit without a delay.
    pub(super) fn wait_no_longer(&mut self) {
        self.retry_at = None;
    }

    /// Passes all stored statuses to a new listener (8).
    fn introduce(&mut self, number: u64) {
        let status =
            |(id, entry): (&Arc<str>, &Entry<D, H>)| Some((Arc::clone(id), entry.status.clone()?));
        let statuses = self.entries.iter().filter_map(status).collect();
        self.actions.push(Action::Introduce(number, statuses));
    }

    /// The driver of a task has changes.
    fn changed(&mut self, id: &Arc<str>, changed: Changes<D>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if let Some(status) = changed.status {
            entry.newest = Some(Arc::new(status));
            self.unstored.changed();
        }
        entry.applied = changed.applied;
        entry.is_taken = changed.is_taken;
        entry.is_refused = changed.is_refused;
        entry.is_removal_failed = changed.is_removal_failed;
        if entry.is_due() {
            self.due.insert(Arc::clone(id));
        }
        let is_shown = mem::replace(&mut entry.has_logs, changed.has_logs) == changed.has_logs;
        let (show, id) = (!is_shown, Arc::clone(id));
        self.actions.push(if show { Action::Show(id) } else { Action::Notify(id) });
    }

    /// A driver has ended.
    fn ended(&mut self, id: &Arc<str>, exit: DriverExit) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.stage != Stage::Driven {
            return;
        }
        self.driven = self.driven.saturating_sub(1);
        entry.stage = Stage::Idle;
        let is_wanted_again = mem::take(&mut entry.is_wanted_again);
        match exit {
            DriverExit::Removed => {
                entry.stage = Stage::Removed;
                self.due.insert(Arc::clone(id));
            }
            // Retried with the next full set, and after a restart (6).
            DriverExit::RemovalFailed { error } => {
                entry.removal_error = Some(error.into());
                if is_wanted_again {
                    self.drive(id);
                }
            }
            // The driver has panicked before it got the removal.
            DriverExit::Closed if entry.record.removing => self.drive(id),
            DriverExit::Closed => {}
        }
        self.actions.push(Action::Show(Arc::clone(id)));
    }

    /// Closes every driver, and starts no more (12).
    fn close(&mut self) {
        if mem::replace(&mut self.is_closing, true) {
            return;
        }
        for (number, _) in mem::take(&mut self.messages) {
            self.actions.push(Action::Answer(number, Box::new(Err(AssignError::Closed))));
        }
        for entry in self.entries.values_mut() {
            match entry.stage {
                Stage::Driven => self.actions.push(Action::Close(entry.seat.clone())),
                Stage::Blocked => entry.stage = Stage::Idle,
                Stage::Idle | Stage::Removed => {}
            }
        }
        for id in self.orphans.stop() {
            self.actions.push(Action::StopReconciling(id));
        }
    }

    /// Adds a task, without a driver.
    fn insert(
        &mut self,
        id: &Arc<str>,
        record: Arc<TaskRecord<D>>,
        status: Option<Arc<TaskStatus>>,
    ) {
        let seat = (self.make)(id, &record, status.as_deref());
        let entry = Entry::new(record, status, seat);
        self.entries.insert(Arc::clone(id), entry);
        self.actions.push(Action::Show(Arc::clone(id)));
    }

    /// Starts the driver of a task. If `reconcile` of its id is in flight, the task waits for that
    /// (9), unless it is being shut down or removed.
    fn drive(&mut self, id: &Arc<str>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if self.is_closing || !matches!(entry.stage, Stage::Idle | Stage::Blocked) {
            return;
        }
        if self.orphans.is_reconciling(id) {
            if !entry.is_to_end() {
                entry.stage = Stage::Blocked;
                return;
            }
            self.orphans.forget(id);
            self.actions.push(Action::StopReconciling((**id).into()));
        }
        entry.stage = Stage::Driven;
        entry.is_removal_failed = false;
        self.driven += 1;
        self.actions.push(Action::Drive(entry.seat.clone(), Arc::clone(&entry.record)));
        if entry.removal_error.take().is_some() {
            self.actions.push(Action::Show(Arc::clone(id)));
        }
    }

    /// Since when the oldest status waits to be stored; see [`Unstored`].
    pub(super) fn unstored_since(&self) -> Option<Duration> {
        self.unstored.since()
    }

    /// The handles of all drivers.
    pub(super) fn seats(&self) -> impl Iterator<Item = &H> {
        self.entries.values().map(|entry| &entry.seat)
    }

    /// The data of a task to publish.
    pub(super) fn shown(&self, id: &str) -> Option<Shown<'_, D, H>> {
        let Entry { record, seat, removal_error, has_logs, .. } = self.entries.get(id)?;
        let (removal_error, has_logs) = (removal_error.as_ref(), *has_logs);
        Some(Shown { record, seat, removal_error, has_logs })
    }
}
