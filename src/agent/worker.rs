//! The worker: runs all tasks of an agent, stores them, and resumes them after a restart.

mod background;
mod changes;
mod core;
mod desk;
mod error;
mod handle;
mod inbox;
mod life;
mod listener;
mod logs;
mod task;
mod unseen;
mod view;

use self::core::Next;
use super::limit::Limit;
use super::panic::{discard, drop_caught, poll_caught, text_of};
use super::policy::Policy;
use super::runtime::{Runtime, Sleep};
use super::sink::StatusSink;
use super::store::{Store, StoreChange, StoreError};
use crate::exec::Executor;
use ::core::fmt;
use ::core::future::poll_fn;
use ::core::num::NonZeroUsize;
use ::core::pin::{Pin, pin};
use ::core::task::Poll;
use ::core::time::Duration;
use alloc::string::ToString;
use alloc::sync::Arc;
use desk::Desk;

pub use changes::{ChangedTasks, Changes};
pub use error::{AssignError, RefusedTask};
pub use handle::WorkerHandle;
pub use listener::Listener;
pub use logs::LogSelector;
pub use task::{AssignedTask, AssignmentChange, TaskView};

/// Runs many tasks, stores them, and resumes them after a restart.
///
/// It has a [`Driver`](super::Driver) for each task, which the [`Runtime`] spawns, and a [`Store`].
/// Spawn [`run`](Self::run), and use the [`WorkerHandle`] to assign, change and watch tasks.
///
/// A definition, a desired state and a removal are stored before a driver acts on them. A status is
/// stored before it is reported. If a task is no longer assigned, the worker removes it, and then
/// deletes its record. Its rules are in `docs/worker.md`.
///
/// ```
/// use onward::agent::{MemoryStore, TokioRuntime, Worker};
/// use onward::testing::{Script, ScriptedExecutor};
/// use onward::{Assignment, TaskState};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In an agent: your own executor, and a store in a file.
/// let (executor, store) = (ScriptedExecutor::new(|_| Script::new()), MemoryStore::new());
///
/// let runtime = Arc::new(TokioRuntime::current());
/// let mut worker = Worker::open(executor, store, runtime).await?;
/// let handle = worker.handle();
/// let agent = tokio::spawn(async move { worker.run().await });
///
/// handle.assign([Assignment::new("web.1", ())]).await?;
/// let tasks = handle.until(|tasks| tasks.iter().all(|task| task.has_ended())).await?;
/// assert_eq!(tasks[0].snapshot.status.state, TaskState::Complete);
///
/// handle.close();
/// agent.await?;
/// # Ok(())
/// # }
/// ```
///
/// In SwarmKit: `agent.Worker` (`agent/worker.go`).
pub struct Worker<E: Executor, S> {
    store: S,
    desk: Desk<E>,
}

impl<E: Executor + 'static, S: Store<E::Definition>> Worker<E, S> {
    /// Loads the stored tasks. They start when you call [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// The store could not be read.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, nothing happens. The executor and the store are dropped with it.
    pub async fn open(
        executor: E,
        store: S,
        runtime: Arc<dyn Runtime>,
    ) -> Result<Self, StoreError> {
        let stored = store.load().await?;
        Ok(Self { store, desk: Desk::new(executor, runtime, stored) })
    }

    /// Sets the policy of tasks without their own policy. Its back-off is also used for commits
    /// that fail. Default: [`Policy::default`].
    #[must_use]
    pub fn with_policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.desk.set_policy(policy.into());
        self
    }

    /// Adds a sink that receives the statuses of all tasks; see [`WorkerHandle::listen`].
    #[must_use]
    pub fn with_sink(self, sink: impl StatusSink + 'static) -> Self {
        self.handle().listen(sink).forever();
        self
    }

    /// Limits how many `prepare` and `start` run at once, over all tasks. Default: no limit.
    ///
    /// The other tasks wait in a queue, in the order in which their drivers reach it. For tasks
    /// that are assigned together, the runtime decides that order. The time in the queue does not
    /// count against a deadline. An operation that fails gives up its place, and its retry waits
    /// in the queue again.
    ///
    /// This does not limit how many workloads run: an operation gives up its place when it
    /// returns. To run at most four workloads at once, your executor has a semaphore with four
    /// permits:
    ///
    /// - `start` takes a permit, and the workload holds it until it ends. RUNNING then means that
    ///   the workload runs.
    /// - If `wait` continues a workload after a restart, it takes a permit first.
    /// - A `start` that waits for a permit also has one of the `most` places. While all places
    ///   are taken, no other task is prepared or started.
    #[must_use]
    pub fn with_start_limit(mut self, most: NonZeroUsize) -> Self {
        self.desk.limit = Some(Limit::new(most.get()));
        self
    }

    /// A handle of this worker.
    pub fn handle(&self) -> WorkerHandle<E::Definition> {
        self.desk.handle()
    }

    /// Runs all tasks until the worker is [closed](WorkerHandle::close).
    ///
    /// It first resumes every stored task. After `close`, it returns when every controller is
    /// closed and the last status has been stored and reported. If the store fails in between, it
    /// retries the commit with the back-off of the policy.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, nothing is lost. If you then call it again, it repeats the commit
    /// that was in flight. In between, the drivers on the runtime continue. Drivers that the worker
    /// polls itself do not.
    pub async fn run(&mut self) {
        loop {
            self.desk.absorb();
            match self.desk.next() {
                Next::Act(actions) => self.desk.act(actions),
                Next::Commit(changes) => {
                    self.commit(&changes).await;
                    discard("definition", changes);
                }
                Next::Wait(until) => self.wait(until).await,
                Next::Nothing => break,
            }
        }
        self.desk.end();
    }

    /// Commits changes to the store. Handles events while the commit is in flight.
    async fn commit(&mut self, changes: &[StoreChange<E::Definition>]) {
        let Self { store, desk } = self;
        let mut commit = pin!(Some(async { store.commit(changes).await }));
        let result = loop {
            let result = poll_fn(|context| {
                if let Some(commit) = commit.as_mut().as_pin_mut()
                    && let Poll::Ready(result) = poll_caught(commit, context)
                {
                    return Poll::Ready(Some(result));
                }
                desk.poll(context).map(|()| None)
            })
            .await;
            match result {
                None => desk.absorb_and_act(),
                Some(Ok(result)) => break result,
                Some(Err(panic)) => break Err(StoreError::new(panic.of("store").to_string())),
            }
        };
        if let Err(panic) = drop_caught(commit) {
            tracing::error!(%panic, "store panicked when a commit was dropped");
        }
        if let Err(error) = &result {
            tracing::error!(error = text_of(error), "commit to the store failed");
        }
        desk.committed(result);
    }

    /// Waits for an event, or until a time.
    async fn wait(&mut self, until: Option<Duration>) {
        let desk = &mut self.desk;
        let mut sleep = until.map(|until| Sleep::until(&*desk.runtime, until));
        poll_fn(|context| {
            if desk.poll(context).is_ready() {
                return Poll::Ready(());
            }
            let (Some(sleep), Some(until)) = (&mut sleep, until) else { return Poll::Pending };
            Pin::new(sleep).poll(context).map(|()| desk.woke(until))
        })
        .await;
        if sleep.is_some_and(|sleep| sleep.is_broken()) {
            desk.wait_no_longer();
        }
    }
}

impl<E: Executor, S> Drop for Worker<E, S> {
    /// Closes every driver. Callers that wait for an answer get [`AssignError::Closed`].
    fn drop(&mut self) {
        self.desk.end();
        for seat in self.desk.common.view.seats() {
            super::driver::DriverHandle::new(seat).close();
        }
    }
}

impl<E: Executor, S> fmt::Debug for Worker<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
