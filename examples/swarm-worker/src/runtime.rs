//! `SwarmExecutor`: the executor of a swarm's tasks, as containers, as processes, or as nothing.

mod commands;
mod controller;
mod noop;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use agent_kit::TaskExecutor;
use docker_agent::definition::DockerDefinition;
use docker_agent::engine::Engine;
use docker_agent::executor::DockerExecutor;
use onward::TaskStatus;
use onward::exec::{
    Assignment, BoxController, Controller as _, ControllerError, Executor, LogPublisher,
    LogSubscriptionOptions,
};
use process_agent::controller::ProcessExecutor;
use process_agent::definition::ProcessDefinition;

use crate::dependencies::SwarmDependencies;
use crate::description::{self, NodeSettings};
use crate::task::SwarmTask;
use crate::wire;
use noop::NoopController;

pub use commands::{Commands, CommandsError};
pub use controller::SwarmController;

/// Makes the controllers of a swarm's tasks. A clone is the same executor.
#[derive(Clone, Debug)]
pub struct SwarmExecutor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Runtime,
    settings: NodeSettings,
    dependencies: SwarmDependencies,
    /// The last description. The templates of tasks use it.
    node: Mutex<Option<Arc<wire::NodeDescription>>>,
}

#[derive(Debug)]
enum Runtime {
    Docker(Engine, DockerExecutor),
    Process(Commands, ProcessExecutor),
    Noop,
}

/// The definition of a workload, by runtime.
#[derive(Clone, Debug, PartialEq)]
enum Expanded {
    Container(Box<DockerDefinition>),
    Process(Box<ProcessDefinition>),
    Nothing,
}

impl Expanded {
    fn container(&self) -> Option<&DockerDefinition> {
        if let Self::Container(container) = self { Some(container) } else { None }
    }

    fn process(&self) -> Option<&ProcessDefinition> {
        if let Self::Process(process) = self { Some(process) } else { None }
    }
}

impl SwarmExecutor {
    /// Runs tasks as containers of this engine.
    ///
    /// The containers belong to the node `node_id`, and bear SwarmKit's names and labels. Secrets
    /// and configs are written below `files`, which must be on a tmpfs of the engine's host, such
    /// as `/run`.
    ///
    /// An image that the engine has is not pulled again. So an image with a digest, which the
    /// manager adds to the tag if it can, is always the one of the service. Without a digest, it is
    /// the one that the engine has. SwarmKit's agent tries to pull such an image each time, and
    /// falls back to the engine's. A task whose image cannot be pulled is rejected, and one whose
    /// container the engine cannot start fails, as with SwarmKit's agent. So the manager can make
    /// another task, perhaps on another node.
    #[must_use]
    pub fn docker(
        engine: Engine,
        node_id: &str,
        files: impl Into<PathBuf>,
        settings: NodeSettings,
        dependencies: SwarmDependencies,
    ) -> Self {
        let executor = DockerExecutor::builder(engine.clone(), node_id)
            .with_dependencies(dependencies.clone())
            .with_files(files)
            .with_retries(false)
            .build();
        Self::with(Runtime::Docker(engine, executor), settings, dependencies)
    }

    /// Runs tasks as processes. The image of a service is the name of an entry in `commands`. An
    /// option of a service that processes do not have is refused by name.
    ///
    /// The tasks have their directories in `dir`, which must exist and have nothing else in it. The
    /// program must be able to run as a keeper: call [`process_agent::keeper::run_if_asked`] first
    /// in `main`.
    #[must_use]
    pub fn process(
        dir: impl Into<PathBuf>,
        commands: Commands,
        settings: NodeSettings,
        dependencies: SwarmDependencies,
    ) -> Self {
        Self::with(Runtime::Process(commands, ProcessExecutor::new(dir)), settings, dependencies)
    }

    /// Runs nothing: every task is RUNNING until the manager ends it. For load tests.
    #[must_use]
    pub fn noop(settings: NodeSettings, dependencies: SwarmDependencies) -> Self {
        Self::with(Runtime::Noop, settings, dependencies)
    }

    fn with(runtime: Runtime, settings: NodeSettings, dependencies: SwarmDependencies) -> Self {
        Self(Arc::new(Inner { runtime, settings, dependencies, node: Mutex::default() }))
    }

    /// Describes the node for the manager. `tls_info` is left out.
    ///
    /// # Errors
    ///
    /// The engine does not answer. The error is temporary.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, nothing has changed.
    pub async fn describe(&self) -> Result<wire::NodeDescription, ControllerError> {
        let Inner { runtime, settings, node, .. } = &*self.0;
        let described = match runtime {
            Runtime::Docker(engine, _) => description::of_engine(engine, settings).await?,
            Runtime::Process(..) | Runtime::Noop => description::of_host(settings),
        };
        *node.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(described.clone()));
        Ok(described)
    }

    /// The last description.
    async fn node(&self) -> Result<Arc<wire::NodeDescription>, ControllerError> {
        let known = self.0.node.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(known) => Ok(known),
            None => self.describe().await.map(Arc::new),
        }
    }

    /// The definition of the workload that the runtime runs for a task on this node.
    fn expand(
        &self,
        task: &SwarmTask,
        node: &wire::NodeDescription,
    ) -> Result<Expanded, ControllerError> {
        let definition = task.expand(node).map_err(ControllerError::new)?;
        match &self.0.runtime {
            Runtime::Docker(..) => Ok(Expanded::Container(Box::new(definition))),
            Runtime::Process(commands, _) => {
                let process = commands.process(&definition).map_err(ControllerError::new)?;
                Ok(Expanded::Process(Box::new(process)))
            }
            Runtime::Noop => Ok(Expanded::Nothing),
        }
    }
}

impl Executor for SwarmExecutor {
    type Definition = SwarmTask;
    type Controller = SwarmController;

    async fn controller(
        &self,
        assignment: &Assignment<SwarmTask>,
    ) -> Result<SwarmController, ControllerError> {
        let Assignment { id, definition: task, .. } = assignment;
        let node = self.node().await?;
        let workload: BoxController<Expanded> = match (&self.0.runtime, self.expand(task, &node)?) {
            (Runtime::Docker(_, executor), Expanded::Container(container)) => {
                let assignment = Assignment::new(&**id, *container);
                executor.controller(&assignment).await?.boxed_for(Expanded::container)
            }
            (Runtime::Process(_, executor), Expanded::Process(process)) => {
                let assignment = Assignment::new(&**id, *process);
                executor.controller(&assignment).await?.boxed_for(Expanded::process)
            }
            _ => NoopController.boxed(),
        };
        Ok(SwarmController::new(self.clone(), workload, node, task))
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        match &self.0.runtime {
            Runtime::Docker(_, executor) => executor.list().await,
            Runtime::Process(_, executor) => executor.list().await,
            Runtime::Noop => Ok(Vec::new()),
        }
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        match &self.0.runtime {
            Runtime::Docker(_, executor) => executor.reconcile(id).await,
            Runtime::Process(_, executor) => executor.reconcile(id).await,
            Runtime::Noop => Ok(()),
        }
    }
}

impl TaskExecutor for SwarmExecutor {
    async fn logs(
        &self,
        id: &str,
        task: &SwarmTask,
        publisher: impl LogPublisher,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        let node = self.node().await?;
        match (&self.0.runtime, self.expand(task, &node)?) {
            (Runtime::Docker(_, executor), Expanded::Container(container)) => {
                executor.logs(id, &container, publisher, options, ended).await
            }
            (Runtime::Process(_, executor), Expanded::Process(process)) => {
                executor.logs(id, &process, publisher, options, ended).await
            }
            _ => Ok(()),
        }
    }

    async fn settle(&self) {
        match &self.0.runtime {
            Runtime::Docker(_, executor) => executor.settle().await,
            Runtime::Process(_, executor) => executor.settle().await,
            Runtime::Noop => {}
        }
    }

    fn details(&self, id: &str, status: &TaskStatus) -> BTreeMap<String, String> {
        match &self.0.runtime {
            Runtime::Docker(_, executor) => executor.details(id, status),
            Runtime::Process(_, executor) => executor.details(id, status),
            Runtime::Noop => BTreeMap::new(),
        }
    }
}
