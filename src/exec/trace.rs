//! What is logged, with SwarmKit's fields, as `tracing` events.

use super::error::{ControllerError, ErrorKind};
use crate::lifecycle::{Event, InvalidTransition, TaskState};
use core::fmt;

/// The span in which everything about a task is to happen, so that every event
/// inside says which task it is about.
///
/// Whoever runs the task opens it, once, around its whole life:
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
    tracing::info_span!("task", task.id = id)
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

/// An error that ends the task.
pub(super) fn fatal(event: &Event) {
    if let Event::Failed(failure) = event {
        tracing::error!(error = &*failure.err, "fatal task error");
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
