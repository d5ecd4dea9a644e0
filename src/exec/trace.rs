//! Log messages of task changes and errors, as `tracing` events with SwarmKit's fields.
//!
//! These functions only log. The caller records the event first.

use super::controller::{Inspected, Inspection};
use super::error::{ControllerError, ErrorKind};
use crate::lifecycle::{EventKind, TaskState};
use core::fmt;

/// The `tracing` span of a task: `task`, with the field `task.id`.
///
/// Open it once, around the loop that runs the task. Its target is `onward` and its level
/// is ERROR, so that filters by level keep it. If you filter by target, let
/// `onward=error` through. Otherwise events do not name their task.
///
/// | Event in this span | Level |
/// |---|---|
/// | change of state, with SwarmKit's fields `state.transition` and `state.desired` | DEBUG |
/// | failure that is retried | DEBUG |
/// | refused event, call of `terminate` | WARN |
/// | fatal error, task without a controller, failed inspection | ERROR |
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

/// Logs a recorded event: its error, if it has one, and the change of state (SwarmKit's
/// `logStateChange`).
///
/// It takes plain values, so that a driver can record under a lock and log after it.
/// `err` is the error in the status after the event.
#[inline]
pub(crate) fn recorded(
    event: EventKind,
    from: TaskState,
    to: TaskState,
    desired: TaskState,
    err: Option<&str>,
) {
    if matches!(event, EventKind::Failed | EventKind::Unresolved | EventKind::Delayed) {
        failure(event, err.unwrap_or_default());
    }
    if from != to {
        tracing::debug!(
            state.transition = %Arrow(from, to),
            state.desired = desired.proto_name(),
            "state changed",
        );
    }
}

#[cold]
fn failure(event: EventKind, error: &str) {
    if event == EventKind::Failed {
        tracing::error!(error, "fatal task error");
    }
    if event == EventKind::Unresolved {
        tracing::error!(error, "controller resolution failed");
    }
    if event == EventKind::Delayed {
        tracing::debug!(error, "task delayed");
    }
}

/// Logs the errors of an inspection, except interruptions.
#[inline]
pub(crate) fn inspected(inspection: &Inspection) {
    if let Inspected::Failed(error) = &inspection.container_status {
        unavailable("container status", error);
    }
    if let Inspected::Failed(error) = &inspection.port_status {
        unavailable("container port status", error);
    }
}

fn unavailable(part: &'static str, error: &ControllerError) {
    if error.kind() != ErrorKind::Interrupted {
        tracing::error!(error = format_args!("{error:#}"), "{part} unavailable");
    }
}

/// Logs an event or an answer that the task refused. It was not recorded.
pub(crate) fn refused(reason: &dyn fmt::Display) {
    tracing::warn!(%reason, "event refused");
}

struct Arrow(TaskState, TaskState);

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}", self.0.proto_name(), self.1.proto_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use std::io;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().map_err(|_| io::ErrorKind::Other)?.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_refusal_is_logged_as_a_warning_with_its_reason() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .finish();
        tracing::subscriber::with_default(subscriber, || refused(&"there is no such edge"));
        let bytes = buffer.0.lock().map(|bytes| bytes.clone()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(text.trim(), "WARN event refused reason=there is no such edge");
    }
}
