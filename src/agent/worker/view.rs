//! What the handles of a worker see.

use super::task::TaskView;
use crate::agent::driver::{DriverHandle, Shared};
use crate::agent::ids::ById;
use crate::agent::signal::{Signal, Watching};
use crate::agent::store::TaskRecord;
use crate::agent::sync::Mutex;
use crate::exec::Assignment;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::task::{Context, Poll};
use core::time::Duration;

/// The tasks as the worker has published them last.
pub(super) struct View<D> {
    state: Mutex<State<D>>,
    /// Something else is to be seen.
    pub(super) changes: Signal,
    /// There are other tasks, or a task has another driver, controller or service.
    pub(super) membership: Signal,
    /// How many tasks the followers have looked at.
    #[cfg(test)]
    pub(super) looks: core::sync::atomic::AtomicUsize,
}

struct State<D> {
    rows: ById<Row<D>>,
    phase: Phase,
    unstored_since: Option<Duration>,
    /// Counts the followers, for their numbers.
    numbers: u64,
    followers: BTreeMap<u64, Unseen>,
}

/// The tasks that a follower has to look at.
enum Unseen {
    All,
    Some(Vec<Arc<str>>),
}

/// Follows which tasks there are. It looks at each change once, so a change costs the same with
/// any number of tasks.
pub(super) struct Follower<'a, D> {
    view: &'a View<D>,
    number: u64,
    watching: Watching<'a>,
}

/// The tasks that have changed since a [`Follower`] looked last.
pub(super) struct Seen<D> {
    /// Whether these are all tasks that there are.
    pub(super) is_all: bool,
    /// Each with its assignment and its driver. None if the task is gone.
    pub(super) tasks: Vec<(Arc<str>, Option<Followed<D>>)>,
}

pub(super) type Followed<D> = (Arc<Assignment<D>>, Arc<Shared<D>>);

/// How far the worker is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Phase {
    Open,
    /// Its close was called.
    Closing,
    /// Its run has returned, or it was dropped.
    Ended,
}

/// One task.
pub(super) struct Row<D> {
    pub(super) record: Arc<TaskRecord<D>>,
    pub(super) seat: Arc<Shared<D>>,
    pub(super) removal_error: Option<Arc<str>>,
    pub(super) is_driven_by_worker: bool,
    /// Whether its controller has logs.
    pub(super) has_logs: bool,
}

impl<D> Clone for Row<D> {
    fn clone(&self) -> Self {
        Self {
            record: Arc::clone(&self.record),
            seat: Arc::clone(&self.seat),
            removal_error: self.removal_error.clone(),
            is_driven_by_worker: self.is_driven_by_worker,
            has_logs: self.has_logs,
        }
    }
}

impl<D> View<D> {
    pub(super) fn new() -> Self {
        let (rows, followers) = (ById::default(), BTreeMap::new());
        let (phase, unstored_since) = (Phase::Open, None);
        let state = State { rows, phase, unstored_since, numbers: 0, followers };
        Self {
            state: Mutex::new(state),
            changes: Signal::default(),
            membership: Signal::default(),
            #[cfg(test)]
            looks: core::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// Publishes a task, or that there is none. Returns whether its driver, its logs or its
    /// service are others. Then notify the [membership](Self::membership).
    pub(super) fn set(&self, id: &Arc<str>, row: Option<Row<D>>) -> bool {
        let now = row.as_ref().map(Row::followed);
        let mut state = self.state.lock();
        let before = match row {
            Some(row) => state.rows.insert(Arc::clone(id), row),
            None => state.rows.remove(id),
        };
        let is_same = match (&before, &now) {
            (Some(before), Some(now)) => before.is_followed_as(now),
            (None, None) => true,
            _ => false,
        };
        if !is_same {
            let count = state.rows.len();
            state.followers.values_mut().for_each(|unseen| unseen.add(id, count));
        }
        drop(state);
        drop((before, now));
        !is_same
    }

    /// Follows which tasks there are. It looks at all of them first.
    pub(super) fn follow(&self) -> Follower<'_, D> {
        let mut state = self.state.lock();
        state.numbers += 1;
        let number = state.numbers;
        state.followers.insert(number, Unseen::All);
        drop(state);
        Follower { view: self, number, watching: self.membership.watch() }
    }

    /// The driver of a task.
    pub(super) fn seat(&self, id: &str) -> Option<Arc<Shared<D>>> {
        self.state.lock().rows.get(id).map(|row| Arc::clone(&row.seat))
    }

    /// The drivers of all tasks.
    pub(super) fn seats(&self) -> Vec<Arc<Shared<D>>> {
        self.state.lock().rows.values().map(|row| Arc::clone(&row.seat)).collect()
    }

    /// All tasks, in the order of their ids.
    pub(super) fn tasks(&self) -> Vec<TaskView<D>> {
        let mut rows: Vec<_> = self.state.lock().rows.values().cloned().collect();
        rows.sort_unstable_by(|a, b| a.seat.id.cmp(&b.seat.id));
        rows.into_iter().map(TaskView::from).collect()
    }

    pub(super) fn unstored_since(&self) -> Option<Duration> {
        self.state.lock().unstored_since
    }

    pub(super) fn set_unstored_since(&self, since: Option<Duration>) {
        self.state.lock().unstored_since = since;
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// The worker is this far. It never goes back.
    pub(super) fn set_phase(&self, phase: Phase) {
        let mut state = self.state.lock();
        let is_news = state.phase < phase;
        state.phase = state.phase.max(phase);
        drop(state);
        if !is_news {
            return;
        }
        self.changes.notify();
        self.membership.notify();
    }
}

impl<D> Row<D> {
    fn followed(&self) -> (Followed<D>, bool) {
        ((Arc::clone(&self.record.assignment), Arc::clone(&self.seat)), self.has_logs)
    }

    /// Whether a follower of logs need not look again.
    fn is_followed_as(&self, ((assignment, seat), has_logs): &(Followed<D>, bool)) -> bool {
        Arc::ptr_eq(&self.seat, seat)
            && self.has_logs == *has_logs
            && self.record.assignment.service_id == assignment.service_id
    }
}

impl Unseen {
    /// A task has changed, and there are so many. If a follower has more to look at than there
    /// are tasks, it looks at all of them: an idle follower holds no more than that.
    fn add(&mut self, id: &Arc<str>, count: usize) {
        let Self::Some(ids) = self else { return };
        if ids.len() < count {
            ids.push(Arc::clone(id));
        } else {
            *self = Self::All;
        }
    }
}

impl<D> Follower<'_, D> {
    /// Ready with the tasks that have changed since it was ready last, and the first time.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Seen<D>> {
        if self.watching.poll(context).is_pending() {
            return Poll::Pending;
        }
        let mut state = self.view.state.lock();
        let State { rows, followers, .. } = &mut *state;
        let unseen = followers.get_mut(&self.number);
        let unseen = unseen.map(|unseen| mem::replace(unseen, Unseen::Some(Vec::new())));
        let seen = match unseen.unwrap_or(Unseen::All) {
            Unseen::All => {
                let tasks = rows.iter().map(|(id, row)| (Arc::clone(id), Some(row.followed().0)));
                Seen { is_all: true, tasks: tasks.collect() }
            }
            Unseen::Some(ids) => {
                let look = |id: Arc<str>| {
                    let row = rows.get(&id).map(|row| row.followed().0);
                    (id, row)
                };
                Seen { is_all: false, tasks: ids.into_iter().map(look).collect() }
            }
        };
        drop(state);
        #[cfg(test)]
        self.view.looks.fetch_add(seen.tasks.len(), core::sync::atomic::Ordering::Relaxed);
        Poll::Ready(seen)
    }
}

impl<D> Drop for Follower<'_, D> {
    fn drop(&mut self) {
        let unseen = self.view.state.lock().followers.remove(&self.number);
        drop(unseen);
    }
}

impl<D> From<Row<D>> for TaskView<D> {
    fn from(row: Row<D>) -> Self {
        let Row { record, seat, removal_error, is_driven_by_worker, .. } = row;
        Self {
            record,
            snapshot: DriverHandle::new(seat).snapshot(),
            removal_error: removal_error.as_deref().map(Into::into),
            is_driven_by_worker,
        }
    }
}
