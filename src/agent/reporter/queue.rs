//! The queue of a reporter: the statuses that wait, and the states that were sent.

use super::StatusUpdate;
use crate::agent::policy::{Backoff, Jitter};
use crate::agent::signal::Signal;
use crate::agent::sync::Mutex;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use core::time::Duration;

/// The queue that a reporter and its handles share.
#[derive(Default, Debug)]
pub(super) struct StatusQueue {
    queue: Mutex<Queue>,
    /// Wakes the reporter.
    pub(super) changes: Signal,
}

#[derive(Default, Debug)]
struct Queue {
    tasks: BTreeMap<Arc<str>, Task>,
    /// The tasks whose status waits: by the time at which they are due, and then in the order of
    /// arrival, so that busy tasks do not starve others.
    due: BTreeSet<Due>,
    /// The last place in the order of arrival.
    places: u64,
    /// The end of the back-off: nothing is sent before this time.
    not_before: Duration,
    failures: u32,
    jitter: Jitter,
}

/// When the status of a task is due, its place, and the id.
type Due = (Duration, u64, Arc<str>);

/// The statuses of one task.
#[derive(Default, Debug)]
struct Task {
    /// The newest status, until it has arrived.
    pending: Option<TaskStatus>,
    due: Duration,
    /// Its place among the statuses that are due at the same time.
    place: u64,
    /// The number of statuses so far.
    version: u32,
    /// The highest state that may have arrived.
    sent: Option<TaskState>,
    failures: u32,
    /// The task was removed. The next status with this id belongs to another task.
    is_removed: bool,
}

/// The statuses of one call of a reporter.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) updates: Vec<StatusUpdate>,
    versions: Vec<u32>,
}

/// All statuses that waited at one time, by their places. Each of them is in one batch.
pub(super) struct Round {
    next: u64,
    last: u64,
}

impl StatusQueue {
    /// Queues a status, unless a higher state of the task was queued or sent already.
    pub(super) fn put(&self, id: &str, status: TaskStatus) {
        let mut queue = self.queue.lock();
        let Queue { tasks, due, places, .. } = &mut *queue;
        let id = tasks.get_key_value(id).map_or_else(|| id.into(), |(id, _)| Arc::clone(id));
        let task = tasks.entry(Arc::clone(&id)).or_default();
        if mem::take(&mut task.is_removed) {
            // This is another task with the same id, so any state is allowed.
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
            task.wait(id, due, places);
        }
        drop(queue);
        self.changes.notify();
    }

    /// Forgets a task when its newest status has arrived.
    pub(super) fn removed(&self, id: &str) {
        let mut queue = self.queue.lock();
        let Some(task) = queue.tasks.get_mut(id) else { return };
        task.is_removed = true;
        if task.pending.is_none() {
            queue.tasks.remove(id);
        }
    }

    /// Whether no status waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of statuses that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.lock().due.len()
    }

    /// All statuses that wait.
    pub(super) fn pending(&self) -> Vec<StatusUpdate> {
        let queue = self.queue.lock();
        let update = |(_, _, id): &Due| {
            let status = queue.tasks.get(id)?.pending.clone()?;
            Some(StatusUpdate { id: Arc::clone(id), status })
        };
        queue.due.iter().filter_map(update).collect()
    }

    /// Ends all delays: every status is due now. Returns all statuses that wait, for
    /// [`next_of`](Self::next_of).
    pub(super) fn hurry(&self) -> Round {
        let mut queue = self.queue.lock();
        queue.not_before = Duration::ZERO;
        let Queue { tasks, due, places, .. } = &mut *queue;
        let first = *places + 1;
        for (_, _, id) in mem::take(due) {
            if let Some(task) = tasks.get_mut(&id) {
                task.due = Duration::ZERO;
                task.wait(id, due, places);
            }
        }
        Round { next: first, last: *places }
    }

    /// The next batch of a round, with at most `most` statuses. None after the last batch.
    pub(super) fn next_of(&self, round: &mut Round, most: usize) -> Option<Batch> {
        let mut queue = self.queue.lock();
        let from: Due = (Duration::ZERO, round.next, "".into());
        let due = queue.due.range(from..);
        let due = due.take_while(|(due, place, _)| due.is_zero() && *place <= round.last);
        let due: Vec<_> = due.take(most).cloned().collect();
        let (_, place, _) = due.last()?;
        round.next = place + 1;
        Some(queue.batch(due.into_iter().map(|(_, _, id)| id)))
    }

    /// The time at which the next status is due. None if no status waits.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let queue = self.queue.lock();
        queue.due.first().map(|(due, _, _)| queue.not_before.max(*due))
    }

    /// The statuses that are due now, at most `most`.
    pub(super) fn due(&self, now: Duration, most: usize) -> Batch {
        let mut queue = self.queue.lock();
        if queue.not_before > now {
            return Batch::default();
        }
        let due = queue.due.iter().take_while(|(due, _, _)| *due <= now);
        let ids: Vec<_> = due.take(most).map(|(_, _, id)| Arc::clone(id)).collect();
        queue.batch(ids)
    }

    /// A part of a batch has arrived. If a task has a newer status, it is queued behind the others.
    pub(super) fn delivered(&self, batch: &Batch, part: Range<usize>) {
        let mut queue = self.queue.lock();
        queue.failures = 0;
        for index in part {
            queue.settle(batch, index, |task, is_newest| {
                (task.failures, task.due) = (0, Duration::ZERO);
                !is_newest
            });
        }
    }

    /// The manager refused one status of a batch. It is retried later, unless the task was
    /// removed.
    pub(super) fn refused(&self, batch: &Batch, index: usize, now: Duration, backoff: &Backoff) {
        let mut queue = self.queue.lock();
        let mut jitter = queue.jitter.clone();
        queue.settle(batch, index, |task, _| {
            task.due = now.saturating_add(jitter.delay(backoff, task.failures));
            task.failures = task.failures.saturating_add(1);
            !task.is_removed
        });
        queue.jitter = jitter;
    }

    /// The manager is unreachable: the back-off begins.
    pub(super) fn unreachable(&self, now: Duration, backoff: &Backoff) {
        let mut queue = self.queue.lock();
        let failures = queue.failures;
        let delay = queue.jitter.delay(backoff, failures);
        queue.failures = failures.saturating_add(1);
        queue.not_before = now.saturating_add(delay);
    }
}

impl Task {
    /// Queues the status of this task behind the others.
    fn wait(&mut self, id: Arc<str>, due: &mut BTreeSet<Due>, places: &mut u64) {
        *places += 1;
        self.place = *places;
        due.insert((self.due, self.place, id));
    }
}

impl Queue {
    /// The statuses of these tasks. They stay in the queue until they have arrived. From now on
    /// they count as sent, because a call that is dropped may have delivered them.
    fn batch(&mut self, ids: impl IntoIterator<Item = Arc<str>>) -> Batch {
        let mut batch = Batch::default();
        for id in ids {
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            let Some(status) = task.pending.clone() else { continue };
            task.sent = task.sent.max(Some(status.state));
            batch.versions.push(task.version);
            batch.updates.push(StatusUpdate { id, status });
        }
        batch
    }

    /// Records the answer for one status of a batch. `keeps` gets whether it is the newest status
    /// of its task, and returns whether the status of the task still waits.
    fn settle(&mut self, batch: &Batch, index: usize, keeps: impl FnOnce(&mut Task, bool) -> bool) {
        let (Some(update), Some(version)) = (batch.updates.get(index), batch.versions.get(index))
        else {
            return;
        };
        let id = &update.id;
        let Some(task) = self.tasks.get_mut(id) else { return };
        if task.pending.is_some() {
            self.due.remove(&(task.due, task.place, Arc::clone(id)));
            let is_newest = task.version == *version;
            if keeps(task, is_newest) {
                task.wait(Arc::clone(id), &mut self.due, &mut self.places);
            } else {
                task.pending = None;
            }
        }
        if task.is_removed && task.pending.is_none() {
            self.tasks.remove(id);
        }
    }
}
