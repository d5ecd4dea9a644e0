//! The host of an agent's tasks: the library's worker, with the board and the metrics of the kit.

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
use crate::kind::TaskExecutor;
use crate::metrics::{Calls, Metrics, Vitals};
use crate::spec::{SpecExecutor, TaskSpec};
use crate::tasks::Tasks;
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
    /// Starts a worker with all stored tasks. `metrics`: the metrics to record; `None`: no metrics.
    /// Must be called on a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read. Then no task was started.
    pub async fn start(
        executor: E,
        store: impl Store<TaskSpec<E::Definition>> + 'static,
        board: Arc<Board>,
        metrics: Option<Arc<Metrics>>,
    ) -> Result<Self, StoreError> {
        let (runtime, origin) = (Arc::new(TokioRuntime::current()), Instant::now());
        let store = NotedStore { store, board: Arc::clone(&board), metrics: metrics.clone() };
        let inner = SpecExecutor(executor.clone());
        let (tasks, worker) = match metrics {
            None => launch(inner, store, &runtime).await?,
            Some(metrics) => {
                launch(ObservedExecutor::new(inner, Calls::new(metrics)), store, &runtime).await?
            }
        };
        let feed = tokio::spawn(feed::feed(tasks.clone(), Arc::clone(&board), origin));
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

    /// Returns the data source of a [`MetricsServer`](crate::metrics::MetricsServer).
    #[must_use]
    pub fn vitals(&self) -> Vitals<E::Definition> {
        let runtime = Arc::clone(&self.runtime);
        Vitals { tasks: self.tasks(), runtime, worker: self.worker.abort_handle() }
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
