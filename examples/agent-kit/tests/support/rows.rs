//! Rows for the tests of the views.

use std::time::{Duration, Instant};

use agent_kit::board::Row;
use onward::lifecycle::{ContainerStatus, TaskState, TaskStatus};

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn status(state: TaskState, message: &'static str, err: &'static str) -> TaskStatus {
    let mut status = TaskStatus::new(state);
    status.message = message.into();
    status.err = Some(err.into()).filter(|_| !err.is_empty());
    status
}

pub(crate) fn container(status: TaskStatus, pid: i32, exit_code: i32) -> TaskStatus {
    let known = |number: i32| Some(number).filter(|number| *number != 0);
    let (pid, exit_code) = (known(pid), known(exit_code));
    let container_status = ContainerStatus { container_id: "c".into(), pid, exit_code };
    let mut status = status;
    status.container_status = Some(container_status);
    status
}

pub(crate) fn row(start: Instant, name: &str, age: f64, status: TaskStatus) -> Row {
    Row { since: start.checked_sub(seconds(age)).unwrap(), ..Row::new(name, status) }
}

/// Returns rows in different states.
pub(crate) fn rows(now: Instant) -> Vec<Row> {
    use TaskState::{Complete, Failed, Preparing, Rejected, Running, Shutdown};
    let failed = container(status(Failed, "started", "exited with code 3"), 0, 3);
    let mut rows = vec![
        row(now, "web", 245.0, container(status(Running, "started", ""), 4711, 0)),
        row(now, "disk", 0.3, status(Preparing, "preparing", "no space left on device")),
        row(now, "migrate", 61.0, container(status(Complete, "finished", ""), 0, 0)),
        row(now, "bad", 2.1, failed),
        row(now, "nothing", 9.0, status(Rejected, "preparing", "`nothing` is no program")),
        row(now, "cron", 0.0, container(status(Shutdown, "shutdown", ""), 0, 143)),
    ];
    rows[1].attempt = Some(2);
    rows[1].retry_at = Some(now + seconds(0.8));
    rows
}
