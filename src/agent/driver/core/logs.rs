//! What a decision logs: data, written when no lock is held.

use crate::exec::trace;
use crate::lifecycle::{EventKind, TaskState};
use alloc::boxed::Box;
use core::time::Duration;

/// Something to be logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::agent::driver) enum Log {
    Recorded {
        event: EventKind,
        from: TaskState,
        to: TaskState,
        desired: TaskState,
        err: Option<Box<str>>,
    },
    /// The drop of an operation panicked.
    Panicked(Box<str>),
    /// A call that the status does not tell of is made again.
    CallDelayed(&'static str, Box<str>),
    Terminating(&'static str),
    /// A call, or a phase of it and its retries, took longer than it may.
    DeadlinePassed(&'static str, Duration),
    DefinitionRefused(Box<str>),
    RemovalFailed(Box<str>),
    Forgotten(Box<str>),
    /// A move that the table does not have. The driver never makes one.
    Refused(Box<str>),
}

/// What one decision logs: at most two entries, without an allocation of its own.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[must_use = "it is to be logged"]
pub(in crate::agent::driver) struct Logs(Option<Log>, Option<Log>);

impl Logs {
    pub(super) fn and(self, log: Log) -> Self {
        match self {
            Self(None, _) => Self(Some(log), None),
            Self(first, _) => Self(first, Some(log)),
        }
    }

    /// This entry, and then these.
    pub(super) fn after(self, log: Log) -> Self {
        match self {
            Self(first, None) => Self(Some(log), first),
            more @ Self(_, Some(_)) => more,
        }
    }

    /// Writes them. Call it outside of every lock: a subscriber is the embedder's code.
    pub(in crate::agent::driver) fn write(self) {
        self.0.into_iter().chain(self.1).for_each(|log| log.write());
    }
}

impl From<Log> for Logs {
    fn from(log: Log) -> Self {
        Self(Some(log), None)
    }
}

impl Log {
    fn write(&self) {
        match self {
            Self::Recorded { event, from, to, desired, err } => {
                trace::recorded(*event, *from, *to, *desired, err.as_deref());
            }
            Self::Panicked(error) => tracing::error!(error = &**error, "operation panicked"),
            Self::CallDelayed(call, error) => {
                tracing::debug!(error = &**error, "{call} delayed");
            }
            Self::DeadlinePassed(call, deadline) => deadline_passed(call, *deadline),
            Self::Terminating(reason) => tracing::warn!(reason, "task is terminated"),
            Self::DefinitionRefused(error) => {
                tracing::warn!(error = &**error, "definition refused");
            }
            Self::RemovalFailed(error) => tracing::error!(error = &**error, "task not removed"),
            Self::Forgotten(error) => {
                tracing::warn!(
                    error = &**error,
                    "task forgotten: executor rejected its definition"
                );
            }
            Self::Refused(error) => tracing::error!(error = &**error, "move refused"),
        }
    }
}

/// Logs that a call took longer than it may.
pub(in crate::agent::driver) fn deadline_passed(call: &'static str, deadline: Duration) {
    tracing::warn!(call, ?deadline, "deadline passed");
}
