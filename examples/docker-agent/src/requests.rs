//! Requests that change a task's container: create, start, stop, kill, remove.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::{
    CreateContainerOptions, KillContainerOptions, RemoveContainerOptions, StartContainerOptions,
    StopContainerOptions,
};
use futures::FutureExt as _;
use onward::exec::ControllerError;
use tokio::time::sleep;

use crate::container::{Container, Found, Phase};
use crate::create::{Surroundings, body, check_known, seconds};
use crate::definition::DockerDefinition;
use crate::env_file;
use crate::error::{CONFLICT, failed, is_not_found, status, unanswered};

/// How long the engine may take to create or start a container, in addition to the usual time. If the
/// agent gave up earlier, a container could come into being after its task was removed.
const SLOW: Duration = Duration::from_secs(3600);

/// The time between two looks at whether a container is gone.
const POLL: Duration = Duration::from_millis(100);

impl Container {
    /// Creates the networks, files and container of the task. Those that exist are left as they are.
    pub(crate) async fn make(&self) -> Result<(), ControllerError> {
        let found = if let Some(found) = self.find().await? {
            found
        } else {
            // No network is removed in the meantime.
            let _networks = self.shared.networks.read().await;
            self.make_networks().boxed().await?;
            self.write_files().await?;
            self.create(self.name()).await?;
            self.find().await?.ok_or_else(removed_by_someone)?
        };
        if found.is_going() {
            return Err(ControllerError::new("the container is being removed").temporary());
        }
        match found.phase() {
            Phase::Created => self.connect_networks(&found).await,
            Phase::Running | Phase::Ended => Ok(()),
        }
    }

    /// Creates the container, unless it is there.
    pub(crate) async fn create(&self, name: String) -> Result<(), ControllerError> {
        let definition = &self.definition;
        let env = match &definition.env_file {
            Some(path) => env_file::read(path.clone()).await?,
            None => Vec::new(),
        };
        let files = (0..definition.files.len()).map(|index| self.file_path(index));
        let surroundings = Surroundings {
            agent: self.shared.agent.clone(),
            task: self.task.to_string(),
            env,
            files: files.collect::<Result<_, _>>()?,
        };
        let body = body(definition, surroundings)?;
        let platform = definition.platform.clone().unwrap_or_default();
        let options = CreateContainerOptions { name: Some(name.clone()), platform };
        let client = self.shared.engine.patient_client(SLOW).await?;
        check_known(definition, &client.client_version())?;
        match client.create_container(Some(options), body).await {
            Ok(created) => {
                for warning in created.warnings {
                    tracing::warn!(
                        task = &*self.task,
                        container = name,
                        "the engine warns: {warning}"
                    );
                }
                Ok(())
            }
            Err(error) if status(&error) == Some(CONFLICT) => {
                self.resolve_conflict(&name, error).await
            }
            Err(error) => Err(self.shared.failed("the container cannot be created", error)),
        }
    }

    /// The name is in use: by this task's container, by another one, or by one that is going.
    async fn resolve_conflict(
        &self,
        name: &str,
        error: bollard::errors::Error,
    ) -> Result<(), ControllerError> {
        if self.find_named(name).await?.is_some() {
            return Ok(());
        }
        let failed = failed(format!("the container's name {name:?} is in use"), error);
        let stays = self.shared.inspect(name).await?.is_some_and(|found| !found.is_going());
        Err(if stays { failed } else { failed.temporary() })
    }

    /// Starts the container, unless it was started before.
    pub(crate) async fn start_once(&self) -> Result<(), ControllerError> {
        let found = self.find().await?.ok_or_else(removed_by_someone)?;
        if found.phase() != Phase::Created {
            return Ok(());
        }
        // In memory, they do not outlive a restart of the host.
        self.write_files().await?;
        let client = self.shared.engine.patient_client(SLOW).await?;
        let Err(error) = client.start_container(&found.id, None::<StartContainerOptions>).await
        else {
            return Ok(());
        };
        let is_going = status(&error) == Some(CONFLICT);
        let failed = self.shared.failed("starting container failed", error);
        match self.shared.inspect(&found.id).await? {
            None => Err(removed_by_someone().with_source(failed)),
            Some(_) if is_going => Err(failed.temporary()),
            Some(now) => Err(failed
                .with_exit_code(now.exit_code().unwrap_or(0))
                .with_container_status(now.container_status())),
        }
    }

    /// Stops the container with its stop signal, and kills it after its grace. One that does not run
    /// counts as stopped.
    pub(crate) async fn stop(&self, found: &Found) -> Result<(), ControllerError> {
        let grace = self.definition.stop_grace;
        let options = StopContainerOptions { t: Some(seconds(grace)), ..Default::default() };
        let client = self.shared.engine.patient_client(grace).await?;
        match client.stop_container(&found.id, Some(options)).await {
            Err(error) if is_not_found(&error) => Ok(()),
            stopped => {
                stopped.map_err(|error| unanswered("the container cannot be stopped", error))
            }
        }
    }

    /// Kills the container. One that does not run counts as killed.
    pub(crate) async fn kill(&self, found: &Found) -> Result<(), ControllerError> {
        let options = KillContainerOptions { signal: "SIGKILL".to_owned() };
        let client = self.shared.engine.client().await?;
        match client.kill_container(&found.id, Some(options)).await {
            Err(error) if is_not_found(&error) || status(&error) == Some(CONFLICT) => Ok(()),
            killed => killed.map_err(|error| unanswered("the container cannot be killed", error)),
        }
    }

    /// Removes all that there is of the task: containers with their volumes that have no name,
    /// files in memory, and networks without a container.
    pub(crate) async fn remove(&self) -> Result<(), ControllerError> {
        if self.shared.has_nothing() {
            return Ok(());
        }
        let defined = self.definition.networks.iter().map(|network| network.name.clone());
        let mut networks: Vec<_> = defined.collect();
        for id in self.all().await? {
            if let Some(found) = self.shared.inspect(&id).await? {
                let settings =
                    found.inspection.network_settings.and_then(|settings| settings.networks);
                networks.extend(settings.into_iter().flatten().map(|(name, _)| name));
            }
            self.remove_container(&id).await?;
        }
        if let Some(files) = &self.shared.files {
            files.remove(&self.files_name()).await?;
        }
        networks.sort_unstable();
        networks.dedup();
        let _no_task_prepares = self.shared.networks.write().await;
        self.shared.remove_networks(&networks).await
    }

    /// Removes a container, and waits until it is gone.
    async fn remove_container(&self, id: &str) -> Result<(), ControllerError> {
        let client = self.shared.engine.client().await?;
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        loop {
            match client.remove_container(id, Some(options.clone())).await {
                // Someone else removes it too.
                Err(error) if status(&error) == Some(CONFLICT) => {}
                Err(error) if is_not_found(&error) => return Ok(()),
                removed => {
                    return removed
                        .map_err(|error| unanswered("the container cannot be removed", error));
                }
            }
            sleep(POLL).await;
        }
    }

    /// Puts a container of another definition in the place of one that was not started. If that is
    /// refused, nothing has changed.
    pub(crate) async fn replace(&self, old: &Found) -> Result<(), ControllerError> {
        let _networks = self.shared.networks.read().await;
        self.make_networks().boxed().await?;
        self.write_files().await?;
        let successor = self.successor_name();
        // The successor of an update that was interrupted.
        if let Some(left) = self.find_named(&successor).await? {
            self.remove_container(&left.id).await?;
        }
        self.create(successor.clone()).await?;
        let found = self.find_named(&successor).await?.ok_or_else(removed_by_someone)?;
        if let Err(refused) = self.connect_networks(&found).await {
            self.remove_container(&found.id).await?;
            return Err(refused);
        }
        self.remove_container(&old.id).await?;
        self.rename(&found.id, self.name()).await
    }

    /// The same task with another definition.
    pub(crate) fn with_definition(&self, definition: &DockerDefinition) -> Self {
        Self { definition: Arc::new(definition.clone()), ..self.clone() }
    }

    async fn write_files(&self) -> Result<(), ControllerError> {
        if self.definition.files.is_empty() {
            return Ok(());
        }
        let files = self.definition.files.iter().map(|file| {
            let bytes = self.shared.dependencies.file(&self.task, file)?;
            Ok((file.clone(), bytes))
        });
        let files = files.collect::<Result<_, ControllerError>>()?;
        self.shared.files()?.write(&self.files_name(), files).await
    }

    fn file_path(&self, index: usize) -> Result<PathBuf, ControllerError> {
        Ok(self.shared.files()?.path(&self.files_name(), index))
    }

    /// The name of the directory of the task's files. It does not depend on the definition.
    fn files_name(&self) -> String {
        crate::name::container_name(&self.shared.agent, &self.task)
    }
}

/// The container is not there, and this agent has not removed it.
pub(crate) fn removed_by_someone() -> ControllerError {
    ControllerError::new("the container is gone: it was removed by someone else")
}
