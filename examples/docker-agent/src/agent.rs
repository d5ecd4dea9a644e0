//! `AgentExecutor`, which runs containers and processes in one agent.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent_kit::TaskExecutor;
use onward::TaskStatus;
use onward::exec::{
    Assignment, BoxController, Controller as _, ControllerError, Executor, LogPublisher,
    LogSubscriptionOptions,
};
use process_agent::controller::ProcessExecutor;
use process_agent::definition::ProcessDefinition;
use rustix::rand::{GetRandomFlags, getrandom};
use tokio::sync::OnceCell;

use crate::definition::DockerDefinition;
use crate::engine::Engine;
use crate::executor::DockerExecutor;
use crate::login::DockerLogin;
use crate::task::TaskDefinition;

/// The file with the id of the agent. The name of a task cannot begin with a dot.
const ID_FILE: &str = ".agent-id";

/// Makes the controllers of container tasks and of process tasks. A clone is the same executor.
///
/// An agent that never has a container task needs no engine.
#[derive(Clone, Debug)]
pub struct AgentExecutor {
    dir: PathBuf,
    engine: Engine,
    processes: ProcessExecutor,
    containers: Arc<OnceCell<DockerExecutor>>,
}

impl AgentExecutor {
    /// Makes an executor that keeps its files in `dir`. An executor of the same directory finds the
    /// containers and processes again.
    pub fn new(engine: Engine, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let processes = ProcessExecutor::new(&dir);
        Self { dir, engine, processes, containers: Arc::default() }
    }

    /// Sets the program that is started as the keeper of a process. Default: the running program.
    #[must_use]
    pub fn with_keeper_program(self, program: impl Into<PathBuf>) -> Self {
        Self { processes: self.processes.with_program(program), ..self }
    }

    /// Returns the executor of containers. The first one on this directory gives the agent its id.
    async fn containers(&self) -> Result<&DockerExecutor, ControllerError> {
        let make = async || {
            let path = self.dir.join(ID_FILE);
            let known = read_id(&path)?;
            let is_new = known.is_none();
            let id = known.map_or_else(|| new_id(&path), Ok)?;
            let builder = DockerExecutor::builder(self.engine.clone(), id).with_new_id(is_new);
            Ok(builder.with_dependencies(DockerLogin::from_env()).build())
        };
        self.containers.get_or_try_init(make).await
    }

    /// Returns the executor of containers, or `None` if this agent has never had a container.
    async fn known_containers(&self) -> Result<Option<&DockerExecutor>, ControllerError> {
        match read_id(&self.dir.join(ID_FILE))? {
            Some(_) => self.containers().await.map(Some),
            None => Ok(None),
        }
    }
}

fn read_id(path: &Path) -> Result<Option<String>, ControllerError> {
    match fs::read_to_string(path) {
        Ok(id) if is_id(&id) => Ok(Some(id)),
        Ok(id) => Err(ControllerError::new(format!(
            "{}: {id:?} is not the id of an agent; restore the file, or remove the agent's containers \
             and then the file",
            path.display()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, error)),
    }
}

fn new_id(path: &Path) -> Result<String, ControllerError> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|error| unusable(path, error.into()))?;
    let id = format!("{:016x}", u64::from_be_bytes(bytes));
    let dir = path.parent().unwrap_or(path);
    let write = || {
        let file = tempfile::NamedTempFile::new_in(dir)?;
        fs::write(file.path(), &id)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(dir)?.sync_all()
    };
    write().map_err(|error| unusable(path, error))?;
    Ok(id)
}

fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unusable(path: &Path, error: io::Error) -> ControllerError {
    let message = format!("cannot use {}, the file with the agent's id", path.display());
    ControllerError::new(message).with_source(error).temporary()
}

/// Returns the assignment with a definition of one kind.
fn with<D>(task: &Assignment<TaskDefinition>, definition: D) -> Assignment<D> {
    Assignment::new(&*task.id, definition).with_desired_state(task.desired_state)
}

impl Executor for AgentExecutor {
    type Definition = TaskDefinition;
    type Controller = BoxController<TaskDefinition>;

    async fn controller(
        &self,
        task: &Assignment<TaskDefinition>,
    ) -> Result<BoxController<TaskDefinition>, ControllerError> {
        match &task.definition {
            TaskDefinition::Container(container) => {
                let task = with(task, DockerDefinition::clone(container));
                let controller = self.containers().await?.controller(&task).await?;
                Ok(controller.boxed_for(|task| match task {
                    TaskDefinition::Container(container) => Some(&**container),
                    TaskDefinition::Process(_) => None,
                }))
            }
            TaskDefinition::Process(process) => {
                let task = with(task, ProcessDefinition::clone(process));
                let controller = self.processes.controller(&task).await?;
                Ok(controller.boxed_for(|task| match task {
                    TaskDefinition::Process(process) => Some(&**process),
                    TaskDefinition::Container(_) => None,
                }))
            }
        }
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        let mut ids = self.processes.list().await?;
        if let Some(containers) = self.known_containers().await? {
            ids.extend(containers.list().await?);
        }
        Ok(ids)
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        self.processes.reconcile(id).await?;
        match self.known_containers().await? {
            Some(containers) => containers.reconcile(id).await,
            None => Ok(()),
        }
    }
}

impl TaskExecutor for AgentExecutor {
    async fn logs(
        &self,
        id: &str,
        definition: &TaskDefinition,
        publisher: impl LogPublisher,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        match definition {
            TaskDefinition::Container(container) => {
                self.containers().await?.logs(id, container, publisher, options, ended).await
            }
            TaskDefinition::Process(process) => {
                self.processes.logs(id, process, publisher, options, ended).await
            }
        }
    }

    async fn settle(&self) {
        if let Some(containers) = self.containers.get() {
            containers.settle().await;
        }
    }

    fn details(&self, id: &str, status: &TaskStatus) -> BTreeMap<String, String> {
        let container = status.container_status.as_ref().map(|found| &*found.container_id);
        match (container, self.containers.get()) {
            // The id of a process task is that of the task.
            (Some(container), Some(containers)) if container != id => {
                containers.details(id, status)
            }
            _ => self.processes.details(id, status),
        }
    }
}
