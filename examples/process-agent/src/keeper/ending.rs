//! The end of a workload: the stop signal to all its processes, the grace, and `KILL`.

use std::{
    fs::File,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait},
};
use time::UtcDateTime;

use super::{complain::complain, exit::By, members::Members};

/// How long processes may take to end after a signal to their group, before a costly search for
/// others.
const SETTLES: Duration = Duration::from_millis(20);

/// How long killed processes may take to end, before each of them is searched for. Doubled with
/// each search, up to [`LONGEST_PAUSE`].
const KILL_TAKES: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A workload from its start until none of its processes is left.
///
/// This process is the subreaper of all processes that the workload starts. So no process is left
/// exactly when this one has no children. A process whose parent has ended is among this one's
/// descendants.
#[derive(Debug)]
pub(super) struct Ending {
    members: Members,
    /// The first process, which leads a process group.
    leader: Pid,
    /// How the leader ended, if it has. From then on, its process id may belong to another process.
    end: Option<LeaderEnd>,
    stop_signal: Signal,
    grace: Duration,
    /// What the keeper has done to the workload so far.
    by: By,
    stage: Stage,
}

/// How the workload's first process ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaderEnd {
    pub(super) status: WaitStatus,
    pub(super) finished: UtcDateTime,
    pub(super) by: By,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Runs,
    Stopping {
        /// When to kill all processes. `None` if the grace is too long for the clock.
        deadline: Option<Instant>,
        /// When to send the signal to processes outside of the leader's group. `None` if it was
        /// sent to them at once.
        others: Option<Instant>,
        /// Whether the signal was sent to the leader's group.
        group: bool,
    },
    Killing {
        /// When to look for remaining processes.
        look: Instant,
        pause: Duration,
    },
    /// The remaining processes may not be killed.
    GivenUp,
}

impl Ending {
    pub(super) fn new(members: Members, leader: Pid, stop_signal: Signal, grace: Duration) -> Self {
        Self { members, leader, end: None, stop_signal, grace, by: By::Exit, stage: Stage::Runs }
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    /// Returns the file to poll for `PRI`. It is ready when a process that is not a child may have
    /// ended.
    pub(super) fn events(&self) -> Option<&File> {
        self.end.and_then(|_| self.members.events())
    }

    /// Whether the workload is running and was not asked to end.
    pub(super) fn runs(&self) -> bool {
        matches!(self.stage, Stage::Runs)
    }

    /// Returns when to call [`advance`](Self::advance) if no event happens before.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Runs | Stage::GivenUp => None,
            Stage::Stopping { deadline, others, .. } => deadline.into_iter().chain(others).min(),
            Stage::Killing { look, .. } => Some(look),
        }
    }

    /// Sends the stop signal to all processes of the workload, and `KILL` when the grace has
    /// passed. Only the first call has an effect.
    pub(super) fn stop(&mut self) {
        if self.runs() {
            self.by = By::Stop;
            self.send_group(self.stop_signal);
            self.begin_grace(true);
        }
    }

    /// Kills all processes of the workload.
    pub(super) fn kill(&mut self) {
        if matches!(self.stage, Stage::Runs | Stage::Stopping { .. }) {
            self.by = By::Kill;
            self.send_group(Signal::KILL);
            let now = Instant::now();
            let look = if self.members.kill_at_once() { KILL_TAKES } else { SETTLES };
            self.stage = Stage::Killing { look: now + look, pause: KILL_TAKES };
        }
    }

    /// Reaps the children that have ended, and carries out what is due. Never blocks. When no
    /// process of the workload is left, returns how the leader ended.
    pub(super) fn advance(&mut self) -> Option<LeaderEnd> {
        let has_children = self.reap();
        if let Some(end) = self.end {
            let has_strangers = self.members.has_strangers();
            if matches!(self.stage, Stage::GivenUp) || !(has_children || has_strangers) {
                return Some(end);
            }
            if self.runs() {
                // The remaining processes get the same signal and grace as after a stop.
                self.begin_grace(false);
            }
        }
        let now = Instant::now();
        match self.stage {
            Stage::Stopping { deadline: Some(deadline), .. } if deadline <= now => self.kill(),
            Stage::Stopping { deadline, others: Some(others), group } if others <= now => {
                self.stage = Stage::Stopping { deadline, others: None, group };
                self.members.signal(self.stop_signal, group.then_some(self.leader));
            }
            Stage::Killing { look, pause } if look <= now => self.kill_what_is_left(pause),
            Stage::Runs | Stage::Stopping { .. } | Stage::Killing { .. } | Stage::GivenUp => {}
        }
        None
    }

    fn begin_grace(&mut self, group: bool) {
        let now = Instant::now();
        // If a search is costly, wait until most processes have ended.
        let others = if self.members.is_costly() {
            Some(now + SETTLES)
        } else {
            self.members.signal(self.stop_signal, group.then_some(self.leader));
            None
        };
        self.stage = Stage::Stopping { deadline: now.checked_add(self.grace), others, group };
    }

    /// Kills the remaining processes one by one. A process that was killed and has not ended is
    /// held by a tracer, has left its cgroup, or is blocked in the kernel.
    fn kill_what_is_left(&mut self, pause: Duration) {
        self.members.kill_at_once();
        match self.members.kill_tree() {
            Ok(false) if self.end.is_some() => {
                complain(
                    "cannot kill some processes of the task: the keeper's user may not signal them",
                );
                self.stage = Stage::GivenUp;
                return;
            }
            Ok(_) => {}
            Err(error) => complain(&format!("cannot read /proc: {error}")),
        }
        let pause = (pause * 2).min(LONGEST_PAUSE);
        self.stage = Stage::Killing { look: Instant::now() + pause, pause };
    }

    /// Reaps the children that have ended: the leader, and adopted orphans. Returns `false` if
    /// there are no children, and so no descendants.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.leader && self.end.is_none() => {
                    let finished = UtcDateTime::now();
                    self.end = Some(LeaderEnd { status, finished, by: self.by });
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Sends a signal to the leader's process group, as long as its id cannot belong to another
    /// group.
    fn send_group(&self, signal: Signal) {
        if self.end.is_some() {
            return;
        }
        match kill_process_group(self.leader, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => complain(&format!("cannot send {signal:?} to the task: {error}")),
        }
    }
}
