//! The agent: runs the tasks of a task file until it is told to end.
//!
//! It receives [`Order`]s, for example a changed task file. From the file, the time and the orders,
//! the `Assigner` computes the full set of assignments. The worker then applies it.

mod assigner;
mod order;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use onward::TaskStatus;
use onward::agent::Store;
use onward::agent::store::StoreError;
use onward::agent::worker::ChangedTasks;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::board::Board;
use crate::host::Host;
use crate::http::Served;
use crate::kind::{FileDefinition, TaskExecutor};
use crate::metrics::Recorded;
use crate::output::Output;
use crate::program::Program;
use crate::spec::TaskSpec;
use crate::task_file::TaskFile;
use crate::tasks::Tasks;
use assigner::Assigner;
pub use order::Order;

/// When an agent ends, and what happens to its tasks then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The agent ends when all tasks have ended, by themselves or after [`Order::End`]. Then it
    /// removes all of them.
    WithTasks,
    /// The agent ends on [`Order::End`]. It shuts the running tasks down first and removes them
    /// from the store, so that the next agent starts them again.
    StopTasks,
    /// The agent ends on [`Order::End`]. The tasks keep running, and the next agent finds them.
    LeaveTasks,
}

/// Everything that an agent needs to start.
#[derive(Debug)]
pub struct Setup<E: TaskExecutor> {
    /// The executor, which makes the controllers of the tasks.
    pub executor: E,
    /// The task file.
    pub file: TaskFile<E::Definition>,
    /// When the agent ends, and what happens to its tasks then.
    pub ending: Ending,
    /// Where the agent prints the output of the tasks.
    pub output: Output,
    /// What is recorded for HTTP. `None`: nothing.
    pub recorded: Option<Recorded>,
}

/// The result of [`Agent::run`]: the tasks as the agent left them.
#[derive(Debug, Default)]
pub struct Report {
    /// The last status of each task.
    pub statuses: Vec<TaskStatus>,
    /// The tasks that could not be removed: the name of each, and the error.
    pub removal_errors: Vec<(String, String)>,
}

/// An agent that has loaded its store and its task file. Call [`run`](Self::run) next.
#[derive(Debug)]
pub struct Agent<E: TaskExecutor> {
    assigner: Assigner<E>,
    ending: Ending,
    host: Host<E>,
}

impl<E: TaskExecutor<Definition: FileDefinition> + 'static> Agent<E> {
    /// Starts a worker with all stored tasks and those of the file. Must be called on a Tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read. Then no task was started.
    pub async fn start(
        store: impl Store<TaskSpec<E::Definition>> + 'static,
        setup: Setup<E>,
        board: Arc<Board>,
    ) -> Result<Self, StoreError> {
        let Setup { executor, file, ending, output, recorded } = setup;
        let host = Host::start(executor, store, Arc::clone(&board), recorded).await?;
        let mut assigner = Assigner::new(host.tasks(), host.executor(), file, board, output);
        assigner.assign(&[]).await;
        Ok(Self { assigner, ending, host })
    }

    /// Returns the executor.
    #[must_use]
    pub fn executor(&self) -> E {
        self.host.executor()
    }

    /// Returns a handle to the worker, with which you can read and change the tasks.
    #[must_use]
    pub fn tasks(&self) -> Tasks<E::Definition> {
        self.host.tasks()
    }

    /// Returns what an [`HttpServer`](crate::http::HttpServer) serves.
    #[must_use]
    pub fn served(&self, program: Program) -> Served<E> {
        self.host.served(program)
    }

    /// Runs the tasks and carries out the orders, until the agent [ends](Ending).
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the workloads keep running. Their drivers run until the runtime
    /// ends.
    pub async fn run(self, mut orders: mpsc::UnboundedReceiver<Order<E::Definition>>) -> Report {
        let Self { mut assigner, ending, mut host } = self;
        let mut changes = host.tasks().changes();
        // The first item is ready at once, and contains all tasks.
        let mut changed = changes.next().await;
        let mut unfinished = Unfinished::default();
        let (mut is_ending, mut killed) = (false, false);
        loop {
            if let Some(changed) = changed.take() {
                unfinished.apply(&changed);
                assigner.show_new(&changed);
            }
            let is_over = match ending {
                Ending::WithTasks => unfinished.0.is_empty(),
                Ending::StopTasks => is_ending && unfinished.0.is_empty(),
                Ending::LeaveTasks => is_ending,
            };
            if is_over {
                break;
            }
            let due = assigner.due();
            tokio::select! {
                // The stream ends only when it is closed, below.
                next @ Some(_) = changes.next() => changed = next,
                () = until(due) => assigner.assign(&[]).await,
                Some(order) = orders.recv() => match order {
                    Order::File(file) => assigner.reload(file).await,
                    Order::Stop(names, reply) => _ = reply.send(assigner.stop(&names).await),
                    Order::End => {
                        is_ending = true;
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
        let statuses = host.show_last().await;
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
        host.close().await;
        Report { statuses, removal_errors }
    }
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

/// Completes at this moment. Never completes for `None`.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => futures::future::pending().await,
    }
}
