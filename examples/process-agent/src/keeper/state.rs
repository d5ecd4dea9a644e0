use std::{
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use super::exit::{By, Exit};
use crate::stamp;

/// Time between two looks at whether the task's directory is still there.
const LOOK: Duration = Duration::from_secs(1);

/// How long a workload that was killed may take, and the time between two tries to help it.
const KILL_TAKES: Duration = Duration::from_millis(100);

/// What a keeper tells: one line of JSON at once, and one at each change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) state: Reported,
    /// Why lines of the log are being lost, if they are.
    pub(super) log_error: Option<String>,
}

/// The state in a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Reported {
    /// The workload is about to be started.
    Starting,
    /// The workload runs, or what it has left behind does.
    Running {
        pid: i32,
        #[serde(with = "stamp")]
        since: UtcDateTime,
    },
    /// All has ended and is written down.
    Exited { exit: Exit },
}

/// What the threads of a keeper share.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
    signal: Signal,
    grace: Duration,
}

struct Inner {
    version: u64,
    report: Report,
    /// The workload's group, while its leader has not been waited for: until then the
    /// number cannot mean another group.
    group: Option<Pid>,
    ended: bool,
    by: By,
    /// When `KILL` follows the stop signal.
    deadline: Option<Instant>,
}

impl Shared {
    pub(super) fn new(signal: Signal, grace: Duration) -> Self {
        Self {
            inner: Mutex::new(Inner {
                version: 0,
                report: Report { state: Reported::Starting, log_error: None },
                group: None,
                ended: false,
                by: By::Exit,
                deadline: None,
            }),
            changed: Condvar::new(),
            signal,
            grace,
        }
    }

    /// The report after version `seen`, and its version; waits for it.
    pub(super) fn report_after(&self, seen: Option<u64>) -> (u64, Report) {
        let inner = self.lock();
        let inner = self
            .changed
            .wait_while(inner, |inner| Some(inner.version) == seen)
            .unwrap_or_else(PoisonError::into_inner);
        (inner.version, inner.report.clone())
    }

    pub(super) fn running(&self, pid: Pid, since: UtcDateTime) {
        let mut inner = self.lock();
        inner.group = Some(pid);
        let pid = pid.as_raw_nonzero().get();
        inner.report.state = Reported::Running { pid, since };
        // What was asked for during the start is done now.
        match inner.by {
            By::Exit => {}
            By::Stop => self.send_stop(&mut inner),
            By::Kill => send(&inner, Signal::KILL),
        }
        self.publish(inner);
    }

    pub(super) fn exited(&self, exit: Exit) {
        let mut inner = self.lock();
        inner.report.state = Reported::Exited { exit };
        self.publish(inner);
    }

    pub(super) fn log_error(&self, error: Option<&str>) {
        let mut inner = self.lock();
        if inner.report.log_error.as_deref() != error {
            inner.report.log_error = error.map(ToOwned::to_owned);
            self.publish(inner);
        }
    }

    /// Sends the stop signal, and `KILL` when the grace has passed. Only the first time.
    pub(super) fn stop(&self) {
        let mut inner = self.lock();
        if inner.by == By::Exit && !inner.ended {
            inner.by = By::Stop;
            self.send_stop(&mut inner);
            self.changed.notify_all();
        }
    }

    /// Sends `KILL` now.
    pub(super) fn kill(&self) {
        let mut inner = self.lock();
        if !inner.ended {
            inner.by = By::Kill;
            send(&inner, Signal::KILL);
            self.changed.notify_all();
        }
    }

    /// Waits for the time to kill, and kills; stops the workload when the task's directory is
    /// not there any more. Returns when the workload has ended.
    ///
    /// A workload that was killed and has not ended is held by a tracer: if that has left the
    /// group, `kill_family` must reach it.
    pub(super) fn keep(&self, is_there: impl Fn() -> bool, kill_family: impl Fn()) {
        let mut inner = self.lock();
        while !inner.ended {
            let killed = inner.by == By::Kill && inner.group.is_some();
            let left =
                inner.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                inner.by = By::Kill;
                inner.deadline = None;
                send(&inner, Signal::KILL);
                continue;
            }
            let pause = if killed { KILL_TAKES } else { left.unwrap_or(LOOK).min(LOOK) };
            let waited = self.changed.wait_timeout(inner, pause);
            let (woken, over) = waited.unwrap_or_else(PoisonError::into_inner);
            inner = woken;
            if inner.ended || inner.group.is_none() || !over.timed_out() {
                continue;
            }
            // Not with the lock: the disk or a long list of processes may take its time.
            let by = inner.by;
            drop(inner);
            match by {
                By::Exit if !is_there() => {
                    super::complain("the task's directory is gone, so the task is stopped");
                    self.stop();
                }
                By::Kill if killed => kill_family(),
                By::Exit | By::Stop | By::Kill => {}
            }
            inner = self.lock();
        }
    }

    /// Called when the workload has ended and before it is waited for: kills what is left
    /// in its group, and lets nobody signal the group any more.
    pub(super) fn ended(&self) -> By {
        let mut inner = self.lock();
        inner.ended = true;
        send(&inner, Signal::KILL);
        inner.group = None;
        self.changed.notify_all();
        inner.by
    }

    fn send_stop(&self, inner: &mut Inner) {
        if inner.group.is_some() {
            send(inner, self.signal);
            // A grace beyond what the clock can tell is one without end.
            inner.deadline = Instant::now().checked_add(self.grace);
        }
    }

    fn publish(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.version += 1;
        self.changed.notify_all();
    }

    /// Poisoned only by a panic in another thread, after which the data is still whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send(inner: &Inner, signal: Signal) {
    let Some(group) = inner.group else { return };
    match kill_process_group(group, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => {
            let error = io::Error::from(error);
            super::complain(&format!("{signal:?} cannot be sent to the task: {error}"));
        }
    }
}
