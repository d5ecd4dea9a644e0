//! A task's container: finds it on the engine, and reads its state.

use std::sync::Arc;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, HealthStatusEnum,
};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptions, RenameContainerOptions,
};
use futures::FutureExt as _;
use onward::exec::ControllerError;
use onward::lifecycle::ContainerStatus;

use crate::definition::DockerDefinition;
use crate::error::{CONFLICT, is_not_found, status, unanswered};
use crate::executor::Shared;
use crate::labels;
use crate::name::container_name;

/// The end of the name of a container that an update has created. The container is renamed when the old
/// one is removed. No task's container has such a name.
const SUCCESSOR: &str = "_successor";

/// The year of the time that the engine reports for an event that has not happened.
const NEVER: &str = "0001-";

/// The engine's number of failed checks in a row that make a container unhealthy.
const DEFAULT_RETRIES: i64 = 3;

/// A task's container. It holds the ids and the definition, and nothing of the container's
/// state.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) shared: Arc<Shared>,
    pub(crate) task: Arc<str>,
    pub(crate) definition: Arc<DockerDefinition>,
}

/// A container as the engine has reported it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) state: ContainerState,
    pub(crate) inspection: Box<ContainerInspectResponse>,
}

/// How far a container is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// It has not been started, or a start has failed. It may be being removed.
    Created,
    /// It runs, or is paused.
    Running,
    /// It has ended, and may be being removed.
    Ended,
}

impl Container {
    /// The name of the container.
    pub(crate) fn name(&self) -> String {
        match &self.definition.container_name {
            Some(name) => name.clone(),
            None => container_name(&self.shared.agent, &self.task),
        }
    }

    /// The name of the container that an update makes.
    pub(crate) fn successor_name(&self) -> String {
        format!("{}{SUCCESSOR}", self.name())
    }

    /// Looks for the container. If an update was interrupted after it has removed the container, its
    /// successor takes its place here.
    pub(crate) async fn find(&self) -> Result<Option<Found>, ControllerError> {
        let name = self.name();
        if let Some(found) = self.find_named(&name).await? {
            return Ok(Some(found));
        }
        let Some(found) = self.find_named(&self.successor_name()).await? else { return Ok(None) };
        self.rename(&found.id, name).await?;
        Ok(Some(found))
    }

    /// Gives a container another name. It is no error if the container is gone or the name is in use: the
    /// next look finds that out.
    pub(crate) async fn rename(&self, id: &str, name: String) -> Result<(), ControllerError> {
        let client = self.shared.engine.client().await?;
        match client.rename_container(id, RenameContainerOptions { name }).await {
            Err(error) if is_not_found(&error) || status(&error) == Some(CONFLICT) => Ok(()),
            renamed => {
                renamed.map_err(|error| unanswered("the container cannot be renamed", error))
            }
        }
    }

    /// The container of this name, if it belongs to this task. Another one is as good as none
    /// here: that its name is in use is found out when the container is created.
    pub(crate) async fn find_named(&self, name: &str) -> Result<Option<Found>, ControllerError> {
        let found = self.shared.inspect(name).await?;
        Ok(found.filter(|found| found.belongs_to(&self.shared.agent, &self.task)))
    }

    /// The ids of all containers that have this task's label: its container, and the
    /// successor of an interrupted update.
    pub(crate) async fn all(&self) -> Result<Vec<String>, ControllerError> {
        let mut filters = labels::filter(labels::AGENT, &self.shared.agent);
        filters.entry("label".to_owned()).or_default().push(format!(
            "{}={}",
            labels::TASK,
            self.task
        ));
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let client = self.shared.engine.client().await?;
        let listed = client.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| unanswered("containers cannot be listed", error))?;
        Ok(listed.into_iter().filter_map(|container| container.id).collect())
    }
}

impl Shared {
    /// Inspects a container by its name or id. `None` if the engine has none.
    pub(crate) async fn inspect(&self, name: &str) -> Result<Option<Found>, ControllerError> {
        let client = self.engine.client().await?;
        let inspection =
            match client.inspect_container(name, None::<InspectContainerOptions>).boxed().await {
                Ok(inspection) => inspection,
                Err(error) if is_not_found(&error) => return Ok(None),
                Err(error) => return Err(unanswered("the container cannot be inspected", error)),
            };
        let (Some(id), Some(state)) = (inspection.id.clone(), inspection.state.clone()) else {
            let told = "the engine has reported a container without an id or a state";
            return Err(ControllerError::new(told).temporary());
        };
        Ok(Some(Found { id, state, inspection: Box::new(inspection) }))
    }
}

impl Found {
    fn belongs_to(&self, agent: &str, task: &str) -> bool {
        let labels = self.inspection.config.as_ref().and_then(|config| config.labels.as_ref());
        let has = |label, value| {
            labels.and_then(|labels| labels.get(label)).is_some_and(|found| found == value)
        };
        has(labels::AGENT, agent) && has(labels::TASK, task)
    }

    pub(crate) fn phase(&self) -> Phase {
        use ContainerStateStatusEnum as Status;
        match self.state.status {
            Some(Status::CREATED) => Phase::Created,
            // Its exit code is 0 although it has never run.
            Some(Status::DEAD | Status::REMOVING) if !self.was_started() => Phase::Created,
            Some(Status::RUNNING | Status::PAUSED | Status::RESTARTING | Status::STOPPING) => {
                Phase::Running
            }
            Some(Status::EMPTY) | None if self.state.running == Some(true) => Phase::Running,
            Some(Status::EXITED | Status::DEAD | Status::REMOVING | Status::EMPTY) | None => {
                Phase::Ended
            }
        }
    }

    /// Whether the container was started before, as far as the engine knows.
    fn was_started(&self) -> bool {
        !self.state.started_at.as_deref().is_some_and(|time| time.starts_with(NEVER))
    }

    /// Whether the container is being removed, or a removal has failed halfway.
    pub(crate) fn is_going(&self) -> bool {
        use ContainerStateStatusEnum as Status;
        matches!(self.state.status, Some(Status::REMOVING | Status::DEAD))
    }

    pub(crate) fn health(&self) -> HealthStatusEnum {
        let health = self.state.health.as_ref().and_then(|health| health.status);
        health.unwrap_or(HealthStatusEnum::NONE)
    }

    /// Whether the container's health check has failed too often. The engine reports every
    /// container with a check as unhealthy once it has ended, so the failures count.
    pub(crate) fn is_unhealthy(&self) -> bool {
        let Some(health) = &self.state.health else { return false };
        let config = self.inspection.config.as_ref();
        let retries = config.and_then(|config| config.healthcheck.as_ref()?.retries);
        let retries = retries.filter(|retries| *retries > 0).unwrap_or(DEFAULT_RETRIES);
        health.status == Some(HealthStatusEnum::UNHEALTHY)
            && health.failing_streak.is_some_and(|failures| failures >= retries)
    }

    /// The exit code. That of a container whose start has failed is the engine's for a command
    /// that is missing or not executable.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        let code = self.state.exit_code.and_then(|code| u8::try_from(code).ok()).map(i32::from);
        match self.phase() {
            Phase::Created => code.filter(|code| matches!(code, 126 | 127)),
            Phase::Running => None,
            Phase::Ended => code,
        }
    }

    pub(crate) fn container_status(&self) -> ContainerStatus {
        let pid = self.state.pid.and_then(|pid| i32::try_from(pid).ok());
        let (container_id, exit_code) = (self.id.clone(), self.exit_code());
        ContainerStatus { container_id, pid: pid.filter(|pid| *pid > 0), exit_code }
    }
}
