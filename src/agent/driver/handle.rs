//! How others tell a driver what is wanted, and see how far it is.

use super::history::Past;
use super::life::{Goal, Life};
use super::refusal::UpdateRefused;
use crate::agent::policy::{InvalidPolicy, Policy};
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use futures::Stream;
use futures::task::AtomicWaker;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::UtcDateTime;

/// What a driver and its handles have in common.
pub(super) struct Shared<D> {
    pub(super) id: Box<str>,
    locked: Mutex<Locked<D>>,
    /// Wakes the driver.
    pub(super) driver: AtomicWaker,
}

pub(super) struct Locked<D> {
    pub(super) life: Life<D>,
    /// Counts the statuses that were handed on.
    statuses: u32,
    /// Counts the steps of the driver.
    steps: u32,
    /// Wakes who watches: each by its number, once at most.
    watchers: Vec<(u32, Waker)>,
    /// Counts those who watch.
    watches: u32,
}

impl<D> Shared<D> {
    pub(super) fn new(id: String, life: Life<D>) -> Self {
        let locked = Locked { life, statuses: 0, steps: 0, watchers: Vec::new(), watches: 0 };
        Self { id: id.into(), locked: Mutex::new(locked), driver: AtomicWaker::new() }
    }

    /// Never for long: no controller, sink or waker is called under this lock; the
    /// timer and the clock are only read.
    pub(super) fn lock(&self) -> MutexGuard<'_, Locked<D>> {
        // What is under it is whole at any time, a panic elsewhere or not.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver has done a step: tells who watches, and gives the status if it
    /// has changed.
    pub(super) fn stepped(&self) -> Option<TaskStatus> {
        let mut locked = self.lock();
        let status = locked.life.task.take_changed();
        locked.steps = locked.steps.wrapping_add(1);
        locked.statuses = locked.statuses.wrapping_add(status.is_some().into());
        Self::wake(locked);
        status
    }

    /// No more will come.
    pub(super) fn end(&self) {
        let mut locked = self.lock();
        locked.life.goal = Goal::Gone;
        Self::wake(locked);
    }

    /// Not under the lock: whoever is woken may look at once.
    fn wake(mut locked: MutexGuard<'_, Locked<D>>) {
        let watchers = mem::take(&mut locked.watchers);
        drop(locked);
        for (_, waker) in watchers {
            waker.wake();
        }
    }

    /// A watch of its own.
    fn watch<V>(self: &Arc<Self>, look: Look<D, V>) -> Watch<D, V> {
        let mut locked = self.lock();
        locked.watches = locked.watches.wrapping_add(1);
        let number = locked.watches;
        drop(locked);
        Watch { shared: Arc::clone(self), number, seen: None, look }
    }
}

/// How an embedder talks to a [`Driver`](super::Driver): what is wanted of its
/// task, and how far it is.
///
/// It is cheap to clone, and works from any thread. Everything it tells the
/// driver is in force at once; the driver acts on it the next time it is polled.
pub struct DriverHandle<D>(Arc<Shared<D>>);

impl<D> DriverHandle<D> {
    pub(super) fn new(shared: Arc<Shared<D>>) -> Self {
        Self(shared)
    }

    /// The task's id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Tells what is wanted of the task now: the desired state, and the
    /// definition, whose version says whether it has changed.
    ///
    /// It never waits. Several updates before the driver has seen the first are
    /// one: the latest. One that changes nothing is dropped.
    ///
    /// # Errors
    ///
    /// The update is for another task, would lower the desired state, or comes too
    /// late. It is refused whole, and logged.
    pub fn update(&self, assignment: Assignment<D>) -> Result<(), UpdateRefused> {
        let refused = self.change(|life| {
            let other = *assignment.id != *self.0.id;
            if other && life.goal == Goal::Live {
                let (id, given) = (String::from(&*self.0.id), assignment.id);
                return Err(UpdateRefused::OtherTask { id, given });
            }
            life.update(assignment)
        });
        refused.inspect_err(|reason| tracing::warn!(task.id = self.0.id, %reason, "update refused"))
    }

    /// Tells how patient to be with the task from now on. A deadline that runs is
    /// not moved.
    ///
    /// # Errors
    ///
    /// The policy is absurd; the old one stays in force.
    pub fn set_policy(&self, policy: Policy) -> Result<(), InvalidPolicy> {
        policy.check()?;
        self.0.lock().life.policy = Arc::new(policy);
        Ok(())
    }

    /// The version of the definition that the controller has, unless it is to be
    /// offered another one or has refused it.
    pub(in crate::agent) fn taken_version(&self) -> Option<u64> {
        self.0.lock().life.taken_version()
    }

    /// Says that the task is no longer assigned: what it has is removed, then its
    /// controller closed. What follows is ignored, but for a
    /// [`close`](Self::close).
    pub fn remove(&self) {
        self.change(Life::remove);
    }

    /// Says that the agent goes away: the controller is closed, and the task left
    /// as it is. What follows is ignored.
    pub fn close(&self) {
        self.change(Life::close);
    }

    fn change<R>(&self, change: impl FnOnce(&mut Life<D>) -> R) -> R {
        let mut locked = self.0.lock();
        let result = change(&mut locked.life);
        let news = locked.life.news;
        drop(locked);
        if news {
            self.0.driver.wake();
        }
        result
    }

    /// The status.
    pub fn status(&self) -> TaskStatus {
        self.0.lock().life.task.status()
    }

    /// The statuses from now on: the present one first, then the newest whenever
    /// it has changed. It ends with the driver.
    pub fn watch(&self) -> Watch<D, TaskStatus> {
        self.0.watch(|locked| (locked.statuses, locked.life.task.status()))
    }

    /// The snapshots from now on: the present one first, then the newest whenever
    /// the driver has done something. It ends with the driver.
    pub fn snapshots(&self) -> Watch<D, Snapshot> {
        self.0.watch(|locked| (locked.steps, locked.life.snapshot()))
    }

    /// All that there is to see of the task.
    pub fn snapshot(&self) -> Snapshot {
        self.0.lock().life.snapshot()
    }
}

impl<D> Life<D> {
    fn snapshot(&self) -> Snapshot {
        let (attempt, next_attempt) = self.attempt();
        Snapshot {
            status: self.task.status(),
            desired_state: self.desired,
            version: self.version,
            since: self.since,
            attempt,
            next_attempt,
            shutting_down_since: self.shutting_down,
            terminating_since: self.terminating,
            refused_definition: self.refused.as_deref().cloned(),
            history: self.history.to_vec(),
            has_ended: self.goal == Goal::Gone,
        }
    }
}

impl<D> Clone for DriverHandle<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D> fmt::Debug for DriverHandle<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverHandle").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// All that there is to see of a task and its driver.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The status; its `err` is the last error.
    pub status: TaskStatus,
    /// The state that the task is wanted in.
    pub desired_state: TaskState,
    /// The version of the definition that it is to have.
    pub version: u64,
    /// Since when it has been in its state.
    pub since: UtcDateTime,
    /// Which attempt this is, from 1, of the operation, the update or the removal
    /// that it is at; 0 where it is at none.
    pub attempt: u32,
    /// When the next attempt is made, in the time of the driver's timer, where the
    /// task waits for it.
    pub next_attempt: Option<Duration>,
    /// Since when its workload is asked to end.
    pub shutting_down_since: Option<UtcDateTime>,
    /// Since when its workload is being ended by force.
    pub terminating_since: Option<UtcDateTime>,
    /// The version that the controller refused last, and why.
    pub refused_definition: Option<(u64, String)>,
    /// The last few things that happened to it, the oldest first.
    pub history: Vec<Past>,
    /// Whether the driver is done with it.
    pub has_ended: bool,
}

/// What there is to see of a task, as it changes; see [`DriverHandle::watch`] and
/// [`DriverHandle::snapshots`].
#[must_use = "a stream does nothing until it is polled"]
pub struct Watch<D, V> {
    shared: Arc<Shared<D>>,
    number: u32,
    seen: Option<u32>,
    look: Look<D, V>,
}

/// What is seen, and its number.
type Look<D, V> = fn(&Locked<D>) -> (u32, V);

impl<D, V> Stream for Watch<D, V> {
    type Item = V;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<V>> {
        let shared = Arc::clone(&self.shared);
        let mut locked = shared.lock();
        let (number, view) = (self.look)(&locked);
        if self.seen != Some(number) {
            self.seen = Some(number);
            return Poll::Ready(Some(view));
        }
        if locked.life.goal == Goal::Gone {
            return Poll::Ready(None);
        }
        let waker = context.waker().clone();
        match locked.watchers.iter_mut().find(|(number, _)| *number == self.number) {
            Some((_, before)) => *before = waker,
            None => locked.watchers.push((self.number, waker)),
        }
        Poll::Pending
    }
}

impl<D, V> Drop for Watch<D, V> {
    fn drop(&mut self) {
        self.shared.lock().watchers.retain(|(number, _)| *number != self.number);
    }
}

impl<D, V> fmt::Debug for Watch<D, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("id", &self.shared.id).finish_non_exhaustive()
    }
}
