//! What is logged, with SwarmKit's fields, as `tracing` events.

use super::error::{ControllerError, ErrorKind};
use crate::lifecycle::{AnyTask, EventKind, InvalidTransition, TaskState};
use core::fmt;

/// The span in which everything about a task is to happen: `task`, with its
/// `task.id`.
///
/// Whoever runs the task opens it, once, around its whole life. Its target is
/// `onward` and its level ERROR, the last that a filter drops: with a filter by
/// targets, let `onward=error` through, or the events inside do not say which
/// task they are about.
///
/// Inside, this library logs every change of state (DEBUG, with SwarmKit's fields
/// `state.transition` and `state.desired`), every failure that is to be tried
/// again (DEBUG), refused events and whatever is ended by force (WARN), fatal errors,
/// tasks without a controller and failed inquiries (ERROR).
///
/// ```
/// use onward::exec::task_span;
/// use tracing::Instrument;
///
/// # async fn run() {}
/// # let life =
/// run().instrument(task_span("8ixqbvoj5f"));
/// ```
pub fn task_span(id: &str) -> tracing::Span {
    tracing::error_span!(target: "onward", "task", task.id = id)
}

/// SwarmKit's `logStateChange`.
pub(super) fn state_change(from: TaskState, to: TaskState, desired: TaskState) {
    if from != to {
        tracing::debug!(
            state.transition = %Arrow(from, to),
            state.desired = desired.proto_name(),
            "state changed",
        );
    }
}

/// An error that ended the task, or that has delayed it.
pub(super) fn recorded(event: EventKind, task: &AnyTask) {
    if event == EventKind::Failed {
        tracing::error!(error = task.err(), "fatal task error");
    }
    if event == EventKind::Unresolved {
        tracing::error!(error = task.err(), "controller resolution failed");
    }
    if event == EventKind::Delayed {
        tracing::debug!(error = task.err(), "task delayed");
    }
}

/// An inquiry that failed; one that was interrupted is nobody's fault.
pub(super) fn failed_inquiry(of: &'static str, error: &ControllerError) {
    if error.kind() != ErrorKind::Interrupted {
        tracing::error!(error = format_args!("{error:#}"), "{of} unavailable");
    }
}

/// An event without an edge.
pub(super) fn refused(reason: &InvalidTransition) {
    tracing::warn!(%reason, "event refused");
}

struct Arrow(TaskState, TaskState);

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}", self.0.proto_name(), self.1.proto_name())
    }
}
