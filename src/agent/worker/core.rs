//! What a worker does next: all of its decisions, as plain data and plain functions.
//!
//! The worker feeds it what has happened ([`Core::input`]), asks [`Core::next`], and does that.
//! Nothing here waits, and nothing of an embedder's is called but `Clone` and `PartialEq` of its
//! definitions. The worker owns it; it is under no lock. `H` stands for a task's driver.
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

/// What is answered to a message.
pub(super) type Answer = Result<Accepted, AssignError>;

/// A message that was taken.
#[derive(Clone, Default, Debug)]
pub(super) struct Accepted {
    /// What is not possible of it.
    pub(super) refused: Vec<RefusedTask>,
    /// The tasks that it shuts down.
    pub(super) shut_down: Vec<Arc<str>>,
}

/// What the embedder tells a worker.
#[derive(Clone)]
pub(super) enum Message<D> {
    /// The full set of tasks.
    Assign(Vec<AssignedTask<D>>),
    /// Some of them have changed.
    Update(Vec<AssignmentChange<D>>),
    /// Every task that has not ended is to be shut down.
    ShutDown,
}

/// Something that has happened.
pub(super) enum Input<D> {
    /// A message, with a number for its answer.
    Message(u64, Message<D>),
    /// The driver of a task has collected these changes.
    Changed(Arc<str>, Changes<D>),
    /// The driver of a task has ended.
    Ended(Arc<str>, DriverExit),
    /// The executor has listed what exists in the world, or could not.
    Listed(Option<Vec<String>>),
    /// What exists of an id was reconciled, or was not.
    Reconciled(String, bool),
    /// A listener has come.
    Listen(u64),
    /// The agent stops.
    Close,
}

/// What a worker does next.
pub(super) enum Next<D, H> {
    /// These, in their order.
    Act(Vec<Action<D, H>>),
    /// Make these durable.
    Commit(Arc<[StoreChange<D>]>),
    /// Wait for news, or until this moment.
    Wait(Option<Duration>),
    /// Nothing, ever again.
    Nothing,
}

/// Something to be done about what is durable.
pub(super) enum Action<D, H> {
    /// A driver begins, and this is wanted of its task.
    Drive(H, Arc<TaskRecord<D>>),
    /// This is wanted of a task now.
    Tell(H, Arc<TaskRecord<D>>),
    /// A driver stops.
    Close(H),
    /// The executor is to list what exists in the world.
    List,
    /// What exists of this id is to be ended.
    Reconcile(String),
    /// What reconciles this id is to be dropped.
    StopReconciling(String),
    /// A new listener hears these.
    Introduce(u64, Box<[(Arc<str>, Arc<TaskStatus>)]>),
    /// The listeners hear the status of a task.
    Report(Arc<str>, Arc<TaskStatus>),
    /// The listeners hear that a task was removed.
    ReportRemoved(Arc<str>),
    /// The record, the driver, the logs or the removal error of a task are others.
    Show(Arc<str>),
    /// A driver has something else to show of this task.
    Notify(Arc<str>),
    /// A message is answered. Boxed: of the others there may be very many.
    Answer(u64, Box<Answer>),
}

/// What is shown of a task.
pub(super) struct Shown<'a, D, H> {
    pub(super) record: &'a Arc<TaskRecord<D>>,
    pub(super) seat: &'a H,
    pub(super) removal_error: Option<&'a Arc<str>>,
    pub(super) has_logs: bool,
}

/// Makes what stands for a task's driver.
pub(super) type Make<D, H> =
    Arc<dyn Fn(&Arc<str>, &TaskRecord<D>, Option<&TaskStatus>) -> H + Send + Sync>;

/// Everything that a worker knows.
pub(super) struct Core<D, H> {
    entries: ById<Entry<D, H>>,
    messages: VecDeque<(u64, Message<D>)>,
    /// What is being made durable.
    batch: Option<Batch<D>>,
    /// The tasks of which something is not stored yet.
    due: BTreeSet<Arc<str>>,
    /// The ids of which nobody knows what is stored, after a commit that failed.
    unknown: BTreeSet<Arc<str>>,
    retry_at: Option<Duration>,
    failures: u32,
    unstored: Unstored,
    orphans: Orphans,
    /// How many drivers there are.
    driven: usize,
    is_closing: bool,
    actions: Vec<Action<D, H>>,
    /// The policy of tasks that have none of their own.
    policy: Arc<Policy>,
    jitter: Jitter,
    make: Make<D, H>,
}

impl<D: Clone + PartialEq, H: Clone> Core<D, H> {
    /// With everything that is stored. Each task gets its driver first.
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

    /// Sets the policy of tasks that have none of their own. Its back-off is also that of
    /// commits that fail.
    pub(super) fn set_policy(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }

    /// Something has happened.
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

    /// What can be done while a commit is in flight.
    pub(super) fn actions(&mut self) -> Vec<Action<D, H>> {
        mem::take(&mut self.actions)
    }

    /// What to do next.
    pub(super) fn next(&mut self, now: Duration) -> Next<D, H> {
        self.unstored.look(now);
        if !self.actions.is_empty() {
            return Next::Act(self.actions());
        }
        // A run that was dropped has begun it.
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

    /// Whether something is to be stored.
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
        // It may have been written, or not (1).
        self.unknown.extend(batch.written.iter().map(|written| Arc::clone(&written.id)));
        let delay = self.jitter.delay(&self.policy.backoff, self.failures);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now.saturating_add(delay));
        for (number, _) in batch.answers {
            let error = AssignError::Store(error.clone());
            self.actions.push(Action::Answer(number, Box::new(Err(error))));
        }
    }

    /// There is no time: what failed is written again at once.
    pub(super) fn wait_no_longer(&mut self) {
        self.retry_at = None;
    }

    /// A new listener hears everything that is stored (8).
    fn introduce(&mut self, number: u64) {
        let status =
            |(id, entry): (&Arc<str>, &Entry<D, H>)| Some((Arc::clone(id), entry.status.clone()?));
        let statuses = self.entries.iter().filter_map(status).collect();
        self.actions.push(Action::Introduce(number, statuses));
    }

    /// A driver tells what has changed.
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
            // Tried again with the next full set, and after a restart (6).
            DriverExit::RemovalFailed { error } => {
                entry.removal_error = Some(error.into());
                if is_wanted_again {
                    self.drive(id);
                }
            }
            // It has panicked before it could hear of the removal.
            DriverExit::Closed if entry.record.removing => self.drive(id),
            DriverExit::Closed => {}
        }
        self.actions.push(Action::Show(Arc::clone(id)));
    }

    /// The agent stops: every driver is closed, and what is not begun does not begin (12).
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

    /// A task is known from now on. It has no driver yet.
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

    /// A task gets its driver, or waits until what exists of its id is reconciled (9). What is
    /// to be ended anyway does not wait.
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

    /// Since when a status waits to be stored; see [`Unstored`].
    pub(super) fn unstored_since(&self) -> Option<Duration> {
        self.unstored.since()
    }

    /// What stands for the drivers.
    pub(super) fn seats(&self) -> impl Iterator<Item = &H> {
        self.entries.values().map(|entry| &entry.seat)
    }

    /// What is shown of a task.
    pub(super) fn shown(&self, id: &str) -> Option<Shown<'_, D, H>> {
        let Entry { record, seat, removal_error, has_logs, .. } = self.entries.get(id)?;
        let (removal_error, has_logs) = (removal_error.as_ref(), *has_logs);
        Some(Shown { record, seat, removal_error, has_logs })
    }
}
