//! The host of an agent's tasks: the library's worker, with the board and the metrics of the kit.

mod executor;
mod feed;
mod store;

use std::sync::Arc;
use std::time::Instant;

use onward::agent::store::StoreError;
use onward::agent::{Store, TokioRuntime, Worker, WorkerHandle};
use onward::exec::ObservedExecutor;
use onward::{Executor, TaskStatus};
use tokio::task::JoinHandle;

use crate::board::Board;
use crate::http::Served;
use crate::kind::TaskExecutor;
use crate::metrics::{Calls, Recorded, Vitals};
use crate::program::Program;
use crate::spec::{SpecExecutor, TaskSpec};
use crate::tasks::Tasks;
use executor::NotedExecutor;
use store::NotedStore;

/// Runs the tasks of an agent, and shows them on a board. It does not assign any: use
/// [`tasks`](Self::tasks) for that.
#[derive(Debug)]
pub struct Host<E: TaskExecutor> {
    executor: E,
    tasks: Tasks<E::Definition>,
    board: Arc<Board>,
    /// The moment at which the time of the worker's runtime is 0.
    origin: Instant,
    runtime: Arc<TokioRuntime>,
    worker: JoinHandle<()>,
    feed: JoinHandle<()>,
}

impl<E: TaskExecutor + 'static> Host<E> {
    /// Starts a worker with all stored tasks. `recorded`: what is recorded for HTTP; `None`: nothing.
    /// Must be called on a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read. Then no task was started.
    pub async fn start(
        executor: E,
        store: impl Store<TaskSpec<E::Definition>> + 'static,
        board: Arc<Board>,
        recorded: Option<Recorded>,
    ) -> Result<Self, StoreError> {
        let (runtime, origin) = (Arc::new(TokioRuntime::current()), Instant::now());
        let metrics = recorded.as_ref().map(|recorded| Arc::clone(&recorded.metrics));
        let history = recorded.as_ref().map(|recorded| Arc::clone(&recorded.history));
        let store = NotedStore { store, board: Arc::clone(&board), metrics };
        let inner = NotedExecutor::new(SpecExecutor(executor.clone()), Arc::clone(&board));
        let (tasks, worker) = match recorded {
            None => launch(inner, store, &runtime).await?,
            Some(recorded) => {
                launch(ObservedExecutor::new(inner, Calls::new(recorded)), store, &runtime).await?
            }
        };
        let feed = tokio::spawn(feed::feed(tasks.clone(), Arc::clone(&board), history, origin));
        Ok(Self { executor, tasks, board, origin, runtime, worker, feed })
    }

    /// Returns the executor.
    #[must_use]
    pub fn executor(&self) -> E {
        self.executor.clone()
    }

    /// Returns a handle to the worker, with which you can read and change the tasks.
    #[must_use]
    pub fn tasks(&self) -> Tasks<E::Definition> {
        self.tasks.clone()
    }

    /// Returns the runtime of the worker.
    #[must_use]
    pub fn runtime(&self) -> Arc<TokioRuntime> {
        Arc::clone(&self.runtime)
    }

    /// Returns what an [`HttpServer`](crate::http::HttpServer) serves.
    #[must_use]
    pub fn served(&self, program: Program) -> Served<E> {
        let (tasks, runtime) = (self.tasks(), self.runtime());
        let vitals = Vitals { tasks, runtime, worker: self.worker.abort_handle() };
        Served { program, executor: self.executor(), board: Arc::clone(&self.board), vitals }
    }

    /// Shows the current state of all tasks for the last time, and returns their statuses. From
    /// then on, the board does not change.
    pub async fn show_last(&mut self) -> Vec<TaskStatus> {
        self.feed.abort();
        _ = (&mut self.feed).await;
        feed::show_all(&self.board, &self.tasks, self.origin)
    }

    /// Closes the worker. The workloads keep running, and the next host on the same store finds
    /// them. Returns when the last status is stored and the executor is
    /// [settled](TaskExecutor::settle).
    pub async fn close(self) {
        self.tasks.close();
        if let Err(panic) = self.worker.await {
            tracing::error!("the worker panicked: {panic}");
        }
        self.executor.settle().await;
    }
}

/// Starts a worker in a Tokio task of its own.
async fn launch<E: Executor + 'static>(
    executor: E,
    store: impl Store<E::Definition> + 'static,
    runtime: &Arc<TokioRuntime>,
) -> Result<(WorkerHandle<E::Definition>, JoinHandle<()>), StoreError> {
    let mut worker = Worker::open(executor, store, Arc::clone(runtime) as _).await?;
    let tasks = worker.handle();
    Ok((tasks, tokio::spawn(async move { worker.run().await })))
}
