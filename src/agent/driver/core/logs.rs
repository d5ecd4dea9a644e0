//! Log entries of a decision: plain data, which is written when no lock is held.

use crate::exec::trace;
use crate::lifecycle::{EventKind, TaskState};
use alloc::boxed::Box;
use core::time::Duration;

/// A log entry.
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
    /// A call failed and is retried. The status does not show it.
    CallDelayed(&'static str, Box<str>),
    /// The driver calls only `terminate` from now on. The text is the reason.
    Terminating(&'static str),
    /// A call, or a phase of it and its retries, exceeded its deadline.
    DeadlinePassed(&'static str, Duration),
    DefinitionRefused(Box<str>),
    RemovalFailed(Box<str>),
    Forgotten(Box<str>),
    /// The task refused a move of the driver: an error of this library.
    Refused(Box<str>),
}

/// The log entries of one decision: at most two, without an allocation of its own.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[must_use = "call `write`"]
pub(in crate::agent::driver) struct Logs(Option<Log>, Option<Log>);

impl Logs {
    /// These entries, with another one after them.
    pub(super) fn and(self, log: Log) -> Self {
        match self {
            Self(None, _) => Self(Some(log), None),
            Self(first, _) => Self(first, Some(log)),
        }
    }

    /// These entries, with another one before them.
    pub(super) fn after(self, log: Log) -> Self {
        match self {
            Self(first, None) => Self(Some(log), first),
            more @ Self(_, Some(_)) => more,
        }
    }

    /// Writes the entries. Call it outside of every lock: a subscriber is the embedder's code.
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
            Self::Panicked(error) => {
                tracing::error!(error = &**error, "interrupted operation panicked when dropped");
            }
            Self::CallDelayed(call, error) => {
                tracing::debug!(call, error = &**error, "call failed and is retried");
            }
            Self::DeadlinePassed(call, deadline) => deadline_passed(call, *deadline),
            Self::Terminating(reason) => tracing::warn!(reason, "driver terminates the task"),
            Self::DefinitionRefused(error) => {
                tracing::warn!(error = &**error, "controller refused the definition");
            }
            Self::RemovalFailed(error) => tracing::error!(error = &**error, "removal failed"),
            Self::Forgotten(error) => {
                tracing::warn!(
                    error = &**error,
                    "task forgotten: executor rejected its definition"
                );
            }
            Self::Refused(error) => {
                tracing::error!(error = &**error, "driver made an illegal move");
            }
        }
    }
}

/// Logs that a call exceeded its deadline.
pub(in crate::agent::driver) fn deadline_passed(call: &'static str, deadline: Duration) {
    tracing::warn!(call, ?deadline, "deadline passed");
}
