//! The controller of a process task: the library's operations, done by a keeper.

mod logs;
mod preparation;
mod readiness;

use std::io;
use std::path::PathBuf;

use onward::exec::{
    Assignment, Controller, ControllerError, Executor, Inquiry, Inspection, SharedLogs,
};
use onward::lifecycle::{ContainerStatus, PortConfig, PortStatus, PublishMode};

use crate::definition::{ProcessDefinition, PublishedPort};
use crate::keeper::{End, Ended, Exit, Keeper, KeeperError, State};
use crate::task_file::is_name;
use logs::ProcessLogs;

/// Hands out the controllers of process tasks, each with a directory of its own.
#[derive(Clone, Debug)]
pub struct ProcessExecutor {
    root: PathBuf,
    program: Option<PathBuf>,
}

impl ProcessExecutor {
    /// Tasks have their directories in `root`, which must be there.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), program: None }
    }

    /// With another program than the running one to be started as keeper.
    #[must_use]
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: Some(program.into()), ..self }
    }
}

impl Executor for ProcessExecutor {
    type Definition = ProcessDefinition;
    type Controller = ProcessController;

    async fn controller(
        &self,
        assignment: &Assignment<ProcessDefinition>,
    ) -> Result<ProcessController, ControllerError> {
        if !is_name(&assignment.id) {
            let id = &assignment.id;
            return Err(ControllerError::new(format!("{id:?} cannot be a directory's name")));
        }
        let keeper = Keeper::new(self.root.join(&assignment.id));
        let keeper = match &self.program {
            Some(program) => keeper.with_program(program),
            None => keeper,
        };
        let definition = assignment.definition.clone();
        Ok(ProcessController { id: assignment.id.clone(), keeper, definition, closed: false })
    }
}

/// Operates one process through its keeper.
///
/// It holds nothing that is not on the disk: every operation looks how far things are, so that
/// it can be dropped at any time, and taken up by another instance after a restart.
#[derive(Debug)]
pub struct ProcessController {
    id: String,
    keeper: Keeper,
    definition: ProcessDefinition,
    closed: bool,
}

impl Controller for ProcessController {
    type Definition = ProcessDefinition;

    /// Before the process has started anything can be changed but what has prepared it; after
    /// that nothing can.
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
        match self.prepare_keeper(definition.clone()).await {
            Ok(()) => {
                self.definition = definition.clone();
                Ok(())
            }
            Err(KeeperError::AlreadyStarted { .. }) => Err(ControllerError::update_rejected(
                "a process cannot be changed once it has started; assign a new task",
            )),
            Err(error) => Err(ControllerError::wrap(error)),
        }
    }

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        match self.prepare_keeper(self.definition.clone()).await {
            Err(KeeperError::AlreadyStarted { .. }) => {
                return Err(ControllerError::already_prepared());
            }
            prepared => prepared.map_err(ControllerError::wrap)?,
        }
        self.run_prepare_command().await
    }

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        self.keeper.spawn().await.map_err(ControllerError::wrap)?;
        let Some(ready) = self.definition.ready.clone() else {
            // One that has ended by now was started: `wait` says how it ended. One that could
            // not be started was not.
            let state = self.keeper.state().await.map_err(ControllerError::wrap)?;
            if let State::Exited(Exit::NotStarted(refused)) = state {
                return Err(ControllerError::wrap(refused));
            }
            return Ok(());
        };
        let work_dir = self.work_dir();
        let ready = readiness::until_ready(&ready, &self.definition.env, &work_dir);
        tokio::select! {
            biased;
            end = self.keeper.wait() => {
                let end = end.map_err(ControllerError::wrap)?;
                Err(self.ended_badly(end, "ended before it was ready: ").await)
            }
            ready = ready => match ready {
                Ok(()) => Ok(()),
                Err(error) => {
                    self.keeper.end(false).await.map_err(ControllerError::wrap)?;
                    Err(error)
                }
            },
        }
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        let end = self.keeper.wait().await.map_err(ControllerError::wrap)?;
        if let End::Exited(Exit::Ended(Ended { code: 0, .. })) = end {
            return Ok(());
        }
        Err(self.ended_badly(end, "").await)
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.end(false).await
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
                    .with_container_status(self.container_status(pid, 0))
                    .with_port_status(ports)
            }
            Ok(State::Exited(Exit::Ended(ended))) => Inspection::default()
                .with_container_status(self.container_status(0, ended.code))
                .with_port_status(PortStatus::default()),
            Ok(State::NotStarted | State::Starting | State::Exited(_)) => Inspection::default(),
            Ok(State::Lost) => Inspection::default().with_port_status(PortStatus::default()),
            Err(error) => {
                let failed = Inquiry::<ContainerStatus>::Failed(ControllerError::wrap(error));
                Inspection::default().with_container_status(failed)
            }
        }
    }

    fn logs(&self) -> Option<SharedLogs> {
        Some(SharedLogs::new(ProcessLogs::new(self.keeper.clone())))
    }
}

impl ProcessController {
    fn check_open(&self) -> Result<(), ControllerError> {
        if self.closed { Err(ControllerError::closed()) } else { Ok(()) }
    }

    /// In a thread for blocking work; dropped, it goes on to its end, and the next call finds
    /// what it has done.
    async fn prepare_keeper(&self, definition: ProcessDefinition) -> Result<(), KeeperError> {
        let keeper = self.keeper.clone();
        let prepared = tokio::task::spawn_blocking(move || keeper.prepare(&definition));
        prepared.await.unwrap_or_else(|error| {
            let path = self.keeper.dir().to_owned();
            Err(KeeperError::File { path, error: io::Error::other(error) })
        })
    }

    fn work_dir(&self) -> PathBuf {
        self.definition.dir.clone().unwrap_or_else(|| self.keeper.work_dir())
    }

    async fn end(&self, force: bool) -> Result<(), ControllerError> {
        self.check_open()?;
        // Not one after the other: the grace is for both.
        let preparing = self.prepare_command();
        let (preparing, process) = tokio::join!(preparing.end(force), self.keeper.end(force));
        preparing.and(process).map_err(ControllerError::wrap)
    }

    /// Why a workload that has ended is not one that has ended well.
    async fn ended_badly(&self, end: End, what: &str) -> ControllerError {
        match end {
            End::Exited(Exit::Ended(ended)) => {
                ControllerError::new(format!("{what}{}", how_it_ended(&ended)))
                    .with_exit_code(ended.code)
                    .with_container_status(self.container_status(0, ended.code))
            }
            End::Exited(Exit::NotStarted(refused)) => ControllerError::wrap(refused),
            End::Lost => {
                let lost = format!("{what}its keeper was killed, so its exit code is unknown");
                match self.keeper.sweep().await {
                    Ok(_) => ControllerError::new(lost),
                    Err(error) => ControllerError::new(lost).with_source(error).temporary(),
                }
            }
        }
    }

    fn container_status(&self, pid: i32, exit_code: i32) -> ContainerStatus {
        ContainerStatus { container_id: self.id.clone(), pid, exit_code }
    }
}

fn how_it_ended(ended: &Ended) -> String {
    match ended.signal {
        Some(signal) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("unnamed");
            format!("was ended by signal {signal} ({name})")
        }
        None => format!("exited with code {}", ended.code),
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

/// Removes a task's directory, in a thread for blocking work. It is given another name first: a
/// keeper that comes late, because the `start` that began it was dropped, does not find it any more
/// and so puts nothing into it. One that is not there is as good as removed.
async fn remove_dir(dir: PathBuf) -> Result<(), ControllerError> {
    let told = dir.display().to_string();
    let removed = tokio::task::spawn_blocking(move || {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        // No task can have a name with a dot before it.
        let doomed = dir.with_file_name(format!(".{name}.removing"));
        unless_missing(std::fs::remove_dir_all(&doomed))?;
        unless_missing(std::fs::rename(&dir, &doomed))?;
        unless_missing(std::fs::remove_dir_all(&doomed))
    });
    removed.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
        ControllerError::new(format!("{told} cannot be removed")).with_source(error).temporary()
    })
}

fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
