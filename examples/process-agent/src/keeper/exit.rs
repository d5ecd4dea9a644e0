use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use crate::stamp;

/// How a workload ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Exit {
    /// It ran.
    Ended(Ended),
    /// It could not be started.
    NotStarted(NotStarted),
}

/// The end of a workload that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The exit code, or 128 plus the signal.
    pub code: i32,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// When it was started.
    #[serde(with = "stamp")]
    pub started: UtcDateTime,
    /// When it had ended.
    #[serde(with = "stamp")]
    pub finished: UtcDateTime,
    /// What had been done to it.
    pub by: By,
}

/// What the keeper had done to a workload by the time it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Nothing: it ended by itself.
    Exit,
    /// It had been sent its stop signal.
    Stop,
    /// It had been sent `KILL`, on request or because its grace had passed.
    Kill,
}

/// Why a workload could not be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{spawn_error}")]
pub struct NotStarted {
    /// What was tried and what the system said.
    pub spawn_error: String,
    /// The system's error number, where there was one.
    pub errno: Option<i32>,
}

impl NotStarted {
    /// Whether a start can succeed later, because the system had too little of
    /// something.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.errno.is_some_and(is_scarce)
    }
}

/// Whether an error number stands for something that passes without a change of the task:
/// descriptors, processes, memory and room on a disk are given back, and a file that is being
/// written is closed.
///
/// `EIO` is not among them. A disk that cannot be read is not better a second later, and a person
/// has to look at it.
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
