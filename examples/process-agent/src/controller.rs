//! The controller of a process task: implements the library's operations with a keeper.

mod error;
mod executor;
mod logs;
mod preparation;
mod readiness;
mod removal;

use std::time::Duration;

use onward::exec::{
    Controller, ControllerError, Inspected, Inspection, ProgressReporter, SharedLogs,
};
use onward::lifecycle::{ContainerStatus, PortConfig, PortStatus, PublishMode};
use tokio::time::timeout;

use crate::blocking;
use crate::definition::{ProcessDefinition, PublishedPort};
use crate::keeper::{End, Ended, Exit, Keeper, KeeperError, State};
use crate::turns::PREPARING;
use error::{how_it_ended, not_started, wrap};
pub use executor::ProcessExecutor;
use logs::ProcessLogs;
use removal::remove_dir;

/// How much longer than `stop_grace` a keeper may take to end its workload.
const MARGIN: Duration = Duration::from_secs(10);

/// Controls one process through its keeper.
///
/// It has no state that is not on disk. Each operation first looks at the current state. So it can
/// be dropped at any time, and another instance can continue after a restart.
#[derive(Debug)]
pub struct ProcessController {
    id: String,
    keeper: Keeper,
    definition: ProcessDefinition,
    progress: Option<ProgressReporter>,
    closed: bool,
}

impl Controller for ProcessController {
    type Definition = ProcessDefinition;

    /// Before the process starts, everything except `prepare` can change. After that, nothing can.
    async fn update(&mut self, definition: &ProcessDefinition) -> Result<(), ControllerError> {
        self.check_open()?;
        if *definition == self.definition {
            return Ok(());
        }
        if definition.prepare != self.definition.prepare {
            return Err(ControllerError::update_rejected(
                "`prepare` cannot be changed once the task is assigned",
            ));
        }
        match prepare(&self.keeper, definition.clone()).await {
            Ok(()) => {
                self.definition = definition.clone();
                Ok(())
            }
            Err(KeeperError::AlreadyStarted { .. }) => Err(ControllerError::update_rejected(
                "a process cannot be changed once it has started; a task with another name can have the change",
            )),
            Err(error) => Err(wrap(error)),
        }
    }

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        match prepare(&self.keeper, self.definition.clone()).await {
            Err(KeeperError::AlreadyStarted { .. }) => {
                return Err(ControllerError::already_prepared());
            }
            prepared => prepared.map_err(wrap)?,
        }
        self.run_prepare_command().await
    }

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        spawn(&self.keeper).await?;
        let Some(ready) = self.definition.ready.clone() else {
            // A process that has ended was started; `wait` returns how it ended. A process that
            // could not be started was not.
            return match self.keeper.state().await.map_err(wrap)? {
                State::Exited(Exit::NotStarted(refused)) => Err(not_started(refused)),
                State::Lost => Err(self.ended_badly(End::Lost, "").await),
                State::NotStarted
                | State::Starting
                | State::Running { .. }
                | State::Exited(Exit::Ended(_)) => Ok(()),
            };
        };
        let outcome = tokio::select! {
            biased;
            end = self.until_ended(&self.keeper) => Err(end?),
            ready = self.until_ready(&ready) => Ok(ready),
        };
        let probe_ended = self.end_probe().await;
        match outcome {
            Ok(Ok(())) => probe_ended,
            // `remove` ends a probe that could not be ended here, or reports why it cannot.
            Ok(Err(error)) => {
                self.keeper.end(false).await.map_err(wrap)?;
                Err(error)
            }
            Err(end) => Err(self.ended_badly(end, "ended before it was ready: ").await),
        }
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        let end = self.until_ended(&self.keeper).await?;
        if let End::Exited(Exit::Ended(Ended { code: 0, .. })) = end {
            return Ok(());
        }
        Err(self.ended_badly(end, "").await)
    }

    /// The keeper kills the workload when its grace has passed. If the keeper does not, it is
    /// killed itself, after the grace of the current definition.
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        let Some(patience) = self.definition.stop_grace.checked_add(MARGIN) else {
            return self.end(false).await;
        };
        match timeout(patience, self.end(false)).await {
            Ok(ended) => ended,
            Err(_) => self.end(true).await,
        }
    }

    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.end(true).await
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.end(true).await?;
        remove_dir(self.keeper.dir().to_owned()).await
    }

    async fn close(&mut self) -> Result<(), ControllerError> {
        self.closed = true;
        Ok(())
    }

    async fn inspect(&mut self) -> Inspection {
        match self.keeper.state().await {
            Ok(State::Running { pid, .. }) => {
                let ports: PortStatus = self.definition.ports.iter().map(port_config).collect();
                Inspection::default()
                    .with_container_status(self.container_status(Some(pid), None))
                    .with_port_status(ports)
            }
            Ok(State::Exited(Exit::Ended(ended))) => Inspection::default()
                .with_container_status(self.container_status(None, Some(ended.code)))
                .with_port_status(PortStatus::default()),
            Ok(State::NotStarted | State::Starting | State::Exited(_)) => Inspection::default(),
            // The process is gone, and its exit code is unknown.
            Ok(State::Lost) => Inspection::default()
                .with_container_status(self.container_status(None, None))
                .with_port_status(PortStatus::default()),
            Err(error) => {
                let failed = Inspected::<ContainerStatus>::Failed(wrap(error));
                Inspection::default().with_container_status(failed)
            }
        }
    }

    fn set_progress(&mut self, progress: ProgressReporter) {
        self.progress = Some(progress);
    }

    fn logs(&self) -> Option<SharedLogs> {
        Some(SharedLogs::new(ProcessLogs::new(self.keeper.clone())))
    }
}

impl ProcessController {
    fn check_open(&self) -> Result<(), ControllerError> {
        if self.closed { Err(ControllerError::closed()) } else { Ok(()) }
    }

    /// Returns the definition of another command of this task, with the same directory and
    /// environment.
    fn beside(&self, command: Vec<String>) -> Result<ProcessDefinition, ControllerError> {
        let dir = Some(self.keeper.work_dir().map_err(wrap)?);
        let task = self.definition.clone();
        Ok(ProcessDefinition { command, dir, prepare: None, ready: None, ..task })
    }

    /// Waits for the end of a process that was started. If the directory of the task is gone, it
    /// first ends the processes that still run.
    async fn until_ended(&self, keeper: &Keeper) -> Result<End, ControllerError> {
        match keeper.wait().await {
            Err(gone @ KeeperError::Gone { .. }) => {
                keeper.end(false).await.map_err(wrap)?;
                Err(wrap(gone).with_container_status(self.container_status(None, None)))
            }
            ended => ended.map_err(wrap),
        }
    }

    async fn end(&self, force: bool) -> Result<(), ControllerError> {
        self.check_open()?;
        // All at the same time, because they share one grace. A probe needs no graceful end.
        let preparing = async {
            if self.definition.prepare.is_some() || self.has_begun(&self.prepare_command()) {
                self.prepare_command().end(force).await?;
            }
            Ok(())
        };
        let probe = async {
            if self.has_begun(&self.probe_command()) {
                self.probe_command().end(true).await?;
            }
            Ok(())
        };
        let (preparing, probe, process) = tokio::join!(preparing, probe, self.keeper.end(force));
        match preparing.and(probe).and(process) {
            // An earlier `remove` that was dropped may still run in its thread. It has ended all
            // processes, and has now deleted the directory.
            Err(_) if matches!(self.keeper.dir().try_exists(), Ok(false)) => Ok(()),
            ended => ended.map_err(wrap),
        }
    }

    /// Whether another command of this task may have left something. To end a command without a
    /// directory, all processes of the machine are read; so that is skipped if possible.
    fn has_begun(&self, command: &Keeper) -> bool {
        let is_away = |keeper: &Keeper| matches!(keeper.dir().try_exists(), Ok(false));
        !is_away(command) || is_away(&self.keeper)
    }

    /// Returns the error of a workload that has not ended successfully.
    async fn ended_badly(&self, end: End, what: &str) -> ControllerError {
        match end {
            End::Exited(Exit::Ended(ended)) => {
                ControllerError::new(format!("{what}{}", how_it_ended(&ended)))
                    .with_exit_code(ended.code)
                    .with_container_status(self.container_status(None, Some(ended.code)))
            }
            End::Exited(Exit::NotStarted(refused)) => not_started(refused),
            End::Lost => {
                let lost = format!("{what}its keeper was killed, so its exit code is unknown");
                match self.keeper.sweep().await {
                    Ok(_) => ControllerError::new(lost)
                        .with_container_status(self.container_status(None, None)),
                    Err(error) => ControllerError::new(lost).with_source(error).temporary(),
                }
            }
        }
    }

    fn container_status(&self, pid: Option<i32>, exit_code: Option<i32>) -> ContainerStatus {
        ContainerStatus { container_id: self.id.clone(), pid, exit_code }
    }
}

/// Prepares in a thread for blocking work. If you drop the future, it stops before its next step,
/// so that it does not touch a later task of the same name.
async fn prepare(keeper: &Keeper, definition: ProcessDefinition) -> Result<(), KeeperError> {
    let preparing = keeper.clone();
    let job =
        move |caller: &blocking::Caller| preparing.prepare_while(&definition, || caller.waits());
    PREPARING.run(blocking::run(job)).await.unwrap_or_else(|error| {
        let path = keeper.dir().to_owned();
        Err(KeeperError::File { path, error })
    })
}

/// Starts a process. If its keeper was killed, the process counts as started: it may be running,
/// and `wait` ends it.
async fn spawn(keeper: &Keeper) -> Result<(), ControllerError> {
    match keeper.spawn().await {
        Ok(_) | Err(KeeperError::Lost { .. }) => Ok(()),
        Err(error) => Err(wrap(error)),
    }
}

fn port_config(port: &PublishedPort) -> PortConfig {
    PortConfig {
        name: port.name.clone(),
        protocol: port.protocol,
        target_port: port.target.get(),
        published_port: port.published.get(),
        publish_mode: PublishMode::Host,
    }
}
