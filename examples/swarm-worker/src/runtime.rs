//! `SwarmExecutor`: the executor of a swarm's tasks, as containers, as processes, or as nothing.

mod commands;

use std::path::PathBuf;
use std::sync::Arc;

use agent_kit::TaskExecutor;
use docker_agent::engine::Engine;
use docker_agent::executor::DockerExecutor;
use onward::exec::{
    Assignment, BoxController, ControllerError, Executor, LogPublisher, LogSubscriptionOptions,
};
use process_agent::controller::ProcessExecutor;

use crate::dependencies::SwarmDependencies;
use crate::description::NodeSettings;
use crate::task::{SwarmTask, Workload};
use crate::wire;

pub use commands::{Commands, CommandsError};

/// Makes the controllers of a swarm's tasks. A clone is the same executor.
#[derive(Clone, Debug)]
pub struct SwarmExecutor {
    runtime: Arc<Runtime>,
    dependencies: SwarmDependencies,
    settings: Arc<NodeSettings>,
}

#[derive(Debug)]
enum Runtime {
    Docker(Engine, DockerExecutor),
    Process(Commands, ProcessExecutor),
    Noop,
}

impl SwarmExecutor {
    /// Runs tasks as containers of this engine.
    ///
    /// `node_id` marks the containers as this node's. Secrets and configs are written below
    /// `files`, which must be on a tmpfs of the engine's host, such as `/run`.
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
            .build();
        Self::with(Runtime::Docker(engine, executor), settings, dependencies)
    }

    /// Runs tasks as processes. The image of a service is the name of an entry in `commands`.
    ///
    /// The tasks have their directories in `dir`, which must exist. The program must be able to run
    /// as a keeper: call [`process_agent::keeper::run_if_asked`] first in `main`.
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
        Self { runtime: Arc::new(runtime), dependencies, settings: Arc::new(settings) }
    }

    /// Describes the node for the manager. `tls_info` is left out.
    ///
    /// # Errors
    ///
    /// The engine does not answer. The error is temporary.
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be called again.
    pub async fn describe(&self) -> Result<wire::NodeDescription, ControllerError> {
        _ = &self.settings;
        Err(ControllerError::new("not known").temporary())
    }
}

impl Executor for SwarmExecutor {
    type Definition = SwarmTask;
    type Controller = BoxController<SwarmTask>;

    async fn controller(
        &self,
        task: &Assignment<SwarmTask>,
    ) -> Result<Self::Controller, ControllerError> {
        match &task.definition.workload {
            Workload::Container(_) => Err(ControllerError::new("not known")),
            Workload::Refused(reason) => Err(ControllerError::new(reason.clone())),
        }
    }
}

impl TaskExecutor for SwarmExecutor {
    async fn logs(
        &self,
        id: &str,
        definition: &SwarmTask,
        publisher: impl LogPublisher,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        _ = (id, definition, publisher, options, ended);
        Ok(())
    }
}
