use std::{io, path::PathBuf};

use rustix::io::Errno;
use serde::de::DeserializeOwned;

use super::Keeper;
use crate::keeper::{ExecutableError, exit::is_scarce, files};

/// Why a task could not be prepared, started, inspected or ended.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The command cannot be executed.
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    /// The working directory cannot be used.
    #[error("cannot use the working directory {}: {error}; create it or change `dir`", path.display())]
    WorkingDirectory {
        /// The definition's `dir`.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A task was already started in this directory. A task starts at most once.
    #[error("{} has been started already; prepare a new task in a directory of its own", dir.display())]
    AlreadyStarted {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The task was not started, so there is no keeper.
    #[error("{} has not been started; spawn its keeper first", dir.display())]
    NotStarted {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The task's directory is gone.
    #[error("the directory {} was removed, moved or replaced, and with it what is known of the task", dir.display())]
    Gone {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The caller of a preparation was dropped, so the preparation stopped.
    #[error("the preparation of {} was given up", dir.display())]
    GivenUp {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The keeper failed before the start of the workload.
    #[error(
        "the keeper of {} could not start: {reason}{}",
        dir.display(), resource_hint(*errno).unwrap_or_default()
    )]
    Launch {
        /// The task's directory.
        dir: PathBuf,
        /// The keeper's error.
        reason: String,
        /// The system's error number, if the system refused the start.
        errno: Option<i32>,
    },
    /// The keeper was killed.
    #[error("the keeper of {} was killed; sweep what it left, and start a new task", dir.display())]
    Lost {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The keeper is alive, so the task cannot be swept.
    #[error("the keeper of {} is alive; stop or kill the task instead of sweeping it", dir.display())]
    StillRunning {
        /// The task's directory.
        dir: PathBuf,
    },
    /// The keeper, or another writer, has locked the directory and neither answers nor unlocks it.
    #[error("the keeper of {} does not answer; it may be stopped, and then needs a CONT signal", dir.display())]
    Silent {
        /// The task's directory.
        dir: PathBuf,
    },
    /// A file or directory of the task cannot be created, read or written.
    #[error("{}: {error}{}", path.display(), hint(error))]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most errors have no hint")]
fn hint(error: &io::Error) -> &'static str {
    if let Some(hint) = resource_hint(error.raw_os_error()) {
        return hint;
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; give the agent's user the permission",
        io::ErrorKind::NotFound => "; create the missing directory",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a writable directory",
        io::ErrorKind::InvalidData => "; it was not written by a keeper of this version",
        _ => "",
    }
}

/// Returns a hint if the disk is full or a limit is too low.
fn resource_hint(errno: Option<i32>) -> Option<&'static str> {
    match Errno::from_raw_os_error(errno?) {
        Errno::NOSPC | Errno::DQUOT => Some("; make room there"),
        Errno::MFILE => {
            Some("; raise the agent's limit on open files (`ulimit -n`, `LimitNOFILE=`)")
        }
        Errno::NFILE => Some("; raise the system's limit on open files (`fs.file-max`)"),
        Errno::FBIG => Some("; raise the limit on the size of files (`ulimit -f`, `LimitFSIZE=`)"),
        _ => None,
    }
}

impl KeeperError {
    /// Returns the system's error number, if there is one.
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

    /// Whether the same call may succeed later. Either a resource of the system is exhausted for
    /// the moment, or the state of the task is not known yet.
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
