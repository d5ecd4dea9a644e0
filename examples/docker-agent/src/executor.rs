//! `DockerExecutor`, which makes the controllers of container tasks and finds the rests of
//! tasks.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use agent_kit::TaskExecutor;
use bollard::errors::Error as ClientError;
use bollard::query_parameters::ListContainersOptions;
use onward::TaskStatus;
use onward::exec::{Assignment, ControllerError, Executor, LogPublisher, LogSubscriptionOptions};
use tokio::sync::{Mutex, RwLock};

use crate::container::Container;
use crate::controller::DockerController;
use crate::definition::DockerDefinition;
use crate::dependencies::{Dependencies, NoDependencies};
use crate::engine::Engine;
use crate::error::{failed, failed_once, unanswered};
use crate::events::Events;
use crate::files::Files;
use crate::jobs::Jobs;
use crate::labels;
use crate::logs::DockerLogs;
use crate::name::{MAX_LEN, container_name, task_of};

/// Makes the controllers of container tasks on one engine. A clone is the same executor.
///
/// Its containers and networks have the label [`labels::AGENT`] with the agent's id. It touches
/// no others. Two agents on one engine need different ids.
#[derive(Clone, Debug)]
pub struct DockerExecutor(Arc<Shared>);

/// The parts of an executor that all its tasks share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) agent: String,
    /// Whether the agent's id is new.
    is_new: bool,
    pub(crate) jobs: Jobs,
    pub(crate) events: Events,
    pub(crate) files: Option<Files>,
    pub(crate) dependencies: Arc<dyn Dependencies>,
    /// Held for reading while a task is prepared, and for writing while networks are removed.
    pub(crate) networks: RwLock<()>,
    /// Held while networks are looked for and made.
    pub(crate) new_networks: Mutex<()>,
    pub(crate) has_port_doubles: bool,
    pub(crate) retries: bool,
}

impl Shared {
    /// Whether the engine has nothing of this agent, because no request has reached it yet.
    pub(crate) fn has_nothing(&self) -> bool {
        self.is_new && !self.engine.was_reached()
    }

    /// The error of a request that makes or starts a container.
    pub(crate) fn failed(
        &self,
        what: impl Into<Cow<'static, str>>,
        error: ClientError,
    ) -> ControllerError {
        if self.retries { failed(what, error) } else { failed_once(what, error) }
    }
}

/// The settings of a [`DockerExecutor`].
#[derive(Clone)]
pub struct DockerExecutorBuilder {
    engine: Engine,
    agent: String,
    is_new: bool,
    files: Option<PathBuf>,
    dependencies: Arc<dyn Dependencies>,
    has_port_doubles: bool,
    retries: bool,
}

impl DockerExecutorBuilder {
    /// Secrets, configs and credentials come from `dependencies`. Secrets and configs also need
    /// [`with_files`](Self::with_files). Default: there are none.
    #[must_use]
    pub fn with_dependencies(self, dependencies: impl Dependencies) -> Self {
        Self { dependencies: Arc::new(dependencies), ..self }
    }

    /// Secrets and configs are written to files in this directory, which must be on a tmpfs of the
    /// engine's host, for example below `/run`. It is created when a task has files, and removed
    /// with the last of them. Two agents need different directories. Only the agent's user may have
    /// access to it, and no other user may be able to replace it or a directory above it. Default: no
    /// task can have secrets or configs.
    #[must_use]
    pub fn with_files(self, dir: impl Into<PathBuf>) -> Self {
        Self { files: Some(dir.into()), ..self }
    }

    /// Whether a port that is published for IPv4 and for IPv6 is reported twice, as SwarmKit's
    /// agent does. Default: once.
    #[must_use]
    pub fn with_port_doubles(self, doubles: bool) -> Self {
        Self { has_port_doubles: doubles, ..self }
    }

    /// Whether a task waits if a registry cannot be reached, or if the engine has an error of its own
    /// when it makes or starts a container. Otherwise the task ends, so that a scheduler can make
    /// another one, perhaps on another node. Default: it waits, and tries again.
    #[must_use]
    pub fn with_retries(self, retries: bool) -> Self {
        Self { retries, ..self }
    }

    /// Whether no executor has had the agent's id before. Then its tasks can end without an engine,
    /// until it has reached the engine. Default: another one may have had it.
    #[must_use]
    pub fn with_new_id(self, is_new: bool) -> Self {
        Self { is_new, ..self }
    }

    /// The executor.
    #[must_use]
    pub fn build(self) -> DockerExecutor {
        let Self { engine, agent, is_new, files, dependencies, has_port_doubles, retries } = self;
        DockerExecutor(Arc::new(Shared {
            events: Events::new(engine.clone(), agent.clone()),
            jobs: Jobs::default(),
            files: files.map(Files::new),
            networks: RwLock::new(()),
            new_networks: Mutex::new(()),
            engine,
            agent,
            is_new,
            dependencies,
            has_port_doubles,
            retries,
        }))
    }
}

impl DockerExecutor {
    /// The settings of an executor on this engine, for the agent of this id.
    ///
    /// The id names the agent's containers, so that the agent finds them after a restart.
    pub fn builder(engine: Engine, agent: impl Into<String>) -> DockerExecutorBuilder {
        DockerExecutorBuilder {
            engine,
            agent: agent.into(),
            is_new: false,
            files: None,
            dependencies: Arc::new(NoDependencies),
            has_port_doubles: false,
            retries: true,
        }
    }

    /// An executor on this engine, for the agent of this id, with the default settings.
    pub fn new(engine: Engine, agent: impl Into<String>) -> Self {
        Self::builder(engine, agent).build()
    }

    fn container(
        &self,
        id: &str,
        definition: DockerDefinition,
    ) -> Result<Container, ControllerError> {
        definition.check()?;
        if container_name(&self.0.agent, id).len() > MAX_LEN {
            return Err(ControllerError::new(format!(
                "the task's id is too long: it makes a container's name of more than {MAX_LEN} \
                 characters"
            )));
        }
        let (shared, task) = (Arc::clone(&self.0), id.into());
        Ok(Container { shared, task, definition: Arc::new(definition) })
    }
}

impl Executor for DockerExecutor {
    type Definition = DockerDefinition;
    type Controller = DockerController;

    async fn controller(
        &self,
        assignment: &Assignment<DockerDefinition>,
    ) -> Result<DockerController, ControllerError> {
        let Assignment { id, definition, .. } = assignment;
        self.container(id, definition.clone()).map(DockerController::new)
    }

    /// The tasks that have a container of this agent, or files in memory.
    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        if self.0.has_nothing() {
            return Ok(Vec::new());
        }
        let filters = Some(labels::filter(labels::AGENT, &self.0.agent));
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        let listed = self.0.engine.client().await?.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| unanswered("containers cannot be listed", error))?;
        let labels = listed.into_iter().filter_map(|container| container.labels);
        let mut ids: BTreeSet<_> =
            labels.filter_map(|mut labels| labels.remove(labels::TASK)).collect();
        if let Some(files) = &self.0.files {
            let names = files.list().await?;
            ids.extend(names.iter().filter_map(|name| task_of(&self.0.agent, name)));
        }
        Ok(ids.into_iter().collect())
    }

    /// Removes the containers, files and networks of the task.
    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        // No request depends on the definition.
        let container = self.container(id, DockerDefinition::new("unknown"))?;
        self.0.jobs.run(id, async move { container.remove().await }).await
    }
}

impl TaskExecutor for DockerExecutor {
    async fn logs(
        &self,
        id: &str,
        definition: &DockerDefinition,
        publisher: impl LogPublisher,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        let container = self.container(id, definition.clone())?;
        DockerLogs::new(container).publish(publisher, options, ended).await
    }

    /// Waits until the engine has answered every request that changes something.
    async fn settle(&self) {
        self.0.jobs.settle_all().await;
    }

    /// Returns the first characters of the container's id, as `docker ps` shows it: `container`.
    fn details(&self, _: &str, status: &TaskStatus) -> BTreeMap<String, String> {
        let id = status.container_status.as_ref().map(|found| &*found.container_id);
        let short = id.and_then(|id| id.get(..12));
        short.map(|id| ("container".to_owned(), id.to_owned())).into_iter().collect()
    }
}

impl Shared {
    /// Where files in memory are.
    pub(crate) fn files(&self) -> Result<&Files, ControllerError> {
        self.files.as_ref().ok_or_else(|| {
            ControllerError::new("this agent has no directory in memory for secrets and configs")
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, agent, .. } = self;
        let mut shown = out.debug_struct("Shared");
        shown.field("engine", engine).field("agent", agent).finish_non_exhaustive()
    }
}

impl fmt::Debug for DockerExecutorBuilder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, agent, files, .. } = self;
        let mut shown = out.debug_struct("DockerExecutorBuilder");
        shown.field("engine", engine).field("agent", agent).field("files", files);
        shown.finish_non_exhaustive()
    }
}
