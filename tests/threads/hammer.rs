//! Random calls of a worker's handle by one thread.

use super::chance::Chance;
use super::ear::{Ear, Hearing};
use super::flaky::Flaky;
use futures::StreamExt;
use futures::executor::block_on;
use futures::future::{Either, select};
use onward::agent::worker::{AssignmentChange, Listener, LogSelector, TaskView};
use onward::agent::{AssignError, AssignedTask, Policy, WorkerHandle};
use onward::exec::{Assignment, LogMessage, LogSubscriptionOptions};
use onward::lifecycle::TaskState;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The number of calls of each thread.
const ACTIONS: u64 = 80;

pub(crate) struct Hammer {
    pub(crate) handle: WorkerHandle<u64>,
    pub(crate) chance: Chance,
    pub(crate) hearing: Arc<Hearing>,
    pub(crate) runtime: Arc<Flaky>,
    /// Whether futures are aborted.
    pub(crate) aborts: bool,
    /// Whether one of the threads closes the worker.
    pub(crate) closes: bool,
    pub(crate) asked: Arc<AtomicU64>,
    pub(crate) answered: Arc<AtomicU64>,
}

impl Hammer {
    pub(crate) fn run(self) {
        let mut listeners = Vec::new();
        for action in 0..ACTIONS {
            if self.closes && action == ACTIONS * 3 / 4 {
                self.handle.close();
            }
            self.act(&mut listeners);
        }
        while let Some((listener, is_dropped)) = listeners.pop() {
            drop::<Listener>(listener);
            is_dropped.store(true, Ordering::Release);
        }
    }

    fn act(&self, listeners: &mut Vec<(Listener, Arc<AtomicBool>)>) {
        let handle = &self.handle;
        match self.chance.below(20) {
            0..3 => {
                let tasks: Vec<_> =
                    (0..8).filter(|_| self.chance.one_in(2)).map(|id| self.task(id)).collect();
                self.ask(handle.assign(tasks));
            }
            3..8 => self.ask(handle.update([self.change()])),
            8 => {
                // The same id twice is refused, and an empty change is not.
                let task = AssignmentChange::Update(self.task(0));
                self.ask(handle.update([task.clone(), task]));
            }
            9 => self.during(handle.shut_down()),
            10 => self.during(handle.until(|tasks| tasks.iter().all(TaskView::has_ended))),
            11 => self.during(handle.changes().take(3).collect::<Vec<_>>()),
            12 => {
                let snapshots = handle.snapshots(&format!("t{}", self.chance.below(8)));
                if let Some(snapshots) = snapshots {
                    self.during(snapshots.take(3).collect::<Vec<_>>());
                }
            }
            13 => {
                let mut options = LogSubscriptionOptions::default();
                options.follow = self.chance.one_in(2);
                let selector = LogSelector::task("t1").or_task("t2").or_task("t3");
                let open = |_: &str| async |_: LogMessage| Ok(());
                self.during(handle.logs(&selector, &options, open));
            }
            14..16 => {
                let (ear, is_dropped) = Ear::new(&self.hearing);
                listeners.push((handle.listen(ear), is_dropped));
            }
            16 | 17 => {
                if let Some((listener, is_dropped)) = listeners.pop() {
                    drop(listener);
                    is_dropped.store(true, Ordering::Release);
                }
            }
            18 => {
                for task in handle.tasks() {
                    assert_eq!(task.id(), &*task.record.assignment.id);
                }
            }
            _ if self.aborts => self.runtime.abort_some(),
            _ => {}
        }
    }

    fn task(&self, id: u64) -> AssignedTask<u64> {
        let assignment = Assignment::new(format!("t{id}"), self.chance.below(3));
        let task = AssignedTask::new(assignment);
        match self.chance.below(8) {
            0 => task.with_desired_state(TaskState::Shutdown),
            1 => task.with_policy(Policy::default().with_shutdown_before_removal(true)),
            _ => task,
        }
    }

    fn change(&self) -> AssignmentChange<u64> {
        let id = self.chance.below(8);
        match self.chance.below(6) {
            0 => AssignmentChange::Remove(format!("t{id}")),
            1 => {
                let desired_state = TaskState::Shutdown;
                AssignmentChange::DesiredState { id: format!("t{id}"), desired_state }
            }
            _ => AssignmentChange::Update(self.task(id)),
        }
    }

    /// Sends a message, which must be answered. Drops one in four of the futures.
    fn ask<T>(&self, message: impl Future<Output = Result<T, AssignError>>) {
        if self.chance.one_in(4) {
            return self.during(message);
        }
        self.asked.fetch_add(1, Ordering::AcqRel);
        _ = block_on(message);
        self.answered.fetch_add(1, Ordering::AcqRel);
    }

    /// A future that is dropped when a later message is answered.
    fn during<T>(&self, future: impl Future<Output = T>) {
        self.asked.fetch_add(1, Ordering::AcqRel);
        block_on(async {
            let mut empty = pin!(self.handle.update([]));
            if let Either::Left(_) = select(pin!(future), &mut empty).await {
                _ = empty.await;
            }
        });
        self.answered.fetch_add(1, Ordering::AcqRel);
    }
}
