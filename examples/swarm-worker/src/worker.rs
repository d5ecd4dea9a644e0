//! The running worker: its tasks, and its sessions with the managers.

mod ending;
mod sessions;

use std::sync::{Arc, Mutex};

use agent_kit::Program;
use agent_kit::board::Board;
use agent_kit::host::Host;
use agent_kit::http::Served;
use agent_kit::metrics::Recorded;
use agent_kit::spec::TaskSpec;
use agent_kit::tasks::Tasks;
use onward::agent::Store;
use onward::agent::store::StoreError;

use crate::credentials::Credentials;
use crate::dependencies::SwarmDependencies;
use crate::managers::Managers;
use crate::runtime::SwarmExecutor;
use crate::session::Node;
use crate::task::SwarmTask;
pub use ending::{Remaining, end_tasks};

/// A worker of a swarm. It runs the stored tasks from the start, even if no manager can be reached.
pub struct Worker {
    host: Host<SwarmExecutor>,
    node: Node,
}

impl Worker {
    /// Starts the stored tasks. `recorded`: what is recorded for HTTP; `None`: nothing. Must be called
    /// on a Tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read. Then no task was started.
    pub async fn start(
        store: impl Store<TaskSpec<SwarmTask>> + 'static,
        credentials: Credentials,
        executor: SwarmExecutor,
        dependencies: SwarmDependencies,
        board: Arc<Board>,
        recorded: Option<Recorded>,
    ) -> Result<Self, StoreError> {
        let host = Host::start(executor, store, Arc::clone(&board), recorded).await?;
        let identity = credentials.identity();
        let known = identity.managers().iter().filter_map(|address| address.parse().ok());
        let managers = Arc::new(Mutex::new(Managers::new(known)));
        let (executor, tasks, runtime) = (host.executor(), host.tasks(), host.runtime());
        let node = Node { credentials, executor, tasks, dependencies, runtime, board, managers };
        Ok(Self { host, node })
    }

    /// Returns a handle to the tasks.
    #[must_use]
    pub fn tasks(&self) -> Tasks<SwarmTask> {
        self.host.tasks()
    }

    /// Returns what an HTTP server serves.
    #[must_use]
    pub fn served(&self, program: Program) -> Served<SwarmExecutor> {
        self.host.served(program)
    }

    /// Keeps a session with a manager, until the node is removed from the swarm. The tasks keep
    /// running then; see [`end_tasks`].
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the session ends. You can call it again.
    pub async fn serve(&self) {
        sessions::keep(&self.node).await;
    }

    /// Shows the final state of the tasks, and closes the worker. The workloads keep running.
    pub async fn close(mut self) {
        self.host.show_last().await;
        self.host.close().await;
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("host", &self.host).finish_non_exhaustive()
    }
}
