//! What is to be delivered, and what has been.

use super::StatusUpdate;
use crate::agent::policy::{Jitter, Policy};
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::mem;
use core::ops::Range;
use core::time::Duration;
use futures::task::AtomicWaker;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a reporter and its handles have in common.
#[derive(Default, Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the reporter.
    pub(super) reporter: AtomicWaker,
}

#[derive(Default, Debug)]
struct Queue {
    tasks: BTreeMap<Arc<str>, Task>,
    /// The tasks whose status is to be delivered, by when.
    due: BTreeSet<(Duration, Arc<str>)>,
    /// Nothing is delivered before this.
    not_before: Duration,
    failures: u32,
    jitter: Jitter,
}

/// What is known of a task's statuses.
#[derive(Default, Debug)]
struct Task {
    /// The newest, until it has arrived.
    pending: Option<TaskStatus>,
    due: Duration,
    /// Counts the statuses that have come.
    version: u32,
    /// The highest state that may have arrived.
    sent: Option<TaskState>,
    failures: u32,
    /// Nothing more comes of it: the next status is another task's.
    is_gone: bool,
}

/// What goes into one call, or several.
pub(super) struct Batch {
    pub(super) updates: Vec<StatusUpdate>,
    versions: Vec<u32>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // What is under it is whole at any time, a panic elsewhere or not.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a status, unless the task is further already.
    pub(super) fn put(&self, id: &str, status: TaskStatus) {
        let mut queue = self.lock();
        let Queue { tasks, due, .. } = &mut *queue;
        let id = tasks.get_key_value(id).map_or_else(|| id.into(), |(id, _)| Arc::clone(id));
        let task = tasks.entry(Arc::clone(&id)).or_default();
        if mem::take(&mut task.is_gone) {
            // Another task's: it follows on nothing.
            task.sent = None;
        } else {
            let pending = task.pending.as_ref();
            let highest = pending.map(|status| status.state).max(task.sent);
            if highest > Some(status.state) || pending == Some(&status) {
                return;
            }
        }
        task.version = task.version.wrapping_add(1);
        if task.pending.replace(status).is_none() {
            due.insert((task.due, id));
        }
        drop(queue);
        self.reporter.wake();
    }

    /// Forgets a task, as soon as its newest status has arrived.
    pub(super) fn gone(&self, id: &str) {
        let mut queue = self.lock();
        let Some(task) = queue.tasks.get_mut(id) else { return };
        task.is_gone = true;
        if task.pending.is_none() {
            queue.tasks.remove(id);
        }
    }

    /// Whether there is nothing to be delivered.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().due.is_empty()
    }

    /// How many statuses are to be delivered.
    pub(super) fn len(&self) -> usize {
        self.lock().due.len()
    }

    /// Everything that is to be delivered.
    pub(super) fn pending(&self) -> Vec<StatusUpdate> {
        let queue = self.lock();
        let update = |(_, id): &(Duration, Arc<str>)| {
            let status = queue.tasks.get(id)?.pending.clone()?;
            Some(StatusUpdate { id: Arc::clone(id), status })
        };
        queue.due.iter().filter_map(update).collect()
    }

    /// When something is to be delivered, if anything is.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let queue = self.lock();
        queue.due.first().map(|(due, _)| queue.not_before.max(*due))
    }

    /// What is to be delivered now, at most so many. It stays in the queue until
    /// it has arrived, and counts as sent from now on: nobody knows what arrives
    /// of a call that is dropped.
    pub(super) fn due(&self, now: Duration, most: usize) -> Batch {
        let mut queue = self.lock();
        let mut batch = Batch { updates: Vec::new(), versions: Vec::new() };
        if queue.not_before > now {
            return batch;
        }
        let Queue { tasks, due, .. } = &mut *queue;
        for (_, id) in due.iter().take_while(|(due, _)| *due <= now).take(most) {
            let Some(task) = tasks.get_mut(id) else { continue };
            let Some(status) = task.pending.clone() else { continue };
            task.sent = task.sent.max(Some(status.state));
            batch.versions.push(task.version);
            batch.updates.push(StatusUpdate { id: Arc::clone(id), status });
        }
        batch
    }

    /// A part of a batch has arrived.
    pub(super) fn delivered(&self, batch: &Batch, part: Range<usize>) {
        let mut queue = self.lock();
        queue.failures = 0;
        for index in part {
            queue.with(batch, index, |task, is_newest, due, id| {
                if !is_newest {
                    return;
                }
                due.remove(&(task.due, Arc::clone(id)));
                task.pending = None;
                task.failures = 0;
                task.due = Duration::ZERO;
            });
            queue.drop_gone(batch, index);
        }
    }

    /// One of a batch was not taken: it is to be tried again later, but for the last
    /// word of a task that is gone.
    pub(super) fn refused(
        &self,
        batch: &Batch,
        index: usize,
        error: &dyn Error,
        now: Duration,
        policy: &Policy,
    ) {
        let mut queue = self.lock();
        let mut jitter = queue.jitter.clone();
        queue.with(batch, index, |task, _, due, id| {
            tracing::warn!(task.id = &**id, %error, "status refused");
            due.remove(&(task.due, Arc::clone(id)));
            if task.is_gone {
                task.pending = None;
                return;
            }
            task.due = now.saturating_add(jitter.delay(policy, task.failures));
            task.failures = task.failures.saturating_add(1);
            due.insert((task.due, Arc::clone(id)));
        });
        queue.jitter = jitter;
        queue.drop_gone(batch, index);
    }

    /// Nothing arrives now.
    pub(super) fn unreachable(&self, now: Duration, policy: &Policy) {
        let mut queue = self.lock();
        let failures = queue.failures;
        let delay = queue.jitter.delay(policy, failures);
        queue.failures = failures.saturating_add(1);
        queue.not_before = now.saturating_add(delay);
    }
}

impl Queue {
    /// Does something to a task of a batch, if it is still there; says whether
    /// what was sent is the newest.
    fn with(
        &mut self,
        batch: &Batch,
        index: usize,
        act: impl FnOnce(&mut Task, bool, &mut BTreeSet<(Duration, Arc<str>)>, &Arc<str>),
    ) {
        let (Some(update), Some(version)) = (batch.updates.get(index), batch.versions.get(index))
        else {
            return;
        };
        if let Some(task) = self.tasks.get_mut(&update.id).filter(|task| task.pending.is_some()) {
            let is_newest = task.version == *version;
            act(task, is_newest, &mut self.due, &update.id);
        }
    }

    /// Forgets a task of a batch that is gone and of which nothing is pending.
    fn drop_gone(&mut self, batch: &Batch, index: usize) {
        let Some(update) = batch.updates.get(index) else { return };
        if self.tasks.get(&update.id).is_some_and(|task| task.is_gone && task.pending.is_none()) {
            self.tasks.remove(&update.id);
        }
    }
}
