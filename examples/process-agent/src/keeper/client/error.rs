use std::{io, path::PathBuf};

use rustix::io::Errno;
use serde::de::DeserializeOwned;

use super::Keeper;
use crate::keeper::{ExecutableError, exit::is_scarce, files};

/// Why a task could not be prepared, started, looked at or ended.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The command cannot be executed.
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    /// The working directory is not there.
    #[error("the working directory {} cannot be used: {error}; create it or change `dir`", path.display())]
    WorkingDirectory {
        /// The definition's `dir`.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The task's directory has been started in, and a task is started at most once.
    #[error("{} has been started already; prepare a new task in a directory of its own", dir.display())]
    AlreadyStarted {
        /// The task's directory.
        dir: PathBuf,
    },
    /// There is no keeper to be asked.
    #[error("{} has not been started; spawn its keeper first", dir.display())]
    NotStarted {
        /// The task's directory.
        dir: PathBuf,
    },
    /// There is nothing of a task that was started.
    #[error("the directory {} was removed, moved or replaced, and with it what is known of the task", dir.display())]
    Gone {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The caller of a preparation has gone, so it was not done.
    #[error("the preparation of {} was given up", dir.display())]
    GivenUp {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The keeper could not come to the start of the workload.
    #[error(
        "the keeper of {} could not start: {reason}{}",
        dir.display(), limit_hint(*errno).unwrap_or_default()
    )]
    Launch {
        /// The task's directory.
        dir: PathBuf,
        /// What it said.
        reason: String,
        /// The system's error number, if it was the system that refused.
        errno: Option<i32>,
    },
    /// The keeper was killed.
    #[error("the keeper of {} was killed; sweep what it left, and start a new task", dir.display())]
    Lost {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The keeper lives, so sweeping is not for this task.
    #[error("the keeper of {} lives; stop or kill the task instead of sweeping it", dir.display())]
    StillRunning {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The keeper, or another process that writes the directory, has its lock and does not answer
    /// or release it.
    #[error("the keeper of {} does not answer; it may be stopped, and then needs a CONT signal", dir.display())]
    Silent {
        /// The task's directory.
        dir: PathBuf,
    },
    /// A file or directory of the task could not be made, read or written.
    #[error("{}: {error}{}", path.display(), hint(error))]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most have nothing that helps")]
fn hint(error: &io::Error) -> &'static str {
    if let Some(hint) = limit_hint(error.raw_os_error()) {
        return hint;
    }
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room there",
        io::ErrorKind::PermissionDenied => "; the agent's user needs the permission",
        io::ErrorKind::NotFound => "; create what is missing on the way to it",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a directory that can be written to",
        io::ErrorKind::InvalidData => "; it was not written by a keeper of this version",
        _ => "",
    }
}

/// What helps if a limit is too low.
fn limit_hint(errno: Option<i32>) -> Option<&'static str> {
    match Errno::from_raw_os_error(errno?) {
        Errno::MFILE => {
            Some("; raise the agent's limit on open files (`ulimit -n`, `LimitNOFILE=`)")
        }
        Errno::NFILE => Some("; raise the system's limit on open files (`fs.file-max`)"),
        Errno::FBIG => Some("; raise the limit on the size of files (`ulimit -f`, `LimitFSIZE=`)"),
        _ => None,
    }
}

impl KeeperError {
    /// The system's error number, if it was the system that refused.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Executable(ExecutableError::Unreadable { error, .. })
            | Self::WorkingDirectory { error, .. }
            | Self::File { error, .. } => error.raw_os_error(),
            Self::Launch { errno, .. } => *errno,
            Self::Executable(_)
            | Self::AlreadyStarted { .. }
            | Self::NotStarted { .. }
            | Self::Gone { .. }
            | Self::GivenUp { .. }
            | Self::Lost { .. }
            | Self::StillRunning { .. }
            | Self::Silent { .. } => None,
        }
    }

    /// Whether the same call can succeed later: the system has too little of something
    /// for the moment, or it is not known what runs.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Silent { .. }) || self.errno().is_some_and(is_scarce)
    }
}

impl Keeper {
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, KeeperError> {
        files::read(&self.dir, name).map_err(|error| self.file(name, error))
    }

    pub(super) fn file(&self, name: &str, error: io::Error) -> KeeperError {
        let path = self.dir.join(name);
        KeeperError::File { path, error }
    }

    pub(super) fn lost(&self) -> KeeperError {
        let dir = self.dir.clone();
        KeeperError::Lost { dir }
    }

    pub(super) fn silent(&self) -> KeeperError {
        let dir = self.dir.clone();
        KeeperError::Silent { dir }
    }

    pub(super) fn gone(&self) -> KeeperError {
        let dir = self.dir.clone();
        KeeperError::Gone { dir }
    }

    pub(super) fn not_started(&self) -> KeeperError {
        let dir = self.dir.clone();
        KeeperError::NotStarted { dir }
    }

    pub(super) fn not_launched(&self, reason: String, errno: Option<i32>) -> KeeperError {
        let dir = self.dir.clone();
        KeeperError::Launch { dir, reason, errno }
    }
}
