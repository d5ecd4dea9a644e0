//! The agent: a worker with the tasks of a file, until it is told to end.
//!
//! What it is to do comes in as [`Order`]s. From the file, the time and the orders, the
//! `Assigner` makes one full set of assignments, again and again, and the worker makes it true.

mod assigner;
mod feed;
mod order;
mod store;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use onward::agent::store::StoreError;
use onward::agent::worker::ChangedTasks;
use onward::agent::{Store, TokioRuntime, Worker, WorkerHandle};
use onward::exec::ObservedExecutor;
use onward::{Executor, TaskStatus};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::board::Board;
use crate::kind::TaskExecutor;
use crate::metrics::{Calls, Metrics, Vitals};
use crate::output::Output;
use crate::spec::{SpecExecutor, TaskSpec};
use crate::task_file::TaskFile;
use crate::tasks::Tasks;
use assigner::Assigner;
pub use order::Order;
use store::NotedStore;

/// How an agent ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// When all tasks have ended, by themselves or since it was told to end. All of them are
    /// removed then.
    WithTasks,
    /// When it is told to. It shuts all tasks down first, and forgets those, so that the next
    /// agent begins them anew.
    StopTasks,
    /// When it is told to. All tasks go on; the next agent finds them.
    LeaveTasks,
}

/// What an agent begins with.
#[derive(Debug)]
pub struct Setup<E: TaskExecutor> {
    /// Makes the controllers of the tasks.
    pub executor: E,
    /// The tasks.
    pub file: TaskFile<E::Definition>,
    /// How it ends.
    pub ending: Ending,
    /// Where it is shown what the tasks say.
    pub output: Output,
    /// The metrics to write, if they are served.
    pub metrics: Option<Arc<Metrics>>,
}

/// What has become of the tasks.
#[derive(Debug, Default)]
pub struct Report {
    /// Their last statuses.
    pub statuses: Vec<TaskStatus>,
    /// The tasks whose removal failed: the name of each and the error.
    pub removal_errors: Vec<(String, String)>,
}

/// An agent that has taken up what its store has, and what its file says.
#[derive(Debug)]
pub struct Agent<E: TaskExecutor> {
    assigner: Assigner<E>,
    ending: Ending,
    executor: E,
    tasks: Tasks<E::Definition>,
    board: Arc<Board>,
    /// When the time of the worker's runtime began.
    origin: std::time::Instant,
    runtime: Arc<TokioRuntime>,
    worker: tokio::task::JoinHandle<()>,
}

impl<E: TaskExecutor + 'static> Agent<E> {
    /// Takes up every task that is stored, and those of the file. Must be called on a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// The store cannot be read. Nothing was begun.
    pub async fn start(
        store: impl Store<TaskSpec<E::Definition>> + 'static,
        setup: Setup<E>,
        board: Arc<Board>,
    ) -> Result<Self, StoreError> {
        let Setup { executor, file, ending, output, metrics } = setup;
        let (runtime, origin) = (Arc::new(TokioRuntime::current()), std::time::Instant::now());
        let store = NotedStore { store, board: Arc::clone(&board), metrics: metrics.clone() };
        let inner = SpecExecutor(executor.clone());
        let (tasks, worker) = match metrics {
            None => launch(inner, store, &runtime).await?,
            Some(metrics) => {
                launch(ObservedExecutor::new(inner, Calls::new(metrics)), store, &runtime).await?
            }
        };
        let shown = Arc::clone(&board);
        let mut assigner = Assigner::new(tasks.clone(), executor.clone(), file, shown, output);
        assigner.assign(&[]).await;
        Ok(Self { assigner, ending, executor, tasks, board, origin, runtime, worker })
    }

    /// What runs its tasks.
    #[must_use]
    pub fn executor(&self) -> E {
        self.executor.clone()
    }

    /// How others see its tasks.
    #[must_use]
    pub fn tasks(&self) -> Tasks<E::Definition> {
        self.tasks.clone()
    }

    /// What a [`MetricsServer`](crate::metrics::MetricsServer) looks at.
    #[must_use]
    pub fn vitals(&self) -> Vitals<E::Definition> {
        let runtime = Arc::clone(&self.runtime);
        Vitals { tasks: self.tasks(), runtime, worker: self.worker.abort_handle() }
    }

    /// Does what it is told until its end.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the tasks go on, and their drivers until the runtime ends.
    pub async fn run(self, mut orders: mpsc::UnboundedReceiver<Order<E::Definition>>) -> Report {
        let Self { mut assigner, ending, tasks, board, origin, worker, .. } = self;
        let feed = tokio::spawn(feed::feed(tasks.clone(), Arc::clone(&board), origin));
        let mut changes = tasks.changes();
        // The first item has all tasks, and is there at once.
        let mut changed = changes.next().await;
        let mut unfinished = Unfinished::default();
        let (mut told_to_end, mut killed) = (false, false);
        loop {
            if let Some(changed) = changed.take() {
                unfinished.apply(&changed);
                assigner.show_new(&changed);
            }
            let is_over = match ending {
                Ending::WithTasks => unfinished.0.is_empty(),
                Ending::StopTasks => told_to_end && unfinished.0.is_empty(),
                Ending::LeaveTasks => told_to_end,
            };
            if is_over {
                break;
            }
            let due = assigner.due();
            tokio::select! {
                // It ends only when it is closed, below.
                next @ Some(_) = changes.next() => changed = next,
                () = until(due) => assigner.assign(&[]).await,
                Some(order) = orders.recv() => match order {
                    Order::File(file) => assigner.reload(file).await,
                    Order::Stop(names, told) => _ = told.send(assigner.stop(&names).await),
                    Order::End => {
                        told_to_end = true;
                        if ending != Ending::LeaveTasks {
                            assigner.end().await;
                        }
                    }
                    Order::Kill => {
                        killed = true;
                        assigner.kill();
                    }
                },
            }
        }
        // From here on the board shows what has become of the tasks.
        feed.abort();
        _ = feed.await;
        let statuses = feed::show_all(&board, &tasks, origin);
        let removal_errors = match ending {
            Ending::WithTasks => {
                if !killed {
                    assigner.show_all(&mut orders).await;
                }
                assigner.remove_all().await
            }
            Ending::StopTasks => assigner.forget_ended().await,
            Ending::LeaveTasks => Vec::new(),
        };
        tasks.close();
        if let Err(panic) = worker.await {
            tracing::error!("the worker has ended before its time: {panic}");
        }
        Report { statuses, removal_errors }
    }
}

/// Starts a worker in a task of its own.
async fn launch<E: Executor + 'static>(
    executor: E,
    store: impl Store<E::Definition> + 'static,
    runtime: &Arc<TokioRuntime>,
) -> Result<(WorkerHandle<E::Definition>, tokio::task::JoinHandle<()>), StoreError> {
    let mut worker = Worker::open(executor, store, Arc::clone(runtime) as _).await?;
    let tasks = worker.handle();
    Ok((tasks, tokio::spawn(async move { worker.run().await })))
}

/// The names of the tasks that have not ended.
#[derive(Debug, Default)]
struct Unfinished(BTreeSet<Arc<str>>);

impl Unfinished {
    fn apply<D>(&mut self, changed: &ChangedTasks<D>) {
        for name in &changed.removed {
            self.0.remove(name);
        }
        for task in &changed.tasks {
            if task.has_ended() {
                self.0.remove(task.id());
            } else {
                self.0.insert(task.id().into());
            }
        }
    }
}

/// Ready at that moment; never where there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => futures::future::pending().await,
    }
}
