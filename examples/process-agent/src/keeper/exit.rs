use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use crate::stamp;

/// How a workload ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Exit {
    /// It ran and has ended.
    Ended(Ended),
    /// It could not be started.
    NotStarted(NotStarted),
}

/// How a workload ended that had been started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The exit code, or 128 plus the number of the signal.
    pub code: i32,
    /// The signal that killed it, if any.
    pub signal: Option<i32>,
    /// When the workload was started.
    #[serde(with = "stamp")]
    pub started: UtcDateTime,
    /// When the workload had ended.
    #[serde(with = "stamp")]
    pub finished: UtcDateTime,
    /// What the keeper had done to the workload.
    pub by: By,
}

/// What the keeper had done to a workload before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Nothing. The workload ended by itself.
    Exit,
    /// Sent the stop signal.
    Stop,
    /// Sent `KILL`, on request or after the grace.
    Kill,
}

/// Why a workload could not be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{spawn_error}")]
pub struct NotStarted {
    /// The failed step, and the error of the system.
    pub spawn_error: String,
    /// The system's error number, if there is one.
    pub errno: Option<i32>,
}

impl NotStarted {
    /// Whether a start may succeed later, because a resource of the system was exhausted.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.errno.is_some_and(is_scarce)
    }
}

/// Whether an error number means a temporary lack of a resource. Descriptors, processes, memory and
/// disk space become free again, and a file that is being written is closed.
///
/// `EIO` is not among them. A broken disk does not recover by itself; a person has to look at it.
pub(super) fn is_scarce(errno: i32) -> bool {
    const PASSING: [Errno; 9] = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::AGAIN,
        Errno::NOMEM,
        Errno::NOBUFS,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::TXTBSY,
        Errno::INTR,
    ];
    PASSING.iter().any(|passing| passing.raw_os_error() == errno)
}
