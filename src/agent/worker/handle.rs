//! How others tell a worker what is assigned, and see how far things are.

use super::book::{Book, Message};
use super::error::{AssignError, RefusedTask};
use super::{AssignedTask, AssignmentChange};
use crate::agent::driver::{Ended, Snapshot, StatusSink, Watch};
use crate::agent::store::TaskRecord;
use crate::exec::ControllerError;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use futures::channel::oneshot;
use futures::task::AtomicWaker;
use futures::{Stream, StreamExt};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a worker, its handles and its tasks have in common.
pub(super) struct Shared<D> {
    book: Mutex<Book<D>>,
    /// Wakes the worker.
    pub(super) worker: AtomicWaker,
    watchers: Mutex<Watchers>,
}

/// Who looks at the tasks.
#[derive(Default)]
struct Watchers {
    /// Counts what there was to be seen.
    changes: u64,
    /// Wakes each of them.
    wakers: Vec<Waker>,
}

impl<D> Shared<D> {
    pub(super) fn new(book: Book<D>) -> Self {
        let (worker, watchers) = (AtomicWaker::new(), Mutex::default());
        Self { book: Mutex::new(book), worker, watchers }
    }

    /// Never for long: nothing of the embedder's is called under this lock, but for
    /// the comparison and the cloning of definitions.
    pub(super) fn lock(&self) -> MutexGuard<'_, Book<D>> {
        // What is under it is whole at any time, a panic elsewhere or not.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watchers(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is something else to be seen.
    pub(super) fn changed(&self) {
        let mut watchers = self.watchers();
        watchers.changes = watchers.changes.wrapping_add(1);
        let wakers = mem::take(&mut watchers.wakers);
        drop(watchers);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes this one the next time that there is something else to be seen. Gives the
    /// number of what there is now.
    pub(super) fn watch(&self, context: &Context<'_>) -> u64 {
        let mut watchers = self.watchers();
        if !watchers.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            watchers.wakers.push(context.waker().clone());
        }
        watchers.changes
    }
}

impl<D: Clone + PartialEq> Shared<D> {
    pub(super) fn status(&self, id: &Arc<str>, status: TaskStatus) {
        self.lock().status(id, status);
        self.worker.wake();
    }

    pub(super) fn ended(&self, id: &Arc<str>, ended: &Ended) {
        self.lock().ended(id, ended);
        self.worker.wake();
        self.changed();
    }

    pub(super) fn taken(&self, id: &Arc<str>, version: Option<u64>) {
        if self.lock().taken(id, version) {
            self.worker.wake();
        }
    }

    pub(super) fn reconciled(&self, orphan: Option<&str>, ended: bool) {
        self.lock().reconciled(orphan, ended);
        self.worker.wake();
    }
}

/// How an embedder talks to a [`Worker`](super::Worker): which tasks are assigned,
/// and how far they are. It is cheap to clone, and works from any thread.
///
/// ```
/// use futures::StreamExt;
/// use onward::agent::{AssignError, AssignmentChange, WorkerHandle};
/// use onward::{Assignment, TaskState};
///
/// /// Shuts a task down, and removes it when it has ended.
/// async fn end(
///     handle: &WorkerHandle<String>,
///     task: Assignment<String>,
/// ) -> Result<(), AssignError> {
///     let id = task.id.clone();
///     let shut_down = task.with_desired_state(TaskState::Shutdown);
///     handle.update(vec![AssignmentChange::Update(shut_down.into())]).await?;
///     let mut changes = handle.changes();
///     while let Some(tasks) = changes.next().await {
///         let task = tasks.iter().find(|task| task.record.id() == id);
///         if task.is_none_or(|task| task.snapshot.status.state.is_terminal()) {
///             break;
///         }
///     }
///     handle.update(vec![AssignmentChange::Remove(id)]).await?;
///     Ok(())
/// }
/// # use onward::agent::{MemoryStore, Surroundings, Worker};
/// # use onward::testing::{Behavior, Call, Script, ScriptedExecutor, VirtualPool, VirtualTime};
/// # let pool = VirtualPool::new(VirtualTime::new(), 0);
/// # let executor =
/// #     ScriptedExecutor::new(|_| Script::new().with(Call::Wait, [Behavior::hangs()]));
/// # let clock = pool.time().clock(time::UtcDateTime::UNIX_EPOCH);
/// # let surroundings = Surroundings::new(pool.time().timer(), clock, |_: &str, _| {});
/// # let ended = pool.run_until(async {
/// #     let opened = Worker::open(executor, MemoryStore::new(), pool.clone(), surroundings);
/// #     let (mut worker, handle) = opened.await.unwrap();
/// #     let task = Assignment::new("web.1", "alpine:3".to_owned());
/// #     let told = async {
/// #         handle.assign(vec![task.clone().into()]).await.unwrap();
/// #         end(&handle, task).await.unwrap();
/// #         while !handle.tasks().is_empty() {
/// #             _ = handle.changes().skip(1).next().await;
/// #         }
/// #         handle.close();
/// #     };
/// #     futures::future::join(worker.run(), told).await;
/// # });
/// # assert!(ended.is_some());
/// ```
pub struct WorkerHandle<D> {
    pub(super) shared: Arc<Shared<D>>,
}

impl<D: Clone + PartialEq> WorkerHandle<D> {
    pub(super) fn new(shared: Arc<Shared<D>>) -> Self {
        Self { shared }
    }

    /// These are all the tasks that are assigned: new ones begin, changed ones
    /// change, and all others are removed. Ready when that is durable and the drivers
    /// know it.
    ///
    /// A task whose definition is another one has changed, whatever its version
    /// says. Gives the tasks that stay as they are, since what is wanted of them is
    /// not possible. A definition that a controller refuses later is not among them:
    /// the [snapshot](Snapshot::refused_definition) has that.
    ///
    /// # Errors
    ///
    /// Nothing of it was taken, and the old assignments stay in force.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is taken or not; asked again, it does the same.
    ///
    /// In SwarmKit: `Worker.Assign`.
    pub async fn assign(
        &self,
        tasks: Vec<AssignedTask<D>>,
    ) -> Result<Vec<RefusedTask>, AssignError> {
        self.send(Message::Assign(tasks)).await
    }

    /// These changes to the set of assigned tasks; the others stay as they are. A
    /// task to be removed that is not there is nothing to be done.
    ///
    /// # Errors
    ///
    /// As with [`assign`](Self::assign).
    ///
    /// # Cancel safety
    ///
    /// As with [`assign`](Self::assign).
    ///
    /// In SwarmKit: `Worker.Update`.
    pub async fn update(
        &self,
        changes: Vec<AssignmentChange<D>>,
    ) -> Result<Vec<RefusedTask>, AssignError> {
        self.send(Message::Update(changes)).await
    }

    /// Shuts every task down that has not ended, and returns when each of them has.
    ///
    /// An agent that is to stop, and not only to [leave](Self::close) its tasks, does
    /// this first. It takes as long as the slowest workload: give it a deadline of your
    /// own. SHUTDOWN is durable, and no task comes back from it: to assign it as it was
    /// before is refused. What is assigned later is not shut down.
    ///
    /// # Errors
    ///
    /// Those of [`update`](Self::update); [`AssignError::Closed`] also where the worker is
    /// closed meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the tasks are shut down or not; nobody waits for them.
    pub async fn shut_down(&self) -> Result<(), AssignError> {
        self.send(Message::ShutDown).await?;
        let mut changes = self.changes();
        while let Some(tasks) = changes.next().await {
            if !tasks.iter().any(TaskView::is_shutting_down) {
                return Ok(());
            }
            if self.shared.lock().is_closing() {
                break;
            }
        }
        Err(AssignError::Closed)
    }

    async fn send(&self, message: Message<D>) -> Result<Vec<RefusedTask>, AssignError> {
        let (answer, told) = oneshot::channel();
        self.shared.lock().send(message, answer);
        self.shared.worker.wake();
        // The worker has gone.
        told.await.unwrap_or(Err(AssignError::Closed))
    }

    /// Lets this listen to the statuses of all tasks: first every one that is stored,
    /// then each that has become durable. It does until the [`Listener`] is dropped.
    ///
    /// In SwarmKit: `Worker.Listen`.
    pub fn listen(&self, sink: impl StatusSink + 'static) -> Listener<D> {
        let sink: Arc<dyn StatusSink> = Arc::new(sink);
        let number = self.shared.lock().listen(sink);
        self.shared.worker.wake();
        Listener { shared: Arc::clone(&self.shared), number: Some(number) }
    }

    /// All tasks, in the order of their ids.
    pub fn tasks(&self) -> Vec<TaskView<D>> {
        let book = self.shared.lock();
        let view = |entry: &super::book::Entry<D>| TaskView {
            record: entry.record.clone(),
            snapshot: entry.seat.snapshot(),
            left: entry.left.clone(),
        };
        book.tasks.values().map(view).collect()
    }

    /// All tasks, as they are now and then whenever there is something else to be seen:
    /// a status that is durable, other assignments, a task that has got its driver or
    /// is done with. What comes faster than it is looked at is seen at once. It ends
    /// when the worker is dropped, and not when its run returns.
    pub fn changes(&self) -> Changes<D> {
        Changes { handle: self.clone(), seen: None }
    }

    /// The snapshots of the task of this id, as they change; nothing while it has no
    /// driver.
    pub fn snapshots(&self, id: &str) -> Option<Watch<D, Snapshot>> {
        let book = self.shared.lock();
        let driver = book.tasks.get(id)?.seat.driver()?;
        drop(book);
        Some(driver.snapshots())
    }

    /// Says that the agent goes away: every controller is closed, every task left as
    /// it is, and the worker's [`run`](super::Worker::run) returns when the last
    /// status is durable and was given to the listeners.
    ///
    /// In SwarmKit: `Worker.Close`.
    pub fn close(&self) {
        let mut book = self.shared.lock();
        if book.is_closing() {
            return;
        }
        let seats = book.close();
        drop(book);
        for seat in seats {
            seat.tell();
        }
        self.shared.worker.wake();
        self.shared.changed();
    }
}

impl<D> Clone for WorkerHandle<D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<D> fmt::Debug for WorkerHandle<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle").finish_non_exhaustive()
    }
}

/// All that there is to see of one task of a worker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskView<D> {
    /// What is wanted of it, as it is stored.
    pub record: TaskRecord<D>,
    /// How far it is, as of now: its status may not be durable yet.
    pub snapshot: Snapshot,
    /// Why what it has could not be removed. That is tried again with the next full
    /// set of assignments, and at the next start.
    pub left: Option<ControllerError>,
}

impl<D> TaskView<D> {
    /// It is to be shut down, or to come back only for that, and has not ended yet.
    fn is_shutting_down(&self) -> bool {
        let is_wanted =
            |record: &TaskRecord<D>| record.assignment.desired_state >= TaskState::Shutdown;
        if self.record.removing {
            // It does not come back while something is left of the one before.
            let successor = self.record.successor.as_deref().filter(|_| self.left.is_none());
            return successor.is_some_and(is_wanted);
        }
        is_wanted(&self.record) && !self.snapshot.status.state.is_terminal()
    }
}

/// All tasks, as they change; see [`WorkerHandle::changes`].
#[must_use = "a stream does nothing until it is polled"]
pub struct Changes<D> {
    handle: WorkerHandle<D>,
    seen: Option<u64>,
}

impl<D: Clone + PartialEq> Stream for Changes<D> {
    type Item = Vec<TaskView<D>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let number = self.handle.shared.watch(context);
        if self.seen != Some(number) {
            self.seen = Some(number);
            return Poll::Ready(Some(self.handle.tasks()));
        }
        if self.handle.shared.lock().is_gone() { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl<D> fmt::Debug for Changes<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

/// Somebody listens until this is dropped; see [`WorkerHandle::listen`].
#[must_use = "dropped, it ends"]
pub struct Listener<D: Clone + PartialEq> {
    shared: Arc<Shared<D>>,
    /// Its number, unless it listens for ever.
    number: Option<u64>,
}

impl<D: Clone + PartialEq> Listener<D> {
    /// Lets it listen for as long as the worker lives.
    pub fn forever(mut self) {
        self.number = None;
    }
}

impl<D: Clone + PartialEq> Drop for Listener<D> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.shared.lock().unlisten(number);
        }
    }
}

impl<D: Clone + PartialEq> fmt::Debug for Listener<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
