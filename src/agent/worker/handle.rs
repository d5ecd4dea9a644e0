//! The handle of a worker: assigns, changes and removes tasks, and shows them.

use super::changes::Changes;
use super::core::{Answer, Message};
use super::error::{AssignError, RefusedTask};
use super::inbox::{Event, Inbox};
use super::listener::{Listener, Listeners};
use super::task::{AssignedTask, AssignmentChange, TaskView};
use super::view::{Phase, Topic, View};
use crate::agent::driver::{DriverHandle, Snapshot, Watch};
use crate::agent::sink::StatusSink;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::task::{Poll, ready};
use core::time::Duration;
use futures::channel::oneshot;

/// The data that a worker, its handles and its drivers share.
pub(super) struct Common<D> {
    pub(super) inbox: Arc<Inbox<D>>,
    pub(super) view: Arc<View<D>>,
    pub(super) listeners: Arc<Listeners>,
}

impl<D> Common<D> {
    pub(super) fn new() -> Self {
        let (inbox, view) = (Arc::new(Inbox::new()), Arc::new(View::new()));
        Self { inbox, view, listeners: Arc::default() }
    }
}

/// Controls a [`Worker`](super::Worker): assigns, changes and removes tasks, and shows their
/// statuses.
///
/// It is cheap to clone and works from any thread.
///
/// ```
/// use onward::agent::WorkerHandle;
/// use onward::agent::worker::{AssignError, AssignmentChange};
/// use onward::TaskState;
///
/// /// Shuts a task down, and removes it when it has ended.
/// async fn end(handle: &WorkerHandle<String>, id: &str) -> Result<(), AssignError> {
///     let shutdown = TaskState::Shutdown;
///     let shut_down = AssignmentChange::DesiredState { id: id.into(), desired_state: shutdown };
///     handle.update([shut_down]).await?;
///     handle.until_each([id], |task| task.is_none_or(|task| task.has_ended())).await?;
///     handle.update([AssignmentChange::Remove(id.into())]).await?;
///     Ok(())
/// }
/// ```
pub struct WorkerHandle<D> {
    pub(super) common: Arc<Common<D>>,
}

impl<D> WorkerHandle<D> {
    pub(super) fn new(common: Arc<Common<D>>) -> Self {
        Self { common }
    }

    /// Assigns the full set of tasks. New tasks start, changed ones are updated, and all tasks that
    /// are not in the set are removed. It returns when the set has been stored and passed to the
    /// drivers.
    ///
    /// A task has changed if its definition, its desired state or its policy is not equal to the
    /// old one. Returns the tasks that could not be changed, for example because the desired state
    /// would fall. A definition that a controller refuses later is not among them; see
    /// [`Snapshot::definition`](crate::agent::driver::Snapshot::definition).
    ///
    /// # Errors
    ///
    /// The whole set was refused or not stored; see [`AssignError`]. The tasks are unchanged.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, the set is accepted or not. To be sure, assign it again.
    ///
    /// In SwarmKit: `Worker.Assign`.
    pub async fn assign<T: Into<AssignedTask<D>>>(
        &self,
        tasks: impl IntoIterator<Item = T>,
    ) -> Result<Vec<RefusedTask>, AssignError> {
        let tasks = tasks.into_iter().map(Into::into).collect();
        self.send(Message::Assign(tasks)).await.map(|accepted| accepted.refused)
    }

    /// Changes some of the assigned tasks, and does not affect the others. If you remove a task
    /// that does not exist, nothing happens.
    ///
    /// # Errors
    ///
    /// The same as [`assign`](Self::assign).
    ///
    /// # Cancel safety
    ///
    /// The same as [`assign`](Self::assign).
    ///
    /// In SwarmKit: `Worker.Update`.
    pub async fn update(
        &self,
        changes: impl IntoIterator<Item = AssignmentChange<D>>,
    ) -> Result<Vec<RefusedTask>, AssignError> {
        let changes = changes.into_iter().collect();
        self.send(Message::Update(changes)).await.map(|accepted| accepted.refused)
    }

    /// Shuts down every task that has not ended, and returns when each of them has.
    ///
    /// Call it before [`close`](Self::close) if the tasks must end with the agent. It takes as long
    /// as the slowest workload, so give it a deadline of your own. The desired state SHUTDOWN is
    /// stored and never falls: you cannot assign such a task with a lower one. Tasks that are
    /// assigned later are not shut down.
    ///
    /// # Errors
    ///
    /// The same as [`update`](Self::update), and [`AssignError::Closed`] if the worker is closed
    /// before all tasks have ended.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, the tasks are shut down or not.
    pub async fn shut_down(&self) -> Result<(), AssignError> {
        let ids = self.send(Message::ShutDown).await?.shut_down;
        self.until_each(ids, |task| !task.is_some_and(TaskView::is_shutting_down)).await
    }

    async fn send(&self, message: Message<D>) -> Answer {
        let (sender, answer) = oneshot::channel();
        drop(self.common.inbox.put(Event::Message(message, sender)));
        // No answer: the inbox is closed.
        answer.await.unwrap_or(Err(AssignError::Closed))
    }

    /// Waits until `is` returns true for the list of all tasks, and returns the list. `is` is called
    /// at once, and then after each change.
    ///
    /// The cost of a change grows with the number of tasks. If you wait for tasks whose ids you know, use
    /// [`until_each`](Self::until_each).
    ///
    /// # Errors
    ///
    /// [`AssignError::Closed`]: the worker was closed before.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, nothing happens.
    pub async fn until(
        &self,
        mut is: impl FnMut(&[TaskView<D>]) -> bool,
    ) -> Result<Vec<TaskView<D>>, AssignError> {
        let view = &self.common.view;
        let mut watching = view.watch();
        poll_fn(|context| {
            while watching.poll(context).is_ready() {
                let tasks = view.tasks();
                if is(&tasks) {
                    return Poll::Ready(Ok(tasks));
                }
                if view.phase() >= Phase::Closing {
                    return Poll::Ready(Err(AssignError::Closed));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Waits until `is` has returned true once for each of these tasks. `is` is called for each task
    /// at once, and then after each of its changes. If there is no such task, it gets `None`.
    ///
    /// The cost does not grow with the number of other tasks.
    ///
    /// ```
    /// use onward::agent::WorkerHandle;
    /// use onward::agent::worker::{AssignError, TaskView};
    ///
    /// /// Waits until two tasks have ended or are removed.
    /// async fn both_end(handle: &WorkerHandle<String>) -> Result<(), AssignError> {
    ///     handle.until_each(["web.1", "web.2"], |task| task.is_none_or(TaskView::has_ended)).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AssignError::Closed`]: the worker was closed before.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, nothing happens.
    pub async fn until_each(
        &self,
        ids: impl IntoIterator<Item = impl Into<Arc<str>>>,
        mut is: impl FnMut(Option<&TaskView<D>>) -> bool,
    ) -> Result<(), AssignError> {
        let view = &self.common.view;
        let mut waiting: BTreeSet<Arc<str>> = ids.into_iter().map(Into::into).collect();
        let mut follower = view.follow_from(Topic::Changes, &waiting);
        poll_fn(|context| {
            while !waiting.is_empty() {
                let seen = ready!(follower.poll(context));
                for (id, row) in seen {
                    if waiting.contains(&id) && is(row.map(TaskView::from).as_ref()) {
                        waiting.remove(&id);
                    }
                }
                if !waiting.is_empty() && view.phase() >= Phase::Closing {
                    return Poll::Ready(Err(AssignError::Closed));
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Adds a sink that receives the statuses of all tasks, until you drop the [`Listener`].
    ///
    /// It first gets the stored status of every task. After that, it gets each new status when it
    /// has been stored, and each removal of a task. The sink is dropped with the `Listener`, or at
    /// the end of a call that is in progress.
    ///
    /// In SwarmKit: `Worker.Listen`.
    pub fn listen(&self, sink: impl StatusSink + 'static) -> Listener {
        let (listener, is_news) = self.common.listeners.add(sink);
        if is_news {
            drop(self.common.inbox.put(Event::Listen));
        }
        listener
    }

    /// All tasks, in the order of their ids.
    pub fn tasks(&self) -> Vec<TaskView<D>> {
        self.common.view.tasks()
    }

    /// The task with this id. None if there is no such task.
    pub fn task(&self, id: &str) -> Option<TaskView<D>> {
        self.common.view.task(id)
    }

    /// A stream of the changed tasks. The first item has all tasks. Each later item has the tasks that
    /// have changed since. When the worker has ended, there is a last item with all tasks, and then
    /// the stream ends.
    ///
    /// A change is a new status, assignment or removal error, or the start or end of a driver. For
    /// attempts and lines of progress, use [`snapshots`](Self::snapshots). The cost of an item grows
    /// with the number of tasks in it, and not with the number of all tasks. See [`ChangedTasks`](super::ChangedTasks) for an example.
    pub fn changes(&self) -> Changes<D> {
        Changes::new(&self.common.view)
    }

    /// A stream of the newest snapshot of one task. None if there is no such task.
    pub fn snapshots(&self, id: &str) -> Option<Watch<D, Snapshot>> {
        let seat = self.common.view.seat(id)?;
        Some(DriverHandle::new(seat).snapshots())
    }

    /// Since when the oldest status waits to be stored, on the clock of
    /// [`Runtime::now`](crate::agent::Runtime::now). None if all statuses are stored.
    ///
    /// While the store fails or hangs, this time does not change, so its age grows. A status that
    /// comes during a commit counts from the beginning of that commit.
    pub fn unstored_since(&self) -> Option<Duration> {
        self.common.view.unstored_since()
    }

    /// Ends the worker. Every controller is closed, and the tasks stay as they are.
    /// [`run`](super::Worker::run) returns when the last status has been stored and reported.
    ///
    /// In SwarmKit: `Worker.Close`.
    pub fn close(&self) {
        self.common.view.set_phase(Phase::Closing);
        drop(self.common.inbox.put(Event::Close));
    }
}

impl<D> Clone for WorkerHandle<D> {
    fn clone(&self) -> Self {
        Self { common: Arc::clone(&self.common) }
    }
}

impl<D> fmt::Debug for WorkerHandle<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle").finish_non_exhaustive()
    }
}
