//! The handle of a worker: assigns, changes and removes tasks, and shows them.

use super::core::{Answer, Message};
use super::error::{AssignError, RefusedTask};
use super::inbox::{Event, Inbox};
use super::listener::{Listener, Listeners};
use super::task::{AssignedTask, AssignmentChange, TaskView};
use super::view::{Phase, View};
use crate::agent::driver::{DriverHandle, Snapshot, Watch};
use crate::agent::signal::Watcher;
use crate::agent::sink::StatusSink;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use futures::channel::oneshot;
use futures::{Stream, StreamExt};

/// The data that a worker, its handles and its drivers share.
pub(super) struct Common<D> {
    pub(super) inbox: Arc<Inbox<D>>,
    pub(super) view: View<D>,
    pub(super) listeners: Arc<Listeners>,
}

impl<D> Common<D> {
    pub(super) fn new() -> Self {
        Self { inbox: Arc::new(Inbox::new()), view: View::new(), listeners: Arc::default() }
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
///     handle.until(|tasks| tasks.iter().all(|task| task.id() != id || task.has_ended())).await?;
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
        let mut waiting = self.send(Message::ShutDown).await?.shut_down;
        let has_ended = |tasks: &[TaskView<D>]| {
            waiting.retain(|id| {
                let place = tasks.binary_search_by(|task| task.id().cmp(id));
                place.is_ok_and(|place| tasks.get(place).is_some_and(TaskView::is_shutting_down))
            });
            waiting.is_empty()
        };
        self.until(has_ended).await.map(drop)
    }

    async fn send(&self, message: Message<D>) -> Answer {
        let (sender, answer) = oneshot::channel();
        drop(self.common.inbox.put(Event::Message(message, sender)));
        // No answer: the inbox is closed.
        answer.await.unwrap_or(Err(AssignError::Closed))
    }

    /// Waits until the tasks are as `is` says, and returns them. It is asked at once, and then
    /// whenever there is something else to be seen.
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
        let mut changes = self.changes();
        while let Some(tasks) = changes.next().await {
            if is(&tasks) {
                return Ok(tasks);
            }
            if self.common.view.phase() >= Phase::Closing {
                break;
            }
        }
        Err(AssignError::Closed)
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

    /// All tasks as they are now, and then whenever there is something else to be seen: a
    /// status, an assignment, the end of a driver. Changes that come faster than you look are
    /// seen at once. The stream ends when the worker has stopped.
    pub fn changes(&self) -> Changes<D> {
        Changes { handle: self.clone(), watcher: Watcher::default() }
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

/// A stream of all tasks, as they change; see [`WorkerHandle::changes`].
#[must_use = "a stream does nothing until it is polled"]
pub struct Changes<D> {
    handle: WorkerHandle<D>,
    watcher: Watcher,
}

impl<D> Stream for Changes<D> {
    type Item = Vec<TaskView<D>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { handle, watcher } = &mut *self;
        let view = &handle.common.view;
        // Asked before the change, so that the last change is seen before the end.
        let has_ended = view.phase() == Phase::Ended;
        if view.changes.poll(watcher, context).is_ready() {
            return Poll::Ready(Some(view.tasks()));
        }
        if has_ended { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl<D> Drop for Changes<D> {
    fn drop(&mut self) {
        self.handle.common.view.changes.forget(&self.watcher);
    }
}

impl<D> fmt::Debug for Changes<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
