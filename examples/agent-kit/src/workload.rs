//! The workload of a task, as the task's status has it.

use onward::lifecycle::TaskStatus;

/// The workload's process number, if it is known and the task has not ended. The status of a task
/// that has ended keeps the number until the last inspection, or for ever if that fails. By then it
/// may be the number of another process.
pub(crate) fn pid(status: &TaskStatus) -> Option<i32> {
    status.container_status.as_ref()?.pid.filter(|_| !status.state.is_terminal())
}
