//! The reports of a keeper to its clients.

use std::{
    io::{self, PipeReader, PipeWriter, Read as _, Write as _},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
};
use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use super::{exit::Exit, members::Tracking};
use crate::stamp;

/// A report of a keeper: one line of JSON after the connection, and one at each change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) state: Reported,
    /// Why lines of the log are being lost, if they are.
    pub(super) log_error: Option<String>,
}

/// The state in a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Reported {
    /// The workload is about to be started.
    Starting,
    /// The workload is running, or its remaining processes are being ended.
    Running {
        pid: i32,
        #[serde(with = "stamp")]
        since: UtcDateTime,
        /// How the keeper finds the workload's processes. `None` if the keeper has an older
        /// version.
        #[serde(default)]
        tracking: Option<Tracking>,
    },
    /// The workload and all its processes have ended, and the end is recorded.
    Exited { exit: Exit },
}

/// The sending half of the state that the output thread shares with the main thread. The output
/// thread drops it at its end.
#[derive(Debug)]
pub(super) struct Shared {
    log_error: Arc<Mutex<Option<String>>>,
    /// A byte is written at each change.
    changed: PipeWriter,
}

impl Shared {
    pub(super) fn new() -> io::Result<(Self, OutputState)> {
        let (changes, changed) = io::pipe()?;
        fcntl_setfl(&changes, fcntl_getfl(&changes)? | OFlags::NONBLOCK)?;
        fcntl_setfl(&changed, fcntl_getfl(&changed)? | OFlags::NONBLOCK)?;
        let log_error = Arc::<Mutex<Option<String>>>::default();
        let state = OutputState { log_error: Arc::clone(&log_error), changes: Some(changes) };
        Ok((Self { log_error, changed }, state))
    }

    /// Reports why lines of the log are being lost. `None`: no lines are being lost.
    pub(super) fn log_error(&self, error: Option<&str>) {
        let mut known = self.log_error.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() != error {
            *known = error.map(ToOwned::to_owned);
            // If the pipe is full, it already wakes the other thread.
            let _ = (&self.changed).write(&[0]);
        }
    }
}

/// The receiving half of [`Shared`].
#[derive(Debug)]
pub(super) struct OutputState {
    log_error: Arc<Mutex<Option<String>>>,
    /// `None` when the thread has ended.
    changes: Option<PipeReader>,
}

impl OutputState {
    pub(super) fn poll_fd(&self) -> Option<PollFd<'_>> {
        self.changes.as_ref().map(|changes| PollFd::new(changes, PollFlags::IN))
    }

    /// Whether all output is written.
    pub(super) fn is_finished(&self) -> bool {
        self.changes.is_none()
    }

    /// Returns why lines of the log are being lost, if they are.
    pub(super) fn log_error(&mut self) -> Option<String> {
        let mut bytes = [0; 64];
        while let Some(changes) = &mut self.changes {
            match changes.read(&mut bytes) {
                Ok(0) => self.changes = None,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.log_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
