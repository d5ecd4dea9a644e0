//! The expected status of a task (`docs/swarmkit.md`, D).

use super::event::{Bad, Tells, Told, container, ports};
use onward::lifecycle::{ContainerStatus, EventKind, TaskState, TaskStatus};
use std::time::Duration;
use time::UtcDateTime;

/// The data that an inspection must keep.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Known {
    pub(crate) container: bool,
    pub(crate) exit_code: i32,
}

pub(crate) struct Record {
    pub(crate) start: UtcDateTime,
    pub(crate) status: TaskStatus,
    pub(crate) unreported: bool,
    pub(crate) reports: u32,
    /// The last reported state.
    pub(crate) reported: Option<TaskState>,
    pub(crate) since: UtcDateTime,
    pub(crate) shutting_down: Option<UtcDateTime>,
    pub(crate) terminating: Option<UtcDateTime>,
    pub(crate) history: Vec<(UtcDateTime, EventKind)>,
}

impl Record {
    pub(crate) fn new(start: UtcDateTime, status: TaskStatus) -> Self {
        let since = status.timestamp.unwrap_or(start);
        let (shutting_down, terminating, history) = (None, None, Vec::new());
        let (reports, reported, unreported) = (0, None, false);
        Self {
            start,
            status,
            unreported,
            reports,
            reported,
            since,
            shutting_down,
            terminating,
            history,
        }
    }

    pub(crate) fn wall(&self, now: Duration) -> UtcDateTime {
        self.start + now
    }

    /// Changes the status. A change sets the time (D16), and must be reported.
    fn write(&mut self, now: Duration, write: impl FnOnce(&mut TaskStatus)) {
        let before = self.status.clone();
        write(&mut self.status);
        if self.status != before {
            self.status.timestamp = Some(self.wall(now));
            self.unreported = true;
        }
        if self.status.state != before.state {
            self.since = self.wall(now);
        }
    }

    fn happened(&mut self, now: Duration, kind: EventKind) {
        self.history.push((self.wall(now), kind));
        if self.history.len() > 8 {
            self.history.remove(0);
        }
    }

    /// A successful step (D2, D3, D7).
    pub(crate) fn moved(&mut self, now: Duration, to: TaskState, message: &'static str) {
        self.happened(
            now,
            match message {
                "accepted" => EventKind::Accepted,
                "preparing" => EventKind::Preparing,
                "prepared" => EventKind::Prepared,
                "starting" => EventKind::Starting,
                "started" => EventKind::Started,
                "finished" => EventKind::Finished,
                "shutdown" => EventKind::ShutDown,
                _ => EventKind::Terminated,
            },
        );
        self.write(now, |status| {
            status.state = to;
            status.message = message.into();
            status.err = None;
        });
    }

    /// A failure (D11). The exit code is recorded now (D15).
    pub(crate) fn failed(&mut self, now: Duration, err: String, bad: &Bad) -> Known {
        self.happened(now, EventKind::Failed);
        self.write(now, |status| {
            let before = status.state < TaskState::Starting;
            status.state = if before { TaskState::Rejected } else { TaskState::Failed };
            status.err = Some(err.into());
            if let Some(pid) = bad.container {
                status.container_status = known(container(pid));
            }
            if bad.exit_code != 0 {
                status.container_status.get_or_insert_default().exit_code = Some(bad.exit_code);
            }
        });
        Known { container: bad.container.is_some(), exit_code: bad.exit_code }
    }

    /// There is no controller (D1). A task that has ended only notes it.
    pub(crate) fn unresolved(&mut self, now: Duration, err: String) -> Known {
        self.happened(now, EventKind::Unresolved);
        self.write(now, |status| {
            status.message = "resolving controller failed".into();
            status.err = Some(err.into());
            status.state = match status.state {
                state if state.is_terminal() => state,
                state if state < TaskState::Starting => TaskState::Rejected,
                _ => TaskState::Failed,
            };
        });
        Known::default()
    }

    /// A temporary error (D10): no exit code (D15), and no container before STARTING.
    pub(crate) fn noted(&mut self, now: Duration, err: &str, bad: &Bad) -> Known {
        let interrupted = bad.is_interruption();
        self.happened(now, if interrupted { EventKind::Interrupted } else { EventKind::Delayed });
        self.write(now, |status| {
            if !interrupted {
                status.err = Some(err.to_owned().into());
            }
            if let Some(pid) = bad.container.filter(|_| status.state >= TaskState::Starting) {
                status.container_status = known(container(pid));
            }
        });
        Known { container: bad.container.is_some(), exit_code: 0 }
    }

    /// An inspection of container and ports (D13).
    pub(crate) fn inspected(&mut self, now: Duration, told: &Told, keep: Known) {
        self.write(now, |status| {
            if let (Tells::Is(pid), false) = (&told.container, keep.container) {
                let mut container = container(*pid);
                if keep.exit_code != 0 {
                    container.exit_code = Some(keep.exit_code);
                }
                status.container_status = known(container);
            }
            if let Tells::Is(number) = told.ports {
                status.port_status = ports(number);
            }
        });
    }
}

/// An empty container status counts as none.
fn known(status: ContainerStatus) -> Option<ContainerStatus> {
    Some(status).filter(|status| !status.is_empty())
}
