//! The workload of a task, as shown by the status of the task.

use onward::lifecycle::TaskStatus;

/// Returns the process id of the workload, if it is known and the task has not ended. The status of
/// an ended task keeps the id until the last inspection, or forever if that fails. By then the
/// system may have given the id to another process.
pub(crate) fn pid(status: &TaskStatus) -> Option<i32> {
    status.container_status.as_ref()?.pid.filter(|_| !status.state.is_terminal())
}
