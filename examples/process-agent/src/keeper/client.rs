mod end;
mod error;
mod launch;
mod look;
mod prepare;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use time::UtcDateTime;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout, timeout_at};

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

/// How long a writer that holds the lock of a task's directory may say nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Time between two looks, where there is nothing to wait for.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Time between two looks whether the directory of a running task is still there.
const REMOVAL_POLL: Duration = Duration::from_secs(10);

/// The longest time between two looks, where it can take long.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// The agent's side of one task: a directory, and the keeper there if there is one.
///
/// It holds nothing but paths: any number of them, in any number of agents, one after the other
/// or at the same time, speak of the same task.
#[derive(Clone, Debug)]
pub struct Keeper {
    dir: PathBuf,
    program: PathBuf,
}

/// What [`Keeper::spawn`] found or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spawned {
    /// This call started the keeper; the workload runs, or has ended by now.
    Started,
    /// A keeper was there, with a workload that runs.
    AlreadyRunning,
    /// A keeper was there, and its workload has ended.
    AlreadyExited,
}

/// What [`Keeper::state`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No keeper has come to the point of starting the workload.
    NotStarted,
    /// A keeper is about to start the workload.
    Starting,
    /// The workload runs, or what it has left behind is being ended.
    Running {
        /// The workload's process number.
        pid: i32,
        /// When it was started.
        since: UtcDateTime,
        /// How its processes are found; `None` if the keeper is of an older version.
        tracking: Option<Tracking>,
        /// Why lines of its log are being lost, if they are.
        log_error: Option<String>,
    },
    /// It has ended, and so has all that it started.
    Exited(Exit),
    /// The keeper was killed: the exit code will never be known, and the workload may run.
    /// [`Keeper::sweep`] ends it.
    Lost,
}

/// What [`Keeper::wait`] waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The workload has ended.
    Exited(Exit),
    /// See [`State::Lost`].
    Lost,
}

/// The next multiple of [`REMOVAL_POLL`] since this process waited first. Thousands of tasks wake it
/// once then.
fn next_poll() -> Instant {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    let passed = FIRST.elapsed().as_secs() / REMOVAL_POLL.as_secs();
    *FIRST + REMOVAL_POLL * u32::try_from(passed + 1).unwrap_or(u32::MAX)
}

impl Keeper {
    /// The keeper of the task in `dir`. The running program is what will be started as
    /// keeper: its `main` must call [`run_if_asked`](super::run_if_asked).
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), program: "/proc/self/exe".into() }
    }

    /// With another program to be started as keeper.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// The task's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The working directory that the task was prepared with, as an absolute path.
    ///
    /// # Errors
    ///
    /// [`KeeperError::NotStarted`] if it is not prepared; [`KeeperError::File`] if that cannot be
    /// read.
    pub fn work_dir(&self) -> Result<PathBuf, KeeperError> {
        let spec: Option<Spec> = self.read(files::SPEC)?;
        spec.and_then(|spec| spec.definition.dir).ok_or_else(|| self.not_started())
    }

    /// How the keeper finds the workload's processes. `None` if it has not started the workload, or if
    /// that cannot be read. Blocks for a file operation.
    #[must_use]
    pub fn tracking(&self) -> Option<Tracking> {
        let record: Option<KeeperRecord> = self.read(files::KEEPER).ok()?;
        record?.tracking
    }

    /// The keeper of another process of the same task, in a directory within this one.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { dir: self.dir.join(name), program: self.program.clone() }
    }

    /// Makes the task's directory and all in it that a start needs, and looks whether the
    /// executable and the working directory are there. Blocks for some file operations.
    ///
    /// Preparing again is fine until a keeper has started.
    ///
    /// # Errors
    ///
    /// What stands in the way of a start, with its path; [`KeeperError::AlreadyStarted`];
    /// [`KeeperError::Silent`] if another writer has the directory for ten seconds.
    pub fn prepare(&self, definition: &ProcessDefinition) -> Result<(), KeeperError> {
        self.prepare_while(definition, || true)
    }

    /// Asks for the state once.
    ///
    /// # Errors
    ///
    /// [`KeeperError::Silent`] if a keeper lives but does not answer for ten seconds;
    /// [`KeeperError::File`] if the directory cannot be read.
    pub async fn state(&self) -> Result<State, KeeperError> {
        timeout(PATIENCE, async {
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

    /// Waits until the workload has ended, or its keeper is lost. For a task that was started.
    ///
    /// It waits for the keeper's next report. A keeper that holds its lock and has no socket is
    /// starting or ending, which takes milliseconds, or has lost its socket to something that
    /// removes files. It is looked at in growing intervals, of 1 s in the end.
    ///
    /// Every 10 s, at the same moment for all tasks of this process, it looks whether the task's
    /// directory is still there. If not, it has the keeper look, which then stops the task.
    ///
    /// # Errors
    ///
    /// [`KeeperError::Gone`] if there is nothing to wait for. [`KeeperError::File`] if the
    /// directory cannot be read.
    ///
    /// # Cancel safety
    ///
    /// It only looks, so it can be dropped at any time.
    pub async fn wait(&self) -> Result<End, KeeperError> {
        let mut pause = POLL;
        loop {
            match self.look().await? {
                Look::Free(State::Exited(exit)) => return Ok(End::Exited(exit)),
                Look::Free(State::Lost) => return Ok(End::Lost),
                Look::Free(_) => return Err(self.gone()),
                Look::Busy => {}
                Look::Connected(mut lines, mut writer) => loop {
                    let report = match timeout_at(next_poll(), next_report(&mut lines)).await {
                        Ok(Some(report)) => report,
                        Ok(None) => break,
                        Err(_) => {
                            if matches!(self.has(files::KEEPER), Ok(false)) {
                                // If it cannot be sent, the connection has ended.
                                _ = writer.write_all(b"{}\n").await;
                            }
                            continue;
                        }
                    };
                    pause = POLL;
                    if let Reported::Exited { exit } = report.state {
                        return Ok(End::Exited(exit));
                    }
                },
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_POLL);
        }
    }

    /// Asks the workload to end: its stop signal now, `KILL` after its grace. Returns when the
    /// keeper has been asked. Repeating it changes nothing; if the workload has ended, neither
    /// does this.
    ///
    /// # Errors
    ///
    /// [`KeeperError::NotStarted`], also for a start that was dropped halfway and did not come
    /// far: [`spawn`](Self::spawn) again first. [`KeeperError::Lost`]. Those of
    /// [`state`](Self::state).
    pub async fn stop(&self) -> Result<(), KeeperError> {
        let request = Request { stop: true, ..Request::default() };
        self.ask(request).await
    }

    /// Kills the workload now. Otherwise like [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// Those of [`stop`](Self::stop).
    pub async fn kill(&self) -> Result<(), KeeperError> {
        let request = Request { kill: true, ..Request::default() };
        self.ask(request).await
    }

    /// Kills all that is left of a task whose keeper is [`Lost`](State::Lost), and returns when
    /// nothing is, with how many processes there were. Where no keeper was lost there is nothing
    /// to do.
    ///
    /// # Errors
    ///
    /// [`KeeperError::StillRunning`] if the keeper lives; [`KeeperError::File`] if a process cannot
    /// be killed. Those of [`state`](Self::state).
    ///
    /// # Cancel safety
    ///
    /// Can be dropped and called again.
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
        // Nothing outlives the machine.
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
