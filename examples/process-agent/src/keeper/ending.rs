//! The end of a workload: the stop signal to everything that belongs to it, the grace, and `KILL`.

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

/// How long processes may take to end by themselves, after a signal to their group, before a
/// costly look at what else there is.
const SETTLES: Duration = Duration::from_millis(20);

/// How long processes that were killed may take, before they are looked for one by one. Doubled
/// with each look, up to [`LONGEST_PAUSE`].
const KILL_TAKES: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A workload from its start until nothing of it is left.
///
/// This process is the subreaper of all that the workload starts. So nothing is left exactly when
/// it has no child any more, and what has left its parent is found among its descendants.
#[derive(Debug)]
pub(super) struct Ending {
    members: Members,
    /// The process that was started, which leads a process group.
    leader: Pid,
    /// How it ended, once it has. Its number may be another process's from then on.
    end: Option<LeaderEnd>,
    stop_signal: Signal,
    grace: Duration,
    /// What was done to it so far.
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
        /// When all is killed; `None` for a grace beyond what the clock can hold.
        deadline: Option<Instant>,
        /// When the processes outside of the leader's group are sent the signal, if they were not
        /// sent it at once.
        others: Option<Instant>,
        /// Whether the leader's group was sent the signal.
        group: bool,
    },
    Killing {
        /// When what is left is looked for.
        look: Instant,
        pause: Duration,
    },
    /// What is left may not be killed.
    GivenUp,
}

impl Ending {
    pub(super) fn new(members: Members, leader: Pid, stop_signal: Signal, grace: Duration) -> Self {
        Self { members, leader, end: None, stop_signal, grace, by: By::Exit, stage: Stage::Runs }
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    /// The file to be polled for `PRI`: something may have ended that is no child of this process.
    pub(super) fn events(&self) -> Option<&File> {
        self.end.and_then(|_| self.members.events())
    }

    /// Whether the workload runs and has not been asked to end.
    pub(super) fn runs(&self) -> bool {
        matches!(self.stage, Stage::Runs)
    }

    /// When [`advance`](Self::advance) must be called again, if nothing happens before.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Runs | Stage::GivenUp => None,
            Stage::Stopping { deadline, others, .. } => deadline.into_iter().chain(others).min(),
            Stage::Killing { look, .. } => Some(look),
        }
    }

    /// Sends the stop signal to everything that belongs to the workload, and `KILL` when the
    /// grace has passed. Only the first time.
    pub(super) fn stop(&mut self) {
        if self.runs() {
            self.by = By::Stop;
            self.send_group(self.stop_signal);
            self.begin_grace(true);
        }
    }

    /// Kills everything that belongs to the workload.
    pub(super) fn kill(&mut self) {
        if matches!(self.stage, Stage::Runs | Stage::Stopping { .. }) {
            self.by = By::Kill;
            self.send_group(Signal::KILL);
            let now = Instant::now();
            let look = if self.members.kill_at_once() { KILL_TAKES } else { SETTLES };
            self.stage = Stage::Killing { look: now + look, pause: KILL_TAKES };
        }
    }

    /// Waits for the children that have ended, and does what is due. Never blocks. Returns how the
    /// leader ended when nothing is left of the workload.
    pub(super) fn advance(&mut self) -> Option<LeaderEnd> {
        let has_children = self.reap();
        if let Some(end) = self.end {
            let has_strangers = self.members.has_strangers();
            if matches!(self.stage, Stage::GivenUp) || !(has_children || has_strangers) {
                return Some(end);
            }
            if self.runs() {
                // What the leader has left behind gets the same as after a stop.
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
        // Where looking is costly, most have ended by themselves in a moment.
        let others = if self.members.is_costly() {
            Some(now + SETTLES)
        } else {
            self.members.signal(self.stop_signal, group.then_some(self.leader));
            None
        };
        self.stage = Stage::Stopping { deadline: now.checked_add(self.grace), others, group };
    }

    /// One that was killed and has not ended is held by a tracer, has left its cgroup, or is held
    /// up in the kernel.
    fn kill_what_is_left(&mut self, pause: Duration) {
        self.members.kill_at_once();
        match self.members.kill_tree() {
            Ok(false) if self.end.is_some() => {
                complain("some processes of the task may not be killed, and are left");
                self.stage = Stage::GivenUp;
                return;
            }
            Ok(_) => {}
            Err(error) => complain(&format!("/proc cannot be read: {error}")),
        }
        let pause = (pause * 2).min(LONGEST_PAUSE);
        self.stage = Stage::Killing { look: Instant::now() + pause, pause };
    }

    /// Waits for the children that have ended: the leader, and orphans that became ours. `false`
    /// if there is no child any more, and so no descendant.
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

    /// Sends a signal to the leader's process group, as long as its number cannot mean another
    /// one.
    fn send_group(&self, signal: Signal) {
        if self.end.is_some() {
            return;
        }
        match kill_process_group(self.leader, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => complain(&format!("{signal:?} cannot be sent to the task: {error}")),
        }
    }
}
