//! A sink for the statuses of tasks.

use super::panic::caught;
use crate::lifecycle::TaskStatus;

/// Receives the new statuses of tasks. For example, a [`Reporter`](super::Reporter) delivers them
/// to a manager.
///
/// It must not block, because a driver or a worker calls it in the middle of its work. For
/// example, it sends the status on a channel. It is never called under a lock of the library. If
/// it panics, the panic is logged, and it is called again with the next status. An `Fn`
/// closure is a sink:
///
/// ```
/// use onward::agent::StatusSink;
/// use onward::{TaskState, TaskStatus};
/// use std::sync::mpsc::channel;
///
/// let (sender, receiver) = channel();
/// let sink = move |id: &str, status: TaskStatus| _ = sender.send((id.to_owned(), status.state));
/// sink.changed("web.1", TaskStatus::new(TaskState::Running));
/// assert_eq!(receiver.recv()?, ("web.1".to_owned(), TaskState::Running));
/// # Ok::<(), std::sync::mpsc::RecvError>(())
/// ```
pub trait StatusSink: Send + Sync {
    /// Called with the new status of the task with this id.
    fn changed(&self, id: &str, status: TaskStatus);

    /// Called when the task with this id was removed. If the sink keeps data for each task, it
    /// must discard that data: the id may be assigned again, to another task.
    ///
    /// A worker calls it when the removal is complete. A driver without a worker never calls it.
    ///
    /// Default: does nothing.
    fn removed(&self, id: &str) {
        let _ = id;
    }
}

impl<F: Fn(&str, TaskStatus) + Send + Sync> StatusSink for F {
    fn changed(&self, id: &str, status: TaskStatus) {
        self(id, status);
    }
}

/// Passes a status to a sink, and logs its panic.
pub(super) fn deliver(sink: &dyn StatusSink, id: &str, status: TaskStatus) {
    if let Err(panic) = caught(|| sink.changed(id, status)) {
        tracing::error!(task.id = id, %panic, "status sink panicked");
    }
}

/// Passes the removal of a task to a sink, and logs its panic.
pub(super) fn deliver_removed(sink: &dyn StatusSink, id: &str) {
    if let Err(panic) = caught(|| sink.removed(id)) {
        tracing::error!(task.id = id, %panic, "status sink panicked");
    }
}
