//! Where the worker and a task's future meet.

use crate::agent::driver::{DriverHandle, Snapshot};
use crate::agent::policy::Policy;
use crate::agent::store::TaskRecord;
use crate::exec::{Assignment, SharedLogs};
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use futures::task::AtomicWaker;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::UtcDateTime;

/// What the worker wants of a task, and what its future shows.
///
/// The future alone talks to the driver, so that what is wanted reaches it in its
/// order.
pub(super) struct Seat<D> {
    pub(super) id: Arc<str>,
    state: Mutex<State<D>>,
    /// Wakes the future.
    pub(super) future: AtomicWaker,
}

struct State<D> {
    wanted: Wanted<D>,
    news: bool,
    /// The status before there is a driver.
    status: TaskStatus,
    driver: Option<DriverHandle<D>>,
    logs: Option<SharedLogs>,
}

/// What is wanted of a task.
#[derive(Clone)]
pub(super) struct Wanted<D> {
    pub(super) assignment: Assignment<D>,
    /// What the controller has, where that is not it.
    pub(super) previous: Option<Box<Assignment<D>>>,
    pub(super) policy: Option<Policy>,
    pub(super) goal: Goal,
}

/// How far a task's future is to go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Goal {
    Live,
    Remove,
    Close,
}

impl<D: Clone> Seat<D> {
    pub(super) fn new(id: Arc<str>, record: &TaskRecord<D>, status: Option<TaskStatus>) -> Self {
        let status = status.unwrap_or(TaskStatus::new(TaskState::Assigned));
        let (wanted, driver, logs) = (Wanted::of(record), None, None);
        let state = State { wanted, news: false, status, driver, logs };
        Self { id, state: Mutex::new(state), future: AtomicWaker::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<D>> {
        // What is under it is whole at any time, a panic elsewhere or not.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This is wanted now. The future is told by waking it.
    pub(super) fn want(&self, record: &TaskRecord<D>) {
        let mut state = self.lock();
        let goal = state.wanted.goal;
        state.wanted = Wanted::of(record);
        state.wanted.goal = state.wanted.goal.max(goal);
        state.news = true;
    }

    /// The agent goes away.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.wanted.goal = Goal::Close;
        state.news = true;
    }

    /// Something may have changed that this task waits for.
    pub(super) fn nudge(&self) {
        self.lock().news = true;
    }

    /// Wakes the future, which looks what is wanted.
    pub(super) fn tell(&self) {
        self.future.wake();
    }

    /// What is wanted, which is no news from now on.
    pub(super) fn take(&self) -> Wanted<D> {
        let mut state = self.lock();
        state.news = false;
        state.wanted.clone()
    }

    /// What is wanted, if that is news.
    pub(super) fn news(&self) -> Option<Wanted<D>> {
        self.has_news().then(|| self.take())
    }

    pub(super) fn has_news(&self) -> bool {
        self.lock().news
    }

    pub(super) fn goal(&self) -> Goal {
        self.lock().wanted.goal
    }

    /// The status of a task without a driver.
    pub(super) fn note(&self, status: TaskStatus) {
        self.lock().status = status;
    }

    /// The task has a driver, which knows nothing of what was wanted meanwhile.
    pub(super) fn install(&self, driver: DriverHandle<D>, logs: Option<SharedLogs>) {
        let mut state = self.lock();
        state.driver = Some(driver);
        state.logs = logs;
        state.news = true;
    }

    pub(super) fn driver(&self) -> Option<DriverHandle<D>> {
        self.lock().driver.clone()
    }

    pub(super) fn logs(&self) -> Option<SharedLogs> {
        self.lock().logs.clone()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        if let Some(driver) = &state.driver {
            return driver.snapshot();
        }
        Snapshot {
            since: state.status.timestamp.unwrap_or(UtcDateTime::UNIX_EPOCH),
            status: state.status.clone(),
            desired_state: state.wanted.assignment.desired_state,
            version: state.wanted.assignment.version,
            attempt: 0,
            next_attempt: None,
            shutting_down_since: None,
            terminating_since: None,
            refused_definition: None,
            history: Vec::new(),
            has_ended: false,
        }
    }
}

impl<D: Clone> Wanted<D> {
    fn of(record: &TaskRecord<D>) -> Self {
        let goal = if record.removing { Goal::Remove } else { Goal::Live };
        let TaskRecord { assignment, previous, policy, .. } = record.clone();
        Self { assignment, previous, policy, goal }
    }
}
