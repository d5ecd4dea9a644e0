//! The controller of a container: the operations of a task's life, on a Docker engine.

mod update;

use bollard::models::HealthStatusEnum;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use onward::exec::{
    Controller, ControllerError, Inspected, Inspection, ProgressReporter, SharedLogs,
};
use onward::lifecycle::ContainerStatus;

use crate::container::{Container, Found, Phase};
use crate::definition::{DockerDefinition, PullPolicy};
use crate::end;
use crate::logs::DockerLogs;
use crate::ports;
use crate::pull::{self, Pull};
use crate::requests::removed_by_someone;

/// Operates one container.
///
/// It holds nothing of the container's state: every operation looks how far the container is. So
/// an operation can be dropped at any time, and another controller can go on after a restart.
#[derive(Debug)]
pub struct DockerController {
    container: Container,
    pull: Option<Pull>,
    /// Whether this controller has got the image by the definition's policy.
    has_image: bool,
    progress: Option<ProgressReporter>,
    closed: bool,
}

impl Controller for DockerController {
    type Definition = DockerDefinition;

    /// Before the start, everything can be changed but the container's name: the container is
    /// created again. After it, `resources`, `stop_grace` and `pull` can be changed.
    async fn update(&mut self, definition: &DockerDefinition) -> Result<(), ControllerError> {
        self.check_open()?;
        self.change(definition).boxed().await
    }

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        // A container that is being created is no reason to pull.
        self.container.shared.jobs.settle(&self.container.task).await;
        if self.container.find().await?.is_none() {
            let definition = self.container.definition.clone();
            self.get_image(&definition).boxed().await?;
        }
        let container = self.container.clone();
        self.run(async move { container.make().await }.boxed()).await
    }

    /// With a health check, the container must be healthy. One that becomes unhealthy is stopped.
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        let mut events = self.container.shared.events.subscribe(&self.container.task);
        let container = self.container.clone();
        self.run(async move { container.start_once().await }.boxed()).await?;
        loop {
            let found = self.container.find().await?.ok_or_else(removed_by_someone)?;
            match (found.phase(), found.health()) {
                (Phase::Running, HealthStatusEnum::STARTING) => events.changed().await,
                (Phase::Running, HealthStatusEnum::UNHEALTHY) => {
                    self.container.stop(&found).await?;
                }
                (Phase::Ended, HealthStatusEnum::STARTING | HealthStatusEnum::UNHEALTHY) => {
                    return end::result(&found);
                }
                // How one has ended that needed no check is for `wait`.
                (Phase::Running | Phase::Ended, _) => return Ok(()),
                (Phase::Created, _) => return Err(not_started(&found).temporary()),
            }
        }
    }

    /// A container that becomes unhealthy is stopped.
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        let mut events = self.container.shared.events.subscribe(&self.container.task);
        loop {
            let found = self.container.find().await?.ok_or_else(removed_by_someone)?;
            match (found.phase(), found.health()) {
                (Phase::Running, HealthStatusEnum::UNHEALTHY) => {
                    self.container.stop(&found).await?;
                }
                (Phase::Running, _) => events.changed().await,
                (Phase::Ended, _) => return end::result(&found),
                (Phase::Created, _) => return Err(not_started(&found)),
            }
        }
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.end(false).await
    }

    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.end(true).await
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        self.pull = None;
        let container = self.container.clone();
        self.run(async move { container.remove().await }.boxed()).await
    }

    /// A pull that is on its way ends. Everything on the engine stays as it is.
    async fn close(&mut self) -> Result<(), ControllerError> {
        self.closed = true;
        self.pull = None;
        Ok(())
    }

    async fn inspect(&mut self) -> Inspection {
        match self.container.find().await {
            Ok(Some(found)) => {
                let doubles = self.container.shared.has_port_doubles;
                let defined = &self.container.definition.ports;
                Inspection::default()
                    .with_container_status(found.container_status())
                    .with_port_status(ports::status(&found.inspection, defined, doubles))
            }
            Ok(None) => Inspection::default(),
            Err(error) => {
                let failed = Inspected::<ContainerStatus>::Failed(error);
                Inspection::default().with_container_status(failed)
            }
        }
    }

    fn set_progress(&mut self, progress: ProgressReporter) {
        self.progress = Some(progress);
    }

    fn logs(&self) -> Option<SharedLogs> {
        Some(SharedLogs::new(DockerLogs::new(self.container.clone())))
    }
}

impl DockerController {
    pub(crate) fn new(container: Container) -> Self {
        Self { container, pull: None, has_image: false, progress: None, closed: false }
    }

    fn check_open(&self) -> Result<(), ControllerError> {
        if self.closed { Err(ControllerError::closed()) } else { Ok(()) }
    }

    /// Runs a request that takes effect even if this operation is dropped.
    async fn run(
        &self,
        job: BoxFuture<'static, Result<(), ControllerError>>,
    ) -> Result<(), ControllerError> {
        self.container.shared.jobs.run(&self.container.task, job).await
    }

    /// Gets the image by the policy of the definition. A pull goes on while this is not called, and
    /// the next call waits for the same one.
    async fn get_image(&mut self, definition: &DockerDefinition) -> Result<(), ControllerError> {
        if self.has_image {
            return Ok(());
        }
        if self.pull.is_none() && self.must_pull(definition).await? {
            let shared = &self.container.shared;
            let DockerDefinition { image, platform, .. } = definition;
            let request = pull::Request {
                image: image.clone(),
                platform: platform.clone(),
                credentials: shared.dependencies.credentials(&self.container.task, image)?,
                is_retried: shared.retries,
            };
            self.pull = Some(Pull::begin(shared.engine.clone(), request, self.progress.clone()));
        }
        if let Some(pull) = &mut self.pull {
            let pulled = pull.end().await;
            self.pull = None;
            pulled?;
        }
        self.has_image = true;
        Ok(())
    }

    async fn must_pull(&self, definition: &DockerDefinition) -> Result<bool, ControllerError> {
        match definition.pull {
            PullPolicy::Always => Ok(true),
            PullPolicy::Never => Ok(false),
            PullPolicy::Missing => {
                let engine = &self.container.shared.engine;
                pull::is_there(engine, &definition.image).await.map(|there| !there)
            }
        }
    }

    /// Ends the container, and returns when it has ended.
    async fn end(&mut self, force: bool) -> Result<(), ControllerError> {
        self.check_open()?;
        self.pull = None;
        let mut events = self.container.shared.events.subscribe(&self.container.task);
        // A start that is on its way would take effect later.
        self.container.shared.jobs.settle(&self.container.task).await;
        if self.container.shared.has_nothing() {
            return Ok(());
        }
        while let Some(found) = self.container.find().await? {
            if found.phase() != Phase::Running {
                break;
            }
            if force {
                self.container.kill(&found).await?;
                let now = self.container.find().await?;
                if now.is_some_and(|now| now.phase() == Phase::Running) {
                    events.changed().await;
                }
            } else {
                self.container.stop(&found).await?;
            }
        }
        Ok(())
    }
}

fn not_started(found: &Found) -> ControllerError {
    let reason = found.state.error.clone().unwrap_or_default();
    let told = ControllerError::new("the container was not started")
        .with_container_status(found.container_status());
    if reason.is_empty() { told } else { told.with_source(ControllerError::new(reason)) }
}
