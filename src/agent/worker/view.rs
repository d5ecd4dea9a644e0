//! The view of the handles of a worker: the published tasks, and their followers.

use super::task::TaskView;
use super::unseen::{Followers, Unseen};
use crate::agent::driver::{DriverHandle, Shared};
use crate::agent::ids::ById;
use crate::agent::signal::{Signal, Watcher, Watching};
use crate::agent::store::TaskRecord;
use crate::agent::sync::Mutex;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::task::{Context, Poll};
use core::time::Duration;

/// The tasks as the worker has published them last.
pub(super) struct View<D> {
    state: Mutex<State<D>>,
    signals: Topics<Signal>,
    /// The number of tasks that followers have read.
    #[cfg(test)]
    pub(super) looks: core::sync::atomic::AtomicUsize,
}

struct State<D> {
    rows: ById<Row<D>>,
    phase: Phase,
    unstored_since: Option<Duration>,
    followers: Topics<Followers>,
    /// Whether there are changes that followers were not notified of.
    is_news: Topics<bool>,
}

/// The kinds of changes that a follower can follow.
#[derive(Clone, Copy)]
pub(super) enum Topic {
    /// All changes of a task.
    Changes,
    /// Changes of the set of tasks, and of the driver, the controller and the service of a task.
    Membership,
}

/// One of each, for every [`Topic`].
#[derive(Default)]
struct Topics<T> {
    changes: T,
    membership: T,
}

impl<T> Topics<T> {
    const fn get(&self, topic: Topic) -> &T {
        match topic {
            Topic::Changes => &self.changes,
            Topic::Membership => &self.membership,
        }
    }

    const fn get_mut(&mut self, topic: Topic) -> &mut T {
        match topic {
            Topic::Changes => &mut self.changes,
            Topic::Membership => &mut self.membership,
        }
    }
}

/// Follows the tasks. It reads each changed task once, so the cost of a change does not grow with
/// the number of tasks.
pub(super) struct Follower<D> {
    view: Arc<View<D>>,
    topic: Topic,
    number: u64,
    watcher: Watcher,
}

/// The tasks that have changed since the last poll of a [`Follower`], in the order of their ids.
/// None for a task that was removed.
pub(super) type Seen<D> = Vec<(Arc<str>, Option<Row<D>>)>;

/// The phase of a worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Phase {
    Open,
    /// `close` was called.
    Closing,
    /// `run` has returned, or the worker was dropped.
    Ended,
}

/// The published data of a task.
pub(super) struct Row<D> {
    pub(super) record: Arc<TaskRecord<D>>,
    pub(super) seat: Arc<Shared<D>>,
    pub(super) removal_error: Option<Arc<str>>,
    pub(super) is_driven_by_worker: bool,
    /// Whether the controller has logs.
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
        let state = State {
            rows: ById::default(),
            phase: Phase::Open,
            unstored_since: None,
            followers: Topics::default(),
            is_news: Topics::default(),
        };
        Self {
            state: Mutex::new(state),
            signals: Topics::default(),
            #[cfg(test)]
            looks: core::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// Publishes a task, or its removal (none). Call [`notify`](Self::notify) afterwards.
    pub(super) fn set(&self, id: &Arc<str>, row: Option<Row<D>>) {
        let mut state = self.state.lock();
        let State { rows, followers, is_news, .. } = &mut *state;
        let before = match row.clone() {
            Some(row) => rows.insert(Arc::clone(id), row),
            None => rows.remove(id),
        };
        let (was_there, is_there) = (before.is_some(), row.is_some());
        is_news.changes = true;
        followers.changes.changed(id, was_there, is_there);
        let is_same = match (&before, &row) {
            (Some(before), Some(row)) => before.is_followed_as(row),
            (before, row) => before.is_none() && row.is_none(),
        };
        if !is_same {
            is_news.membership = true;
            followers.membership.changed(id, was_there, is_there);
        }
        drop(state);
        drop((before, row));
    }

    /// The snapshot of a task has changed. Call [`notify`](Self::notify) afterwards.
    pub(super) fn touch(&self, id: &Arc<str>) {
        let mut state = self.state.lock();
        let State { rows, followers, is_news, .. } = &mut *state;
        if rows.contains_key(id) {
            is_news.changes = true;
            followers.changes.changed(id, true, true);
        }
    }

    /// Wakes the followers of tasks that have changed.
    pub(super) fn notify(&self) {
        let is_news = mem::take(&mut self.state.lock().is_news);
        for topic in [Topic::Membership, Topic::Changes] {
            if *is_news.get(topic) {
                self.signals.get(topic).notify();
            }
        }
    }

    /// A follower that reads all tasks first.
    pub(super) fn follow(self: &Arc<Self>, topic: Topic) -> Follower<D> {
        self.follower(topic, Unseen::All)
    }

    /// A follower that reads these tasks first, even if they do not exist.
    pub(super) fn follow_from<'a>(
        self: &Arc<Self>,
        topic: Topic,
        ids: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Follower<D> {
        self.follower(topic, Unseen::these(ids))
    }

    fn follower(self: &Arc<Self>, topic: Topic, unseen: Unseen) -> Follower<D> {
        let number = self.state.lock().followers.get_mut(topic).add(unseen);
        Follower { view: Arc::clone(self), topic, number, watcher: Watcher::default() }
    }

    /// A watcher of changes, without the changed tasks.
    pub(super) fn watch(&self) -> Watching<'_> {
        self.signals.changes.watch()
    }

    /// The driver of a task.
    pub(super) fn seat(&self, id: &str) -> Option<Arc<Shared<D>>> {
        self.state.lock().rows.get(id).map(|row| Arc::clone(&row.seat))
    }

    /// The drivers of all tasks.
    pub(super) fn seats(&self) -> Vec<Arc<Shared<D>>> {
        self.state.lock().rows.values().map(|row| Arc::clone(&row.seat)).collect()
    }

    /// One task.
    pub(super) fn task(&self, id: &str) -> Option<TaskView<D>> {
        let row = self.state.lock().rows.get(id).cloned();
        row.map(TaskView::from)
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

    /// Sets the phase, which never goes back. When the worker has ended, followers read all tasks a
    /// last time, because no change is published after that.
    pub(super) fn set_phase(&self, phase: Phase) {
        let mut state = self.state.lock();
        if state.phase >= phase {
            return;
        }
        state.phase = phase;
        if phase == Phase::Ended {
            let State { rows, followers, .. } = &mut *state;
            for id in rows.keys() {
                followers.changes.changed(id, true, true);
            }
        }
        state.is_news = Topics { changes: true, membership: true };
        drop(state);
        self.notify();
    }
}

impl<D> Row<D> {
    /// Whether a follower of [`Topic::Membership`] need not read the task again.
    fn is_followed_as(&self, now: &Self) -> bool {
        Arc::ptr_eq(&self.seat, &now.seat)
            && self.has_logs == now.has_logs
            && self.record.assignment.service_id == now.record.assignment.service_id
    }
}

impl<D> Follower<D> {
    /// Ready with the tasks that have changed since it was ready last. At first it is ready with all
    /// its tasks. The list may be empty: it is also ready if the worker is closed or has ended.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Seen<D>> {
        let Self { view, topic, number, watcher } = self;
        if view.signals.get(*topic).poll(watcher, context).is_pending() {
            return Poll::Pending;
        }
        let mut state = view.state.lock();
        let State { rows, followers, .. } = &mut *state;
        let mut seen: Seen<D> = match followers.get_mut(*topic).take(*number) {
            Unseen::All => {
                rows.iter().map(|(id, row)| (Arc::clone(id), Some(row.clone()))).collect()
            }
            Unseen::Some(ids) => {
                let look = |id: Arc<str>| {
                    let row = rows.get(&id).cloned();
                    (id, row)
                };
                ids.into_keys().map(look).collect()
            }
        };
        drop(state);
        seen.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        #[cfg(test)]
        view.looks.fetch_add(seen.len(), core::sync::atomic::Ordering::Relaxed);
        Poll::Ready(seen)
    }
}

impl<D> Drop for Follower<D> {
    fn drop(&mut self) {
        let Self { view, topic, number, watcher } = self;
        let unseen = view.state.lock().followers.get_mut(*topic).remove(*number);
        drop(unseen);
        view.signals.get(*topic).forget(watcher);
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

#[cfg(all(test, not(shuttle)))]
#[allow(clippy::expect_used, clippy::pedantic, clippy::items_after_statements, reason = "tests")]
pub(super) mod tests;
