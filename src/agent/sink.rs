//! Where the statuses of tasks go.

use super::panic::caught;
use crate::lifecycle::TaskStatus;

/// Receives the statuses of tasks as they change: a reporter, a view, a log.
///
/// It is called by a driver or a worker in the middle of its work, so it must not block: it
/// puts the status where something else takes it from. It is never called under a lock of the
/// library. A sink that panics is logged, and called again with the next status. A closure is
/// a sink:
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
    /// The status of the task of this id has changed to this.
    fn changed(&self, id: &str, status: TaskStatus);

    /// The task of this id was removed. A sink that keeps something for each task forgets it
    /// now; another task of the same id begins anew.
    ///
    /// A worker calls it when nothing is left of the task. A driver that you run by yourself
    /// does not.
    ///
    /// The default does nothing.
    fn removed(&self, id: &str) {
        let _ = id;
    }
}

impl<F: Fn(&str, TaskStatus) + Send + Sync> StatusSink for F {
    fn changed(&self, id: &str, status: TaskStatus) {
        self(id, status);
    }
}

/// Hands a status to a sink, which may panic.
pub(super) fn deliver(sink: &dyn StatusSink, id: &str, status: TaskStatus) {
    if let Err(panic) = caught(|| sink.changed(id, status)) {
        tracing::error!(task.id = id, %panic, "status sink panicked");
    }
}

/// Tells a sink, which may panic, that a task was removed.
pub(super) fn deliver_removed(sink: &dyn StatusSink, id: &str) {
    if let Err(panic) = caught(|| sink.removed(id)) {
        tracing::error!(task.id = id, %panic, "status sink panicked");
    }
}
