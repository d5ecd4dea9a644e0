mod end;
mod error;
mod launch;
mod look;
mod prepare;
mod siblings;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use time::UtcDateTime;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use super::{
    control::Request,
    exit::Exit,
    files::{self, KeeperRecord, Spec},
    members::Tracking,
    procfs,
    run::Launched,
    state::Reported,
    sweep::Remains,
};
use crate::definition::ProcessDefinition;
pub use error::KeeperError;
use look::{Look, next_report};
use siblings::Siblings;

/// How long a writer may hold the lock of a task's directory without a sign of life.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// Time between two checks when there is no event to wait for.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// The longest time between two checks of something that can take long.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// The agent's client for the keeper of one task.
///
/// A value contains only paths. Many values, in one or more agents, can refer to the same task at
/// the same time.
#[derive(Clone, Debug)]
pub struct Keeper {
    dir: PathBuf,
    program: PathBuf,
}

/// The result of [`Keeper::spawn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spawned {
    /// This call started the keeper. The workload is running, or has already ended.
    Started,
    /// A keeper already existed, and its workload is running.
    AlreadyRunning,
    /// A keeper already existed, and its workload has ended.
    AlreadyExited,
}

/// The result of [`Keeper::state`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The workload was not started.
    NotStarted,
    /// A keeper is about to start the workload.
    Starting,
    /// The workload is running, or its remaining processes are being ended.
    Running {
        /// The process id of the workload.
        pid: i32,
        /// When the workload was started.
        since: UtcDateTime,
        /// How the keeper finds the workload's processes. `None` if the keeper has an older
        /// version.
        tracking: Option<Tracking>,
        /// Why log lines are being lost, if they are.
        log_error: Option<String>,
    },
    /// The workload and all its processes have ended.
    Exited(Exit),
    /// The keeper was killed. The exit code will never be known, and the workload may still run.
    /// [`Keeper::sweep`] ends it.
    Lost,
}

/// The result of [`Keeper::wait`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The workload has ended.
    Exited(Exit),
    /// The keeper was killed, see [`State::Lost`].
    Lost,
}

impl Keeper {
    /// Makes the client of the task in `dir`. It starts the running program as keeper, so `main`
    /// must call [`run_if_asked`](super::run_if_asked).
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), program: "/proc/self/exe".into() }
    }

    /// Sets the program that is started as keeper.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Returns the task's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the absolute working directory that the task was prepared with.
    ///
    /// # Errors
    ///
    /// [`KeeperError::NotStarted`] if the task is not prepared. [`KeeperError::File`] if the
    /// specification cannot be read.
    pub fn work_dir(&self) -> Result<PathBuf, KeeperError> {
        let spec: Option<Spec> = self.read(files::SPEC)?;
        spec.and_then(|spec| spec.definition.dir).ok_or_else(|| self.not_started())
    }

    /// Returns how the keeper finds the workload's processes. `None` if the workload was not
    /// started, or if the record cannot be read. Blocks for a file operation.
    #[must_use]
    pub fn tracking(&self) -> Option<Tracking> {
        let record: Option<KeeperRecord> = self.read(files::KEEPER).ok()?;
        record?.tracking
    }

    /// Returns the client for another process of the same task, in a subdirectory.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { dir: self.dir.join(name), program: self.program.clone() }
    }

    /// Creates the task's directory with all files for a start, and checks that the executable and
    /// the working directory exist. Blocks for some file operations.
    ///
    /// You can prepare a task again until its keeper has started.
    ///
    /// # Errors
    ///
    /// The reason why a start is impossible, with its path. [`KeeperError::AlreadyStarted`] if a
    /// keeper has started. [`KeeperError::Silent`] if another writer locks the directory for 10 s.
    pub fn prepare(&self, definition: &ProcessDefinition) -> Result<(), KeeperError> {
        self.prepare_while(definition, || true)
    }

    /// Asks for the current state.
    ///
    /// # Errors
    ///
    /// [`KeeperError::Silent`] if a keeper runs but does not answer for 10 s. [`KeeperError::File`]
    /// if the directory cannot be read.
    pub async fn state(&self) -> Result<State, KeeperError> {
        timeout(SILENCE_LIMIT, async {
            loop {
                match self.look().await? {
                    Look::Free(state) => return Ok(state),
                    Look::Connected(mut lines, _) => {
                        if let Some(report) = next_report(&mut lines).await {
                            return Ok(report.into());
                        }
                    }
                    Look::Busy => {}
                }
                sleep(POLL).await;
            }
        })
        .await
        .unwrap_or_else(|_| Err(self.silent()))
    }

    /// Waits until the workload has ended, or its keeper is lost. The task must have been started.
    ///
    /// It waits for the keeper's next report. A keeper with a lock but no socket is starting or
    /// ending, which takes milliseconds. Or a cleaner of files has deleted its socket. Then it is
    /// checked at growing intervals of up to 1 s.
    ///
    /// If an entry of the directory of all tasks may have been removed, it checks within 10 s
    /// whether the task's directory still exists. If not, it asks the keeper to check too, and the
    /// keeper stops the task.
    ///
    /// # Errors
    ///
    /// [`KeeperError::Gone`] if there is no task to wait for. [`KeeperError::File`] if the
    /// directory cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing, so you can drop the future at any time.
    pub async fn wait(&self) -> Result<End, KeeperError> {
        let mut pause = POLL;
        let siblings = Siblings::of(&self.dir);
        loop {
            match self.look().await? {
                Look::Free(State::Exited(exit)) => return Ok(End::Exited(exit)),
                Look::Free(State::Lost) => return Ok(End::Lost),
                Look::Free(_) => return Err(self.gone()),
                Look::Busy => {}
                Look::Connected(mut lines, mut writer) => loop {
                    tokio::select! {
                        report = next_report(&mut lines) => match report.map(|report| report.state) {
                            Some(Reported::Exited { exit }) => return Ok(End::Exited(exit)),
                            Some(_) => pause = POLL,
                            None => break,
                        },
                        () = siblings.removed() => {
                            if matches!(self.has(files::KEEPER), Ok(false)) {
                                // If the request cannot be sent, the connection has ended.
                                _ = writer.write_all(b"{}\n").await;
                            }
                        }
                    }
                },
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_POLL);
        }
    }

    /// Asks the workload to end: the stop signal now, `KILL` after the grace. Returns when the
    /// keeper has received the request. A repeated request has no effect, and neither has one after
    /// the workload's end.
    ///
    /// # Errors
    ///
    /// [`KeeperError::NotStarted`], also if a start was dropped early; call [`spawn`](Self::spawn)
    /// again first. [`KeeperError::Lost`]. The errors of [`state`](Self::state).
    pub async fn stop(&self) -> Result<(), KeeperError> {
        let request = Request { stop: true, ..Request::default() };
        self.ask(request).await
    }

    /// Kills the workload now. Otherwise it works like [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// The errors of [`stop`](Self::stop).
    pub async fn kill(&self) -> Result<(), KeeperError> {
        let request = Request { kill: true, ..Request::default() };
        self.ask(request).await
    }

    /// Kills all processes of a task whose keeper is [`Lost`](State::Lost). Returns the number of
    /// killed processes when none is left. If no keeper was lost, it does nothing.
    ///
    /// # Errors
    ///
    /// [`KeeperError::StillRunning`] if the keeper is alive. [`KeeperError::File`] if a process
    /// cannot be killed. The errors of [`state`](Self::state).
    ///
    /// # Cancel safety
    ///
    /// You can drop the future and call it again.
    pub async fn sweep(&self) -> Result<usize, KeeperError> {
        match self.state().await? {
            State::Lost => {}
            State::NotStarted | State::Exited(_) => return Ok(0),
            State::Starting | State::Running { .. } => {
                let dir = self.dir.clone();
                return Err(KeeperError::StillRunning { dir });
            }
        }
        let spec: Spec = self.read(files::SPEC)?.ok_or_else(|| self.not_started())?;
        let record: Option<KeeperRecord> = self.read(files::KEEPER)?;
        let boot_id = procfs::boot_id().map_err(|error| self.file("/proc", error))?;
        let record = record.filter(|record| record.boot_id == boot_id);
        // No process survives a restart of the machine.
        let Some(record) = record else { return Ok(0) };
        let remains = Remains::of(&spec.token, record.cgroup.as_deref(), record.workload);
        let remains = remains.map_err(|error| self.file("/sys/fs/cgroup", error))?;
        let mut killed = BTreeSet::new();
        loop {
            let found = remains.kill_once();
            let found = found.map_err(|error| self.file("/proc", error))?;
            let Some(found) = found else { return Ok(killed.len()) };
            killed.extend(found.iter().map(|process| (process.pid, process.start_time)));
            sleep(POLL).await;
        }
    }
}
